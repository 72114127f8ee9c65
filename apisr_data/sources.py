"""What is given to `extract`: which files are videos and which folders hold pictures, and the id of their content."""

import hashlib
import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apisr_data.errors import InputError

VIDEO_SUFFIXES = frozenset(
    ".3g2 .3gp .amv .asf .avi .divx .dv .f4v .flv .h264 .h265 .hevc .ivf .m1v .m2p .m2t .m2ts .m2v .m4v .mjpeg .mjpg "
    ".mkv .mov .mp4 .mpe .mpeg .mpg .mts .mxf .nut .obu .ogm .ogv .qt .rm .rmvb .tp .trp .ts .vob .webm .wmv "
    ".y4m".split()
)
IMAGE_SUFFIXES = frozenset(".avif .bmp .jpe .jpeg .jpg .png .tif .tiff .webp".split())

_OUTPUT_MARKS = {"dataset.toml", ".apisr-export", ".apisr-replay"}  # what we made is no source
PICTURES_A_BATCH = 500

_EDGE_BYTES = 1 << 20
_SAMPLE_BYTES = 64 << 10
_SAMPLES = 16
_NAME_REASON = "its name is not UTF-8; rename it"


@dataclass
class Found:
    """What a walk over the given paths found."""

    videos: dict[Path, Path] = field(default_factory=dict)
    """Video -> the folder that was given, or the folder it lies in."""
    pictures: dict[Path, list[Path]] = field(default_factory=dict)
    """Folder -> its pictures, sorted."""
    ignored: int = 0
    """Files in folders that are neither (subtitles, notes, fonts)."""
    errors: list[InputError] = field(default_factory=list)


def find(paths: Iterable[Path]) -> Found:
    """Every video and picture at or under `paths`; folders are walked, hidden files and datasets left out.

    A file that is named itself is taken for a video whatever its suffix, unless the suffix is a picture's. What cannot
    be a source (a device, a link to nothing, a name that no table can hold) is among the errors.
    """
    found = Found()
    seen: set[Path] = set()
    for given in paths:
        path = given.absolute()
        if path.is_dir():
            _walk(path, found, seen)
        elif path not in seen:
            seen.add(path)
            _sort_in(path, path.parent, found, is_named=True)
    for pictures in found.pictures.values():
        pictures.sort()
    return found


def content_id(path: Path) -> str:
    """16 hex digits that name a file's content: BLAKE2b of its size, first and last MiB and 16 samples between.

    A renamed file keeps its id, a half-downloaded one has another; at most 3 MiB are read.
    """
    size = path.stat().st_size
    state = hashlib.blake2b(str(size).encode(), digest_size=8)
    with path.open("rb") as file:
        if size <= 2 * _EDGE_BYTES + _SAMPLES * _SAMPLE_BYTES:
            state.update(file.read(size))
            return state.hexdigest()
        state.update(file.read(_EDGE_BYTES))
        between = size - 2 * _EDGE_BYTES
        for i in range(_SAMPLES):
            file.seek(_EDGE_BYTES + (between - _SAMPLE_BYTES) * i // (_SAMPLES - 1))
            state.update(file.read(_SAMPLE_BYTES))
        file.seek(size - _EDGE_BYTES)
        state.update(file.read(_EDGE_BYTES))
    return state.hexdigest()


def batches(folder: Path, pictures: list[Path], before: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows for a folder's pictures: a batch that is unchanged stays as it is, the other pictures make new ones.

    Pictures that were seen `before` and are still there count as given.
    """
    seen = [folder / name for old in before for name in old["pictures"]]
    stats = {p.name: p.stat() for p in (*pictures, *seen) if p.exists()}

    def row(names: list[str]) -> dict[str, Any]:
        state = hashlib.blake2b(digest_size=8)
        for name in names:
            state.update(f"{name}\0{stats[name].st_size}\0{stats[name].st_mtime_ns}\n".encode())
        return {
            "video_id": state.hexdigest(),
            "path": str(folder),
            "bytes": sum(stats[n].st_size for n in names),
            "mtime_ns": max(stats[n].st_mtime_ns for n in names),
            "kind": "images",
            "pictures": names,
            "title": folder.name,
            "episode": None,
        }

    left = set(stats)
    for old in before:
        if left.issuperset(old["pictures"]) and (same := row(old["pictures"]))["video_id"] == old["video_id"]:
            left.difference_update(old["pictures"])
            yield same
    rest = iter(sorted(left))
    while names := list(itertools.islice(rest, PICTURES_A_BATCH)):
        yield row(names)


def _walk(root: Path, found: Found, seen: set[Path]) -> None:
    def refused(error: OSError) -> None:
        found.errors.append(_refusal(error.filename, str(error.strerror)))

    for folder, subfolders, names in os.walk(root, onerror=refused):
        if not _OUTPUT_MARKS.isdisjoint(names):
            subfolders.clear()
            continue
        if not _is_text(folder):
            found.errors.append(_refusal(folder, _NAME_REASON))
            subfolders.clear()
            continue
        subfolders[:] = sorted(s for s in subfolders if not s.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if not name.startswith(".") and path not in seen:
                seen.add(path)
                _sort_in(path, root, found, is_named=False)


def _sort_in(path: Path, root: Path, found: Found, *, is_named: bool) -> None:
    suffix = path.suffix.lower()
    is_picture = suffix in IMAGE_SUFFIXES
    if not (is_picture or is_named or suffix in VIDEO_SUFFIXES):
        found.ignored += 1
    elif reason := _reason_against(path):
        found.errors.append(_refusal(path, reason))
    elif is_picture:
        found.pictures.setdefault(path.parent, []).append(path)
    else:
        found.videos[path] = root


def _reason_against(path: Path) -> str | None:
    """Why this file can be no source; None where nothing speaks against it. It is not opened: a FIFO would wait."""
    if not _is_text(path):
        return _NAME_REASON
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "a link to nothing" if path.is_symlink() else "no such file or folder"
    except OSError as error:
        return error.strerror or str(error)
    return None if stat.S_ISREG(mode) else "not a regular file"


def _is_text(path: Path | str) -> bool:
    """Whether the name is whole Unicode, which is all that a table can hold."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _refusal(path: Path | str, reason: str) -> InputError:
    shown = os.fsencode(path).decode(errors="backslashreplace")
    return InputError(f"{shown}: {reason}")
