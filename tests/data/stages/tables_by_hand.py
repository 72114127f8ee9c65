"""Datasets whose frames are rows and colours, without any video behind them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from apisr_data import config, tables
from apisr_data.dataset import Dataset, create_dataset
from apisr_data.thumbnails import phash

FRAMES = tables.FRAMES.with_columns(tables.Column(name, pa.float64(), "") for name in ("entropy", "combing"))
SCORES = tables.SCORES.with_columns(tables.Column(name, pa.float64(), "") for name in ("sharpness", "blockiness"))


def picture(seed: int) -> np.ndarray:
    """A picture of 144x256 that no other seed resembles: rectangles of colours."""
    rng = np.random.default_rng(seed)
    return cv2.resize(rng.integers(0, 256, (9, 16, 3), np.uint8), (256, 144), interpolation=cv2.INTER_NEAREST)


def dataset_of(
    folder: Path, frames: Sequence[Mapping[str, Any]], videos: Mapping[str, Mapping[str, Any]] | None = None
) -> Dataset:
    """A dataset with these frames, each with a `video_id` and any columns of frames and scores.

    A frame's `picture` (RGB) gives its hash and thumbnail. `videos` has columns of videos and sources by video_id.
    """
    dataset = create_dataset(folder)
    dataset.put_in_force("extract", config.Extract(), "e" * 12)
    dataset.put_in_force("score", config.Score(), "5" * 12)
    videos = {frame["video_id"]: {} for frame in frames} | dict(videos or {})
    rows = {video_id: [f for f in frames if f["video_id"] == video_id] for video_id in videos}
    sources = []
    for video_id, facts in videos.items():
        facts = {"video_id": video_id, "title": "T", "kind": "video", "path": f"/{video_id}.mkv"} | dict(facts)
        sources.append(_only(tables.SOURCES, facts))
        described = {"status": "done", "codec": "h264", "height": 1080, "duration_s": 1440.0} | facts
        parts: dict[str, list[dict[str, Any]]] = {"frames": [], "scores": [], "thumbnails": []}
        for n, given in enumerate(rows[video_id]):
            row = {"frame_id": f"{video_id}-{n}", "packet": n, "time_s": n * 2.0, "scene": n, "width": 1920} | dict(
                given
            )
            row = {"height": 1080, "entropy": 6.0, "combing": 0.0, "bits_per_pixel": 1.0, "phash": n} | row
            row = {"complexity": 0.5, "sharpness": 0.5, "blockiness": 0.0} | row
            if (shown := row.pop("picture", None)) is not None:
                row["phash"] = phash(shown)
                jpeg = cv2.imencode(".jpg", shown[..., ::-1])[1].tobytes()
                parts["thumbnails"].append({"frame_id": row["frame_id"], "video_id": video_id, "jpeg": jpeg})
            parts["frames"].append(_only(FRAMES, row))
            parts["scores"].append(_only(SCORES, row))
        tables.write(FRAMES.rows(parts["frames"]), dataset.part("frames", video_id))
        tables.write(SCORES.rows(parts["scores"]), dataset.part("scores", video_id))
        tables.write(tables.THUMBNAILS.rows(parts["thumbnails"]), dataset.part("thumbnails", video_id))
        tables.write(tables.VIDEOS.rows([_only(tables.VIDEOS, described)]), dataset.part("videos", video_id))
    dataset.write_table(tables.SOURCES, tables.SOURCES.rows(sources), "")
    return dataset


def _only(table: tables.Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of `row` that the table has."""
    names = {column.name for column in table.columns}
    return {name: value for name, value in row.items() if name in names}
