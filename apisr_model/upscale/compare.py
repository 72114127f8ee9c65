"""Before and after as one picture: the same few places, enlarged, side by side."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from apisr_data.images import Rgb, resize, to_eight_bits
from apisr_model.errors import ShapeError
from apisr_model.sheet import beside, grid, magnify

SHOWN_PX = 400
"""Side of a place as shown."""

_ZOOM = 4
"""How many times a place of the input is enlarged."""


def compare(before: NDArray[Any], afters: Mapping[str, NDArray[Any]], *, places: int = 3) -> Rgb:
    """A row a place: the input's pixels, its Lanczos enlargement to the first result's size, and each result.

    Pictures are uint8 or uint16, RGB (h, w, 3) or grey (h, w); `afters` maps a column's label to a picture of any size
    that shows the same. The places are the most detailed of the input, as luma's gradients tell. Enlargement to what is
    shown repeats pixels, so that nothing is smoothed that a file does not hold.

    Raises:
        ShapeError: a picture of another shape or type, or no result.
    """
    if not afters:
        raise ShapeError("nothing to compare with: no result")
    source = _rgb8(before)
    results = {label: _rgb8(after) for label, after in afters.items()}
    height, width = next(iter(results.values())).shape[:2]
    columns = {"input": source, "plain resize (Lanczos)": resize(source, (width, height), "lanczos"), **results}
    side = min(SHOWN_PX // _ZOOM, *source.shape[:2])
    windows = detailed(source, side, places)
    stacks = [
        (label, beside([_shown(picture, window, side, source.shape[:2]) for window in windows], axis=0))
        for label, picture in columns.items()
    ]
    return grid(stacks, len(stacks))


def detailed(rgb: Rgb, side: int, places: int) -> list[tuple[int, int]]:
    """Top and left of the `places` squares with the most gradient that overlap least by half; the best first."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    strength = cv2.boxFilter(np.sqrt(across**2 + down**2), -1, (side, side), anchor=(0, 0))
    left_out = np.array(strength[: rgb.shape[0] - side + 1, : rgb.shape[1] - side + 1], np.float32)
    found: list[tuple[int, int]] = []
    for _ in range(places):
        top, left = (int(place) for place in np.unravel_index(int(left_out.argmax()), left_out.shape))
        if found and left_out[top, left] < 0:
            break
        found.append((top, left))
        left_out[max(top - side, 0) : top + side, max(left - side, 0) : left + side] = -1
    return found


def cut(picture: Rgb, window: tuple[int, int], side: int, source: tuple[int, ...]) -> Rgb:
    """The part of `picture` that shows the square at top and left `window` of a `source` = (height, width) px."""
    scales = [picture.shape[axis] / source[axis] for axis in (0, 1)]
    top, left = (round(window[axis] * scales[axis]) for axis in (0, 1))
    rows, columns = (max(1, round(side * scale)) for scale in scales)
    return picture[top : top + rows, left : left + columns]


def _rgb8(picture: NDArray[Any]) -> Rgb:
    if picture.dtype not in (np.uint8, np.uint16) or picture.ndim not in (2, 3) or 0 in picture.shape:
        raise ShapeError(f"compare wants uint8 or uint16, RGB or grey, found {picture.dtype} {picture.shape}")
    levels = to_eight_bits(picture)
    return np.ascontiguousarray(levels if levels.ndim == 3 else np.repeat(levels[..., None], 3, axis=2))


def _shown(picture: Rgb, window: tuple[int, int], side: int, source: tuple[int, ...]) -> Rgb:
    """The part of `picture` as `cut` gives it, enlarged."""
    return magnify(cut(picture, window, side, source), (SHOWN_PX, SHOWN_PX))
