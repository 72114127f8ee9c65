"""Datasets whose tables are written by hand, so that a stage can be tested without the stages before it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from apisr_data import config, tables, video
from apisr_data.dataset import Dataset, create_dataset
from apisr_data.stages.extract import extract
from apisr_data.stages.select import made_from

BORDERS = [tables.Column(f"border_{side}", pa.int32(), "px") for side in ("left", "top", "right", "bottom")]
DETAIL = tables.Column("detail", pa.float64(), "0..1")


def make_dataset(
    folder: Path,
    sources: Mapping[Path, str],
    *,
    borders: tuple[int, int, int, int] = (0, 0, 0, 0),
    native_height: int | None = None,
    **video_columns: Any,
) -> Dataset:
    """A dataset of these videos or folders of pictures (path -> title), every I-frame selected; scene = frame."""
    dataset = create_dataset(folder)
    dataset.put_in_force("extract", config.Extract(), "e" * 12)
    dataset.put_in_force("score", config.Score(), "5" * 12)
    rows = []
    for number, (path, title) in enumerate(sources.items()):
        video_id = f"{number:016x}"
        kind = "images" if path.is_dir() else "video"
        row = {"video_id": video_id, "path": str(path), "bytes": path.stat().st_size, "kind": kind, "title": title}
        rows.append(row | {"mtime_ns": path.stat().st_mtime_ns, "source": "a disc", "licence": "mit"})
        frames = _frames(path, video_id, kind)
        for frame in frames:
            frame |= dict(zip((c.name for c in BORDERS), borders, strict=True))
        scores = [
            {"frame_id": f["frame_id"], "video_id": video_id, "complexity": 0.5, "complexity_scorer": "detail"}
            for f in frames
        ]
        described = {"video_id": video_id, "status": "done", "height": frames[0]["height"], **video_columns}
        for table, content in (
            (tables.FRAMES.with_columns(BORDERS), frames),
            (tables.SCORES.with_columns([DETAIL]), [{**s, "detail": 0.5} for s in scores]),
            (tables.VIDEOS, [described]),
        ):
            tables.write(table.rows(content), dataset.part(table.name, video_id))
    tables.write(tables.SOURCES.rows(rows), dataset.table_path("sources"))
    if native_height:
        measured = [
            {"title": title, "source_height": described["height"], "height": native_height, "confidence": 1.0}
            for title in set(sources.values())
        ]
        dataset.write_table(tables.NATIVE_HEIGHTS, tables.NATIVE_HEIGHTS.rows(measured), "")
    dataset.refresh()
    choose(dataset)
    return dataset


def extracted(folder: Path, *paths: Path) -> Dataset:
    """What `extract` makes of these videos and folders, every frame selected."""
    dataset = create_dataset(folder)
    extract(dataset, paths, config.Extract(), workers=0)
    choose(dataset)
    return dataset


def choose(dataset: Dataset, frame_ids: Sequence[str] | None = None) -> None:
    """Select these frames, default all."""
    known = [frame_id for (frame_id,) in dataset.sql("SELECT frame_id FROM frames ORDER BY frame_id").fetchall()]
    kept = set(known if frame_ids is None else frame_ids)
    rows = [{"frame_id": frame_id, "is_kept": frame_id in kept, "reason": "test"} for frame_id in known]
    dataset.write_table(tables.SELECTION, tables.SELECTION.rows(rows), made_from(dataset, dataset.recipe().select))


def selected_anew(dataset: Dataset) -> None:
    """Let the selection be one of the tables as they are now."""
    rows = dataset.sql("FROM selection").to_arrow_table()
    dataset.write_table(tables.SELECTION, rows, made_from(dataset, dataset.recipe().select))


def cluster(dataset: Dataset, clusters: Sequence[Sequence[str]]) -> None:
    """Say that the frames of each of these clusters show one picture."""
    rows = [
        {"frame_id": frame_id, "cluster": number, "kept_frame_id": members[0]}
        for number, members in enumerate(clusters)
        for frame_id in members
    ]
    dataset.write_table(tables.DUPLICATES, tables.DUPLICATES.rows(rows), "test")
    selected_anew(dataset)


def _frames(path: Path, video_id: str, kind: str) -> list[dict[str, Any]]:
    if kind == "images":
        return [
            {"frame_id": f"{video_id}-{n}", "video_id": video_id, "packet": n, "time_s": 0.0, "image_name": p.name}
            | {"width": 64, "height": 48, "scene": n}
            for n, p in enumerate(sorted(path.iterdir()))
        ]
    return [
        {"frame_id": f"{video_id}-{f.pts}", "video_id": video_id, "pts": f.pts, "packet": f.packet, "time_s": f.time_s}
        | {"width": f.width, "height": f.height, "scene": n}
        for n, f in enumerate(video.iframes(path))
    ]
