"""The numbers behind the charts of a report: scores and their meanings, packet sizes, descale curves."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from apisr_data import tables
from apisr_data.dataset import Dataset

CURVES = 40
"""Titles, those with most frames first, whose descale curves are shown: each is 12 kB at 1080."""

_OF_FRAMES = ("entropy", "combing", "luma_mean", "bits_per_pixel", "packet_bytes")
_NUMBERS = ("DOUBLE", "FLOAT", "INTEGER", "BIGINT")

_PACKETS = """
    SELECT coalesce(title, '') AS title, CASE picture_type WHEN 'I' THEN 'I' WHEN '?' THEN '?' ELSE 'other' END AS type,
        bytes_from, sum(packet_sizes.packets)::BIGINT AS packets, sum(bytes)::BIGINT AS bytes
    FROM packet_sizes JOIN videos USING (video_id) GROUP BY ALL ORDER BY ALL"""

_MEASURED = """SELECT title, source_height, height, kernel, confidence, videos, frames FROM native_heights
    ORDER BY frames DESC, title, source_height"""

_DESCALE = """
    SELECT descale.kernel, descale.height, sum(log_error * frames) / sum(frames) AS log_error
    FROM descale JOIN videos USING (video_id) WHERE videos.title = ? AND videos.height = ? AND isfinite(log_error)
    GROUP BY ALL ORDER BY ALL"""


@dataclass(frozen=True)
class ScoreColumn:
    """A number that every frame may have; `sql` is it, rounded, null where it is not finite."""

    name: str
    meaning: str
    sql: str


def complexity_scorers(dataset: Dataset) -> list[str]:
    """Who made the complexity: one name, or several where some videos were scored otherwise."""
    query = "SELECT DISTINCT complexity_scorer FROM scores WHERE complexity_scorer IS NOT NULL ORDER BY 1"
    return [name for (name,) in dataset.sql(query).fetchall()]


def score_columns(dataset: Dataset) -> list[ScoreColumn]:
    """Complexity first, then the other scorers' columns, then what the table of frames measures."""
    found = []
    for table, chosen in (("scores", None), ("frames", _OF_FRAMES)):
        meanings = _meanings(dataset, table)
        relation = dataset.sql(f"FROM {table}")
        for name, kind in zip(relation.columns, relation.types, strict=True):
            if str(kind) in _NUMBERS and (chosen is None or name in chosen):
                value = f'{table}."{name}"'
                sql = f"if(isfinite({value}::DOUBLE), round({value}::DOUBLE, 4), NULL)"
                found.append(ScoreColumn(name, meanings.get(name, ""), sql))
    makers = complexity_scorers(dataset)
    return [score for score in found if [score.name] != makers]  # the only scorer's own column is the complexity again


def packet_sizes(dataset: Dataset, titles: Mapping[str, int]) -> list[dict[str, Any]]:
    """One histogram a title and type (I, other, ? where the header does not tell); bins are a quarter octave wide."""
    histograms: dict[tuple[int, str], dict[str, Any]] = {}
    for title, kind, bytes_from, packets, size in dataset.sql(_PACKETS).fetchall():
        key = titles[title], kind
        shown = histograms.setdefault(key, {"title": key[0], "type": kind, "from": [], "packets": [], "bytes": 0})
        shown["from"].append(bytes_from)
        shown["packets"].append(packets)
        shown["bytes"] += size
    return list(histograms.values())


def curves(dataset: Dataset, titles: Mapping[str, int]) -> list[dict[str, Any]]:
    """What was found of each title's native height, and the descale error that it was found in, 3 decimals."""
    measured = dataset.sql(_MEASURED).to_arrow_table().to_pylist()
    shown = [row for row in measured if row["title"] in titles]
    for row in shown[:CURVES]:
        errors: dict[str, list[float]] = defaultdict(list)
        heights = set()
        for kernel, height, log_error in dataset.sql(_DESCALE, [row["title"], row["source_height"]]).fetchall():
            errors[kernel].append(round(log_error, 3))
            heights.add(height)
        row["heights"] = sorted(heights)
        row["errors"] = {kernel: values for kernel, values in errors.items() if len(values) == len(heights)}
    for row in shown:
        row["title"] = titles[row["title"]]
    return shown


def _meanings(dataset: Dataset, table: str) -> dict[str, str]:
    """What the columns of a table over videos mean, as its first part says."""
    if dataset.digest("score" if table == "scores" else "extract") is None or not (parts := dataset.parts(table)):
        return {column.name: column.meaning for t in (tables.SCORES, tables.FRAMES) for column in t.columns}
    fields = pq.read_schema(parts[0])
    return {field.name: (field.metadata or {}).get(b"meaning", b"").decode() for field in fields}
