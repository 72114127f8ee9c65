"""select: which frames become training images; every frame gets a verdict and its reason, and nothing is decoded."""

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from apisr_data import config, tables
from apisr_data.dataset import Dataset
from apisr_data.errors import ConfigError, MissingStageError, QueryError
from apisr_data.stages import Report
from apisr_data.stages.dedup import require_current as require_current_duplicates
from apisr_data.stages.select.conditions import TABLE, check_condition
from apisr_data.stages.select.overrides import read_overrides
from apisr_data.stages.select.policies import LIMITS, selection_query

VERSION = 2
"""Raised whenever the same tables would be chosen from in another way; enters the digest."""

_INPUTS = ("frames", "scores", "videos", "sources", "native_heights", "duplicates", "repeats", "overrides")

_NAMED_UNKNOWN = 5  # unknown frames of the overrides that a warning names


def select(dataset: Dataset, settings: config.Select, *, overrides: Path | None = None) -> Report:
    """Choose among the frames of all videos; writes the table of selections.

    `overrides` is a CSV file of a person's decisions, which win over everything; the dataset remembers them until
    another file is given. One about a frame that the dataset does not have is a warning: a list of decisions outlives
    the videos that it was made for.

    Raises:
        MissingStageError: the frames are not scored, or (policy `diverse`) duplicates were not looked for.
        QueryError: `where` is not one condition over the columns of frames, scores and videos.
        ConfigError: the overrides cannot be used, or a floor is about something that was not scored.
        OSError: the disk is full.
    """
    _require_stages(dataset, settings)
    if overrides:
        _remember(dataset, read_overrides(overrides))
    decisions = dataset.sql("FROM overrides").fetchall()
    query = _query(dataset, settings)
    dataset.put_in_force("select", settings, config.digest(settings, str(VERSION)))
    source = made_from(dataset, settings)
    if dataset.is_up_to_date("selection", source):
        return Report("select", "the selection is up to date", did_nothing=True)

    connection = dataset.connection
    unknown = connection.sql("FROM overrides ANTI JOIN frames USING (frame_id) ORDER BY frame_id").fetchall()
    try:
        rows = connection.sql(query).to_arrow_table().cast(tables.SELECTION.schema)
    except (duckdb.DataError, duckdb.InvalidInputException) as error:
        # our own SQL converts nothing: `where` asks for what a value does not allow
        raise QueryError(f"where {settings.where!r}: {error}") from None
    dataset.write_table(tables.SELECTION, rows, source)
    kept = int(np.count_nonzero(rows["is_kept"].to_numpy()))
    by = f"the policy '{settings.policy}'" + (f" and {_counted(len(decisions), 'override')}" if decisions else "")
    report = Report("select", f"kept {kept:,} of {len(rows):,} frames by {by}")
    if unknown:
        named = ", ".join(frame_id for frame_id, *_ in unknown[:_NAMED_UNKNOWN])
        are = "is" if len(unknown) == 1 else "are"
        report.warnings.append(f"overrides: {_counted(len(unknown), 'frame')} {are} not in the dataset: {named}")
    return report


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def require_current(dataset: Dataset) -> None:
    """Make sure that the selection is of the frames, duplicates and settings as they are now.

    Raises:
        MissingStageError: it is not.
    """
    if not dataset.is_up_to_date("selection", made_from(dataset, dataset.recipe().select)):
        raise MissingStageError(
            f"{dataset.path}: no selection of the frames as they are now; run 'apisr-data select {dataset.path}' first"
        )


def made_from(dataset: Dataset, settings: config.Select) -> str:
    """What names these settings and the tables as they are now; the stage's own tables carry it."""
    return f"{config.digest(settings, str(VERSION))} {dataset.fingerprint(*_INPUTS)}"


def check(settings: config.Select, columns: pa.Schema, *, overrides: Path | None = None) -> None:
    """Raise what `select` would raise for its settings and overrides, before the hours of work that it stands behind.

    `columns` are those that `where` may name.
    """
    if settings.where is not None:
        check_condition(settings.where, columns)
    if overrides:
        read_overrides(overrides)


def _remember(dataset: Dataset, decisions: pa.Table) -> None:
    path = dataset.table_path("overrides")
    if not path.exists() or pq.read_table(path) != decisions:
        dataset.write_table(tables.OVERRIDES, decisions, "")


def _query(dataset: Dataset, settings: config.Select) -> str:
    """The query of the whole selection, its condition and limits checked."""
    if not dataset.parts("frames"):  # then no columns are known but those of every dataset
        return "FROM selection LIMIT 0"
    described = _describe(dataset)
    columns = dataset.sql(f"{described} LIMIT 0").to_arrow_table().schema
    if settings.where is not None:
        check_condition(settings.where, columns)
    for limit in LIMITS if settings.policy == "diverse" else ():
        column = limit.partition("_")[2]
        if getattr(settings, limit) is not None and column not in columns.names:
            raise ConfigError(f"select.{limit} needs the scorer '{column}': add it to score.also and score again")
    return f"WITH {TABLE} AS ({described}), {selection_query(settings)}"


def _describe(dataset: Dataset) -> str:
    """The query whose columns `where` may name: of frames, scores and videos; the first of them has a shared name."""
    names: list[str] = []
    columns = []
    for table in ("frames", "scores", "videos"):
        for name in dataset.sql(f"FROM {table}").columns:
            if name not in names:
                names.append(name)
                columns.append(f'{table}."{name}"')
    listed = ", ".join(columns)
    return f"""SELECT {listed} FROM frames JOIN videos USING (video_id)
        LEFT JOIN scores ON scores.frame_id = frames.frame_id"""  # noqa: S608 (columns of our own tables)


def _require_stages(dataset: Dataset, settings: config.Select) -> None:
    if not dataset.digest("score"):
        raise MissingStageError(
            f"{dataset.path}: no frames to choose from; run 'apisr-data score {dataset.path}' first"
        )
    if settings.policy == "diverse":
        require_current_duplicates(dataset)
