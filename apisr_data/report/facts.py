"""What a report shows, asked of a dataset's tables: plain lists and dicts, ready for JSON.

Rows of frames are columns, in the order title, episode, path, time; `video`, `rule` and `keeper` are indices.
"""

import hashlib
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from apisr_data.dataset import Dataset
from apisr_data.report.figures import complexity_scorers, curves, packet_sizes, score_columns
from apisr_data.report.progress import progress
from apisr_data.status import RULE

Facts = dict[str, Any]

_VIDEOS = """
    SELECT video_id, coalesce(title, '') AS title, episode, path, kind, status, reason, container, codec, profile,
    pixel_format, width, height, if(isfinite(fps), fps, NULL) AS fps,
    if(isfinite(duration_s), duration_s, NULL) AS duration_s, interlacing, field_order, colour_matrix, colour_range,
    colour_source, packets, i_frames, key_frames, iframe_method, decode_errors, is_cut_short,
    native_height, native_confidence, licence
    FROM videos ORDER BY title, try_cast(episode AS DOUBLE), episode, path"""

_FRAMES = """
    SELECT {columns}, frames.frame_id, frames.video_id, frames.image_name, frames.width, frames.height,
        if(isfinite(frames.time_s), round(frames.time_s, 3), NULL) AS time_s,
        frames.scene, selection.is_kept, selection.reason, {rule} AS rule, duplicates.kept_frame_id AS keeper,
        duplicates.distance, overrides.is_kept AS decided, overrides.reason AS decided_because
    FROM frames JOIN videos USING (video_id) LEFT JOIN scores ON scores.frame_id = frames.frame_id
    LEFT JOIN selection ON selection.frame_id = frames.frame_id
    LEFT JOIN duplicates ON duplicates.frame_id = frames.frame_id
    LEFT JOIN overrides ON overrides.frame_id = frames.frame_id
    ORDER BY coalesce(title, ''), try_cast(episode AS DOUBLE), episode, path, frames.time_s, frames.packet"""

_LOST = """SELECT frame_id, is_kept, reason FROM overrides ANTI JOIN frames USING (frame_id) ORDER BY frame_id"""
"""Decisions about frames that are not here: the page hands them on, for a new file of overrides replaces the old."""

_REPEATS = """SELECT run, kind, video_id, start_s, end_s, frames FROM repeats ORDER BY run, video_id"""


def gather(dataset: Dataset) -> Facts:
    """Everything that the page shows but the thumbnails.

    Raises:
        DatasetError: a table is damaged.
    """
    videos = dataset.sql(_VIDEOS).to_arrow_table().to_pylist()
    numbers = {video["video_id"]: number for number, video in enumerate(videos)}
    titles = {title: number for number, title in enumerate(sorted({video["title"] for video in videos}))}
    for video, name in zip(videos, _names([video["path"] for video in videos]), strict=True):
        video["title"] = titles[video["title"]]
        video["reason"] = video["reason"] and video["reason"].removeprefix(f"{video['path']}: ")
        video["path"] = name
    repeats = dataset.sql(_REPEATS).to_arrow_table().to_pylist()
    for row in repeats:
        row["video"] = numbers.get(row.pop("video_id"))
    frames = _frames(dataset, numbers)
    kept = frames["is_kept"]
    return {
        "dataset": {
            "name": dataset.path.resolve().name,
            "path": str(dataset.path),
            "key": hashlib.blake2b(str(dataset.path.resolve()).encode(errors="replace"), digest_size=8).hexdigest(),
            "made": datetime.now().astimezone().isoformat(timespec="minutes"),
        },
        "stages": [vars(state) for state in progress(dataset)],
        "totals": {
            "videos": len(videos),
            "failed": sum(video["status"] == "failed" for video in videos),
            "packets": sum(video["packets"] or 0 for video in videos),
            "frames": len(kept),
            "kept": kept.count(True),
            "dropped": kept.count(False),
            "images": dataset.sql("SELECT count(image) FROM images").fetchall()[0][0],
        },
        "titles": list(titles),
        "complexity_scorers": complexity_scorers(dataset),
        "videos": videos,
        "frames": frames,
        "lost_decisions": [list(row) for row in dataset.sql(_LOST).fetchall()],
        "repeats": repeats,
        "packet_sizes": packet_sizes(dataset, titles),
        "curves": curves(dataset, titles),
    }


def _frames(dataset: Dataset, numbers: dict[str, int]) -> Facts:
    """The columns of the frames."""
    scores = score_columns(dataset)
    columns = ", ".join(f'{score.sql} AS "score {score.name}"' for score in scores) or "NULL AS none"
    found = dataset.sql(_FRAMES.format(columns=columns, rule=RULE)).to_arrow_table().to_pydict()
    place = {frame_id: number for number, frame_id in enumerate(found["frame_id"])}
    rules = sorted({rule for rule in found["rule"] if rule})
    rule_place = {rule: number for number, rule in enumerate(rules)}
    return {
        "id": found["frame_id"],
        "video": [numbers[video_id] for video_id in found["video_id"]],
        "time_s": found["time_s"],
        "picture": found["image_name"] if any(found["image_name"]) else None,
        "width": found["width"],
        "height": found["height"],
        "is_kept": found["is_kept"],
        "reason": found["reason"],
        "rules": rules,
        "rule": [rule_place.get(rule) for rule in found["rule"]],
        "keeper": [place.get(frame_id) for frame_id in found["keeper"]],
        "distance": found["distance"],
        "decided": {
            str(number): [is_kept, because]
            for number, (is_kept, because) in enumerate(zip(found["decided"], found["decided_because"], strict=True))
            if is_kept is not None
        },
        "scores": [
            {"name": score.name, "meaning": score.meaning, "values": found[f"score {score.name}"]} for score in scores
        ],
    }


def _names(paths: list[str]) -> list[str]:
    """The paths from the deepest folder above them all: where they lie on this machine is nobody's business."""
    try:
        root = os.path.commonpath([Path(path).parent for path in paths])
    except ValueError:  # no path at all, or several drives
        return paths
    return [os.path.relpath(path, root) for path in paths]
