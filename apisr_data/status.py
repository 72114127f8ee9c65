"""What a dataset holds: done, kept, filtered and failed, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from apisr_data.dataset import Dataset

STAGES = ("extract", "score", "dedup", "select", "rescale", "export")

RULE = (
    "trim(regexp_replace(selection.reason, "
    r"'( bits|:| of | in partition|\().*|\b[0-9a-f]{16}-\S+|[0-9][0-9.,]*', '', 'gs'))"
)
"""The reason of a selection without its particulars, in SQL."""


@dataclass(frozen=True)
class Status:
    """Counts over the current tables."""

    stages: tuple[tuple[str, str | None], ...]
    """Stage and the digest of its settings in force; None where it has not run."""
    videos: int
    frames: int
    scored: int
    kept: int
    images: int
    titles: tuple[tuple[str, int, int, int], ...]
    """Title, its videos, their frames, frames kept."""
    reasons: tuple[tuple[bool, str, int], ...]
    """Whether kept, the reason without its particulars, frames."""
    failed: tuple[tuple[str, str], ...]
    """Path and reason of each input that could not be used."""
    not_made: tuple[tuple[str, int], ...]
    """Why a kept frame has no image, and how many."""
    warnings: tuple[tuple[str, str], ...]
    """Path and warning of each input that was used all the same."""


def status(dataset: Dataset) -> Status:
    """The state of every stage, title and reason."""

    def count(query: str) -> int:
        return int(dataset.sql(query).fetchall()[0][0])

    titles = """
        SELECT title, count(DISTINCT video_id), count(frame_id), count(*) FILTER (is_kept)
        FROM videos LEFT JOIN frames USING (video_id) LEFT JOIN selection USING (frame_id)
        WHERE status = 'done' GROUP BY title ORDER BY title"""
    reasons = f"""
        SELECT is_kept, {RULE} AS rule, count(*)
        FROM selection GROUP BY ALL ORDER BY 1 DESC, 3 DESC"""  # noqa: S608
    not_made = "SELECT reason, count(*) FROM images WHERE image IS NULL GROUP BY ALL ORDER BY 2 DESC, 1"
    told = "SELECT path, reason FROM videos WHERE reason IS NOT NULL AND status {} 'failed' ORDER BY path"
    return Status(
        stages=tuple((stage, dataset.digest(stage)) for stage in STAGES),
        videos=count("SELECT count(*) FROM videos WHERE status = 'done'"),
        frames=count("SELECT count(*) FROM frames"),
        scored=count("SELECT count(*) FROM scores"),
        kept=count("SELECT count(*) FROM selection WHERE is_kept"),
        images=count("SELECT count(image) FROM images"),
        titles=tuple(dataset.sql(titles).fetchall()),
        reasons=tuple(dataset.sql(reasons).fetchall()),
        failed=tuple(dataset.sql(told.format("=")).fetchall()),
        not_made=tuple(dataset.sql(not_made).fetchall()),
        warnings=tuple(dataset.sql(told.format("<>")).fetchall()),
    )


def render(found: Status) -> RenderableType:
    """The status as tables for a terminal."""
    parts: list[RenderableType] = []
    parts.append(
        f"{found.videos:,} inputs, {found.frames:,} frames, {found.scored:,} scored, {found.kept:,} kept, "
        f"{found.images:,} images; {len(found.failed):,} failed"
    )
    parts.append("stages: " + ", ".join(f"{stage} {digest or 'not yet'}" for stage, digest in found.stages))
    if found.titles:
        parts.append(_table(("title", "inputs", "frames", "kept"), found.titles))
    if found.reasons:
        rows = [("kept" if is_kept else "dropped", reason, frames) for is_kept, reason, frames in found.reasons]
        parts.append(_table(("verdict", "reason", "frames"), rows))
    if found.not_made:
        parts.append(_table(("no image because", "frames"), found.not_made))
    for heading, rows_of in (("failed", found.failed), ("warning", found.warnings)):
        if rows_of:
            parts.append(_table((heading, "reason"), rows_of))
    return Group(*parts)


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    table = Table()
    for column in columns:
        is_number = column in ("inputs", "frames", "kept")
        table.add_column(column, overflow="fold", justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*(Text(f"{value:,}" if isinstance(value, int) else str(value)) for value in row))
    return table
