"""How far a run is, and the learning rate there."""

import math

from apisr_model.train.recipe import TrainSettings


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
