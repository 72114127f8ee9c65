"""The stages: extract -> score -> dedup -> select -> rescale -> export; each maps tables to a table."""

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


@dataclass
class Report:
    """What a stage did: `summary` is one line; `failed` names each input that could not be used."""

    stage: str
    summary: str
    did_nothing: bool = False
    failed: list[InputError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
