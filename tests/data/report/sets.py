"""Datasets for the report's tests, written by hand: several titles, scores, duplicates, a selection, thumbnails."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from apisr_data import config, images, tables
from apisr_data.dataset import Dataset, create_dataset
from apisr_data.stages.dedup import made_from as duplicates_made_from
from apisr_data.stages.select import made_from as selection_made_from

SHARPNESS = tables.Column("sharpness", pa.float64(), "0..1, how sharp it is")
SELECT = config.Select(policy="paper")  # its rules need no other scorer
FRAME_S = 5.0  # between two frames


def make(folder: Path, titles: list[str], frames_each: int, *, thumbnail_px: tuple[int, int] = (96, 54)) -> Dataset:
    """A dataset of one video a title, scored, deduplicated and selected.

    Frame n of a title has complexity n / frames_each and sharpness 1 less that. Every fifth frame, from the second of
    a title on, is a duplicate of the one before and dropped; of the others the odd ones are kept.
    """
    dataset = create_dataset(folder)
    dataset.put_in_force("extract", config.Extract(), "e" * 12)
    dataset.put_in_force("score", config.Score(), "5" * 12)
    sources, duplicates, selection = [], [], []
    for number, title in enumerate(titles):
        video_id = f"{number:016x}"
        ids = [f"{video_id}-{n}" for n in range(frames_each)]
        sources.append(
            {"video_id": video_id, "path": f"/videos/{number:03d} {title.replace('/', '')}.mkv", "bytes": 1}
            | {"mtime_ns": 0, "kind": "video", "title": title, "licence": "unknown"}
        )
        for table, rows in _parts(video_id, ids, thumbnail_px).items():
            tables.write(table.rows(rows), dataset.part(table.name, video_id))
        for n, frame_id in enumerate(ids):
            is_copy = n % 5 == 1
            kept = ids[n - 1] if is_copy else frame_id
            if is_copy or n % 5 == 0:
                duplicates.append(
                    {"frame_id": frame_id, "cluster": n // 5, "kept_frame_id": kept, "rank": 2 if is_copy else 1}
                    | {"distance": 3 if is_copy else 0}
                )
            reason = f"duplicate of {kept} (distance 3)" if is_copy else "kept: rank 1 of 2 in partition 0"
            is_kept = not is_copy and n % 2 == 1
            if not is_copy and not is_kept:
                reason = "not chosen: rank 2 of 2 in partition 0, whose share is 1"
            selection.append({"frame_id": frame_id, "is_kept": is_kept, "reason": reason})
    tables.write(tables.SOURCES.rows(sources), dataset.table_path("sources"))
    dataset.refresh()
    heights = [{"title": title, "source_height": 720, "confidence": 0.1, "videos": 1, "frames": 8} for title in titles]
    dataset.write_table(tables.NATIVE_HEIGHTS, tables.NATIVE_HEIGHTS.rows(heights), "")
    made_from = duplicates_made_from(dataset, config.Dedup())
    dataset.write_table(tables.DUPLICATES, tables.DUPLICATES.rows(duplicates), made_from)
    dataset.write_table(tables.REPEATS, tables.REPEATS.rows([]), made_from)
    dataset.put_in_force("select", SELECT, "select")
    dataset.write_table(tables.SELECTION, tables.SELECTION.rows(selection), selection_made_from(dataset, SELECT))
    return dataset


def _parts(video_id: str, ids: list[str], thumbnail_px: tuple[int, int]) -> dict[tables.Table, list[dict[str, Any]]]:
    count = len(ids)
    both = [{"frame_id": frame_id, "video_id": video_id} for frame_id in ids]
    sizes = [("I", 65536, count, count * 70_000), ("P", 1024, count * 20, count * 22_000), ("?", 512, 1, 600)]
    return {
        tables.FRAMES: [
            row | {"pts": n, "packet": n, "time_s": n * FRAME_S, "width": 1280, "height": 720, "packet_bytes": 70_000}
            for n, row in enumerate(both)
        ],
        tables.SCORES.with_columns([SHARPNESS]): [
            row | {"complexity": n / count, "complexity_scorer": "detail", "sharpness": 1 - n / count}
            for n, row in enumerate(both)
        ],
        tables.THUMBNAILS: [row | {"jpeg": _jpeg(n % 16, thumbnail_px)} for n, row in enumerate(both)],
        tables.PACKET_SIZES: [
            {"video_id": video_id, "picture_type": kind, "bytes_from": start, "packets": packets, "bytes": total}
            for kind, start, packets, total in sizes
        ],
        tables.DESCALE: [
            {"video_id": video_id, "kernel": kernel, "height": height, "log_error": 1 - height / 1000, "frames": 8}
            for kernel in ("bilinear", "lanczos")
            for height in range(320, 656)
        ],
        tables.VIDEOS: [
            {"video_id": video_id, "status": "done", "width": 1280, "height": 720, "packets": count * 21 + 1}
            | {"codec": "h264", "i_frames": count, "decode_errors": 0, "duration_s": count * FRAME_S}
        ],
    }


@functools.cache
def _jpeg(number: int, size_px: tuple[int, int]) -> bytes:
    width, height = size_px
    noise = np.random.default_rng(number).integers(0, 60, (height, width, 3))
    return images.encode_jpeg((noise + 10 * number).clip(0, 255).astype(np.uint8), quality=90)
