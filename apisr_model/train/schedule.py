"""How far a run is, how fast it goes, and the learning rate there."""

import math
from collections import deque

from apisr_model.train.recipe import TrainSettings

_STEPS = 50
"""Steps that the pace is measured over."""


def fraction(settings: TrainSettings, step: int, seconds: float) -> float:
    """What lies behind of a run that has done `step` steps in `seconds`; 1 ends it."""
    by_step = step / settings.iterations if settings.iterations else 0.0
    by_time = seconds / (60 * settings.minutes) if settings.minutes else 0.0
    return min(1.0, max(by_step, by_time))


def learning_rate(settings: TrainSettings, step: int, fraction: float) -> float:
    """The rate of step `step`, 0, 1, ..., with `fraction` of the run behind it."""
    rise = min(1.0, (step + 1) / settings.warmup) if settings.warmup else 1.0
    if settings.schedule == "cosine":
        fall = (1 + math.cos(math.pi * fraction)) / 2
    elif settings.schedule == "halving":
        fall = 0.5 ** (step // settings.halve_every)
    else:
        fall = 1.0
    return settings.learning_rate * rise * fall


class Pace:
    """How fast a run goes: over the last steps, because a validation or a slow start says nothing of the next ones."""

    def __init__(self, now: float, fraction: float) -> None:
        """`now` is in seconds, `fraction` what lies behind of the run."""
        self._marks = deque([(now, 0.0, fraction)], maxlen=_STEPS + 1)

    def step(self, now: float, waited: float, fraction: float) -> None:
        """A step is done; it `waited` so many seconds for its data."""
        self._marks.append((now, self._marks[-1][1] + waited, fraction))

    @property
    def steps_per_s(self) -> float:
        """Steps a second."""
        return (len(self._marks) - 1) / self._over(0)

    @property
    def waiting(self) -> float:
        """Share of the time that goes by until data comes."""
        return self._over(1) / self._over(0)

    @property
    def seconds_left(self) -> float:
        """Until the end of the run."""
        return (1 - self._marks[-1][2]) * self._over(0) / max(self._over(2), 1e-9)

    def _over(self, column: int) -> float:
        gained = self._marks[-1][column] - self._marks[0][column]
        return max(gained, 1e-9) if column == 0 else gained
