"""The stages: extract -> score -> dedup -> select -> rescale -> export; each maps tables to a table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from apisr_data.errors import InputError


class Progress(Protocol):
    """Where a stage tells how far it is; shown by whoever runs it."""

    def begin(self, stage: str, total: float, unit: str) -> None:
        """A stage of `total` units starts."""

    def advance(self, amount: float) -> None:
        """So many units more are done."""


class Silence:
    """A Progress that shows nothing."""

    def begin(self, stage: str, total: float, unit: str) -> None:
        """Ignore it."""

    def advance(self, amount: float) -> None:
        """Ignore it."""


class JobWithId(Protocol):
    """A job for the worker pool that names its video."""

    @property
    def video_id(self) -> str:
        """The video's id."""


class JobProgress:
    """Progress of a stage whose jobs, one a video, report the share that they have done; for `engines.run`."""

    def __init__(self, progress: Progress | None, stage: str, amounts: Mapping[str, float], unit: str) -> None:
        """`amounts`: what each video, by id, counts for, in `unit`."""
        self._progress = progress or Silence()
        self._amounts = amounts
        self._shares = dict.fromkeys(amounts, 0.0)
        self._progress.begin(stage, sum(amounts.values()), unit)

    def __call__(self, job: JobWithId, share: float) -> None:
        """The job has done `share` of its work, 0..1."""
        self._progress.advance((share - self._shares[job.video_id]) * self._amounts[job.video_id])
        self._shares[job.video_id] = share


@dataclass
class Report:
    """What a stage did: `summary` is one line; `failed` names each input that could not be used."""

    stage: str
    summary: str
    did_nothing: bool = False
    failed: list[InputError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
