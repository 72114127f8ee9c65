"""Where the content that was extracted stands now; what changed since is refused, for its pixels would be others'."""

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apisr_data import sources
from apisr_data.dataset import Dataset
from apisr_data.errors import InputError


@dataclass(frozen=True)
class Origin:
    """A video, or the folder of a batch of pictures."""

    path: Path
    lost: Mapping[str, InputError] = field(default_factory=dict)
    """Pictures of the batch, by file name, that are gone or changed."""


def origin_of(dataset: Dataset, video_id: str) -> Origin | InputError:
    """The first place where this content still stands; for a batch, the one where most of its pictures do."""
    rows = dataset.sql("FROM sources WHERE video_id = ? ORDER BY path", [video_id]).to_arrow_table().to_pylist()
    batches = []
    for row in rows:
        path = Path(row["path"])
        if row["kind"] == "images" and path.is_dir():
            batches.append(Origin(path, _lost_pictures(dataset, path, row)))
        elif row["kind"] == "video" and _is_same_video(path, row):
            return Origin(path)
    if batches:
        return min(batches, key=lambda batch: len(batch.lost))
    return _error(Path(rows[0]["path"]))


def _is_same_video(path: Path, row: dict[str, Any]) -> bool:
    """Whether the file is the one that was extracted; a copy, with another time, is told by its content."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size != row["bytes"]:
            return False
        return bool(found.st_mtime_ns == row["mtime_ns"] or sources.content_id(path) == row["video_id"])
    except OSError:
        return False


def _lost_pictures(dataset: Dataset, folder: Path, row: dict[str, Any]) -> dict[str, InputError]:
    """Which pictures are not as they were: none where the batch's id comes out the same, else each by size and time.

    Where neither tells which one changed (two changed places, say), none can be trusted.
    """
    names: list[str] = row["pictures"]
    if any(batch["video_id"] == row["video_id"] for batch in sources.batches(folder, [folder / n for n in names], [])):
        return {}
    query = "SELECT image_name, packet_bytes FROM frames WHERE video_id = ?"
    sizes = dict(dataset.sql(query, [row["video_id"]]).fetchall())
    lost = {}
    for name in names:
        try:
            found = (folder / name).stat()
            is_same = found.st_size == sizes.get(name, found.st_size) and found.st_mtime_ns <= row["mtime_ns"]
        except OSError:
            is_same = False
        if not is_same:
            lost[name] = _error(folder / name)
    return lost or dict.fromkeys(names, _error(folder))


def _error(path: Path) -> InputError:
    if path.exists():
        return InputError(f"{path}: changed since it was extracted; run extract again")
    return InputError(f"{path}: gone since it was extracted; bring it back, or run extract again where it is now")
