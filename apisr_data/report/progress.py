"""Which stages of a dataset are done, absent, or older than what they were made from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from apisr_data.dataset import Dataset
from apisr_data.errors import MissingStageError
from apisr_data.stages.dedup import require_current as require_duplicates
from apisr_data.stages.rescale import require_current as require_images
from apisr_data.stages.select import require_current as require_selection

State = Literal["done", "missing", "stale"]


@dataclass(frozen=True)
class StageState:
    """How far a stage is; `stale` is behind the inputs, tables or settings that it was made from."""

    stage: str
    state: State
    told: str
    """What to say of it where it is not done."""


_MISSING = {
    "extract": "No frame was read yet",
    "score": "No frame is scored yet",
    "dedup": "Duplicates were not looked for yet",
    "select": "Nothing is selected yet",
    "rescale": "No image is made of the kept frames yet",
}
_STALE = {
    "extract": "Some inputs are not read whole, or a part of their tables is gone",
    "score": "Some frames are not scored, or a part of their tables is gone",
}

_TABLES: tuple[tuple[str, str, Callable[[Dataset], None]], ...] = (
    ("dedup", "duplicates", require_duplicates),
    ("select", "selection", require_selection),
    ("rescale", "images", require_images),
)


def progress(dataset: Dataset) -> list[StageState]:
    """The state of each stage, in their order."""
    states: dict[str, State] = {"extract": _extracted(dataset), "score": _scored(dataset)}
    for stage, table, require_current in _TABLES:
        states[stage] = _made(dataset, table, require_current)
    return [StageState(stage, state, _told(stage, state)) for stage, state in states.items()]


def _told(stage: str, state: State) -> str:
    if state == "missing":
        return _MISSING[stage]
    return _STALE.get(stage, f"The tables changed since {stage} ran") if state == "stale" else ""


def _made(dataset: Dataset, table: str, require_current: Callable[[Dataset], None]) -> State:
    if not dataset.table_path(table).exists():
        return "missing"
    try:
        require_current(dataset)
    except MissingStageError:
        return "stale"
    return "done"


def _extracted(dataset: Dataset) -> State:
    """Missing before the first frame, of failed inputs too; stale where the tables lack a part of an input."""
    if not dataset.sql("SELECT count(*) FROM frames").fetchall()[0][0]:
        return "missing"
    known = dataset.sql("SELECT DISTINCT video_id FROM sources").fetchall()
    return "done" if {video_id for (video_id,) in known} <= dataset.done("extract") else "stale"


def _scored(dataset: Dataset) -> State:
    """Not one part a video is asked for but frames: a failed video has none."""
    if dataset.digest("score") is None:
        return "missing"
    left = dataset.sql("SELECT count(*) FROM frames ANTI JOIN scores USING (frame_id)").fetchall()[0][0]
    return "stale" if left else "done"
