"""Which public-domain drawings of openclipart are drawn as a cel is: with outlines, colours and detail."""

import hashlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import resvg_py
from numpy.typing import NDArray

Rgba = NDArray[np.uint8]
"""(h, w, 4), alpha not multiplied in."""

KINDS = {
    "people": 3.0,
    "animals": 3.0,
    "recreation/toys": 2.0,
    "recreation/sports": 1.0,
    "recreation/holiday": 1.0,
    "recreation/party": 1.0,
    "recreation/music": 1.0,
    "recreation/religion": 1.0,
    "plants": 1.0,
    "food": 0.5,
    "buildings": 1.0,
    "transportation/vehicles": 1.0,
    "transportation/boating": 1.0,
    "tools/weapons": 0.5,
    "special/examples": 1.0,
    "unsorted": 0.5,
    "geography/astronomy": 0.5,
    "education": 0.5,
}
"""Folders that are taken, and how often a drawing of each is chosen."""
_NEVER = (
    *("smilies", "stickmen", "symbol", "sign", "icon", "logo", "flag", "map", "silhouette", "text", "card", "button"),
    *("barcode", "bodypart", "clothing", "nude", "naked", "diagram", "sail_"),
)
"""A drawing whose path says one of these is left out."""
_LOOKED_PX = 256
_MOST_BYTES = 1_500_000
_COLOURS_FROM = 6
_LINES = (0.035, 0.45)
_COVERS = (0.12, 0.97)


@dataclass(frozen=True)
class Drawing:
    """A drawing, and whether it is one for us: `reason` says why not, and is empty where it is."""

    path: Path
    kind: str
    is_held_out: bool
    reason: str = ""
    aspect: float = 1.0
    """Width over height."""


def survey(folder: Path, *, held_out: float, workers: int) -> list[Drawing]:
    """Every drawing of the folders in `KINDS`, each judged by its name and by a small rendering."""
    found = [(path, kind) for kind in KINDS for path in sorted((folder / kind).rglob("*.svg"))]
    jobs = [(path, kind, _share(path.relative_to(folder).as_posix()) < held_out) for path, kind in found]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(_judge, jobs, chunksize=16))


def render(path: Path, *, height: int) -> Rgba:
    """The drawing at that height, cut to what is painted.

    Raises:
        ValueError: it is no drawing that can be rendered, or nothing is painted.
    """
    data = resvg_py.svg_to_bytes(svg_path=str(path), height=height, dpi=96, skip_system_fonts=True)
    image = cv2.imdecode(np.frombuffer(bytes(data), np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] != 4:
        raise ValueError(f"{path}: rendered to nothing that has colours and alpha")
    rows, columns = np.flatnonzero(image[..., 3].max(1)), np.flatnonzero(image[..., 3].max(0))
    if not len(rows):
        raise ValueError(f"{path}: nothing is painted")
    cut = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.asarray(cv2.cvtColor(cut, cv2.COLOR_BGRA2RGBA), np.uint8)


def _share(name: str) -> float:
    """A number in 0..1 that depends on the drawing's name alone: who is held out stays so, whatever else is there."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32


def _judge(job: tuple[Path, str, bool]) -> Drawing:
    path, kind, is_held_out = job

    def judged(reason: str = "", aspect: float = 1.0) -> Drawing:
        return Drawing(path, kind, is_held_out, reason, aspect)

    if word := next((word for word in _NEVER if word in path.as_posix().casefold()), None):
        return judged(f"its name says {word}")
    if path.stat().st_size > _MOST_BYTES:
        return judged("too large a file")
    try:
        image = render(path, height=_LOOKED_PX)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - the renderer's panics are no Exception
        return judged(f"cannot be rendered: {str(error)[:80]}")
    aspect = image.shape[1] / image.shape[0]
    if not 0.25 < aspect < 4:
        return judged("too narrow", aspect)
    return judged(_looks(image), aspect)


def _looks(image: Rgba) -> str:
    """Why a rendering is no cel; empty where it may be."""
    painted = image[..., 3] > 128
    if not _COVERS[0] < painted.mean() < _COVERS[1]:
        return f"paints {painted.mean():.0%} of its frame"
    codes = (image[..., :3] >> 5).astype(np.int64)[painted] @ np.array([64, 8, 1])
    counts = np.bincount(codes, minlength=512)
    if (counts > 0.004 * len(codes)).sum() < _COLOURS_FROM:
        return "too few colours: a silhouette, or line-art alone"
    grey: NDArray[Any] = cv2.cvtColor(image[..., :3].copy(), cv2.COLOR_RGB2GRAY)
    steep = (cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3))) > 48) & painted
    lines = steep.sum() / painted.sum()
    if not _LINES[0] < lines < _LINES[1]:
        return f"{lines:.0%} of it are edges"
    dark = ((grey < 70) & painted).sum() / painted.sum()
    return "hardly anything dark: no outlines" if dark < 0.01 else ""
