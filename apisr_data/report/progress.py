"""Which stages of a dataset are done, absent, or older than what they were made from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from apisr_data.dataset import Dataset
from apisr_data.errors import MissingStageError
from apisr_data.stages.dedup import require_current as require_duplicates
from apisr_data.stages.rescale import require_current as require_images
from apisr_data.stages.select import require_current as require_selection


@dataclass(frozen=True)
class StageState:
    """How far a stage is; `stale` is behind the tables or settings that it was made from."""

    stage: str
    state: Literal["done", "missing", "stale"]


_TABLES: tuple[tuple[str, str, Callable[[Dataset], None]], ...] = (
    ("dedup", "duplicates", require_duplicates),
    ("select", "selection", require_selection),
    ("rescale", "images", require_images),
)


def progress(dataset: Dataset) -> list[StageState]:
    """The state of each stage, in their order."""
    states = [
        StageState("extract", "done" if dataset.digest("extract") else "missing"),
        StageState("score", _scored(dataset)),
    ]
    for stage, table, require_current in _TABLES:
        if not dataset.table_path(table).exists():
            states.append(StageState(stage, "missing"))
            continue
        try:
            require_current(dataset)
        except MissingStageError:
            states.append(StageState(stage, "stale"))
        else:
            states.append(StageState(stage, "done"))
    return states


def _scored(dataset: Dataset) -> Literal["done", "missing", "stale"]:
    """Not one part a video is asked for but frames: a failed video has none."""
    if dataset.digest("score") is None:
        return "missing"
    left = dataset.sql("SELECT count(*) FROM frames ANTI JOIN scores USING (frame_id)").fetchall()[0][0]
    return "stale" if left else "done"
