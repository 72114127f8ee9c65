"""A recipe over sources: the stages in their order, one decode before selection."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from apisr_data import engines, tables
from apisr_data.config import Recipe
from apisr_data.dataset import Dataset
from apisr_data.stages import Progress, Report
from apisr_data.stages.dedup import dedup
from apisr_data.stages.export import check_target, export, write_manifest
from apisr_data.stages.extract import extract
from apisr_data.stages.extract import put_in_force as put_extract_in_force
from apisr_data.stages.extract.one_video import FRAMES
from apisr_data.stages.rescale import rescale
from apisr_data.stages.score import plan, put_in_force, score
from apisr_data.stages.score.one_video import table as scores_table
from apisr_data.stages.select import check as check_selection
from apisr_data.stages.select import select


def run(
    dataset: Dataset,
    paths: Iterable[Path],
    recipe: Recipe,
    *,
    export_to: Path | None = None,
    weights: Path | None = None,
    device: str = "auto",
    titles_csv: Path | None = None,
    overrides_csv: Path | None = None,
    workers: int = 1,
    hang_timeout_s: float = engines.HANG_TIMEOUT_S,
    force: bool = False,
    progress: Progress | None = None,
) -> Iterator[Report]:
    """Every stage over every source; yields each stage's report as it ends.

    A stage whose inputs and settings are as before does nothing. The manifest is written in any case.

    Raises:
        ApisrError: wrong settings, before any work; a single input's failure is in the reports instead.
        OSError: the disk is full.
    """
    scoring = plan(recipe.score, weights=weights, device=device)
    described = [FRAMES, scores_table(scoring.settings), tables.VIDEOS, tables.SOURCES, tables.NATIVE_HEIGHTS]
    columns = {column.name: column.type for table in described for column in table.columns}
    check_selection(recipe.select, pa.schema(columns.items()), overrides=overrides_csv)
    if export_to is not None:
        check_target(export_to, recipe.export)
    put_extract_in_force(dataset, recipe.extract)
    put_in_force(dataset, scoring)
    yield extract(
        dataset,
        paths,
        recipe.extract,
        scoring=scoring,
        titles_csv=titles_csv,
        workers=workers,
        hang_timeout_s=hang_timeout_s,
        force=force,
        progress=progress,
    )
    yield score(dataset, scoring, workers=workers, hang_timeout_s=hang_timeout_s, progress=progress)
    yield dedup(dataset, recipe.dedup, progress=progress)
    yield select(dataset, recipe.select, overrides=overrides_csv)
    yield rescale(
        dataset, recipe.rescale, workers=workers, hang_timeout_s=hang_timeout_s, force=force, progress=progress
    )
    write_manifest(dataset, recipe.export)
    if export_to is not None:
        yield export(dataset, export_to, recipe.export, workers=workers, progress=progress)
