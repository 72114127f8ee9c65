"""Borders: bars at the edges of a picture (letterbox, pillarbox, both), in px that can be cut."""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from apisr_data.images import Luma, Picture
from apisr_data.tables import Column

# Bars keep within this of their level after coding, but for a few pixels that ring beside the picture.
_TOLERANCE_LEVELS = 16
_RINGING_SHARE = 0.005
# Up to this level a bar is black, and may stand on one side alone; a bar of another colour has its like opposite.
_BLACK_LEVEL = 24
# The line where the picture begins is a straight edge from corner to corner; the top of a title on black fills less of
# its line and ends before the corners.
_FILLED_SHARE = 0.4
_CORNERS = 20  # a corner is this part of the line
# Coding and scaling blur the edge over this many lines.
_BLURRED_LINES = 8
# A phone's portrait video in a 16:9 frame has the widest bars: 34% on each side.
_LARGEST_SHARE = 0.36


class Borders(NamedTuple):
    """What can be cut from the four sides of a picture, px."""

    left: int
    top: int
    right: int
    bottom: int


class Scorer:
    """The four borders of each picture."""

    name: ClassVar[str] = "borders"
    version: ClassVar[int] = 1
    columns: ClassVar[tuple[Column, ...]] = tuple(
        Column(f"border_{side}", pa.float64(), f"bar at the {side} of the coded picture that can be cut, px")
        for side in Borders._fields
    )

    def score(self, pictures: Sequence[Picture]) -> dict[str, NDArray[np.float64]]:
        """The borders, one column a side."""
        borders = np.array([find_borders(picture.luma()) for picture in pictures], dtype=np.float64).reshape(-1, 4)
        return {column.name: borders[:, side] for side, column in enumerate(self.columns)}


def find_borders(luma: Luma) -> Borders:
    """The bars of `luma` (h, w): black on any side, or of one colour on opposite sides; 0 where there is none.

    Each is even, so that 4:2:0 chroma can follow, and takes along the blurred line beside it. A uniform picture, or
    one whose content does not reach a straight edge (a title on black, a dark scene), has none.
    """
    height, width = luma.shape
    # With bars all round, the edges of the picture end where the other two bars begin.
    top, bottom = _find_bars(luma, None)
    left, right = _find_bars(luma.T, None)
    (left, right), (top, bottom) = (
        _find_bars(luma.T, slice(top, height - bottom)),
        _find_bars(luma, slice(left, width - right)),
    )
    return Borders(left, top, right, bottom)


def _find_bars(lines: Luma, extent: slice | None) -> tuple[int, int]:
    """Lines that the bars take at the start and at the end; the picture reaches both ends of `extent` beside them."""
    start, start_level = _find_bar(lines, extent)
    end, end_level = _find_bar(lines[::-1], extent)
    is_pair = abs(start - end) <= 4 and abs(start_level - end_level) <= _TOLERANCE_LEVELS
    return (
        start if is_pair or start_level <= _BLACK_LEVEL else 0,
        end if is_pair or end_level <= _BLACK_LEVEL else 0,
    )


def _find_bar(lines: Luma, extent: slice | None) -> tuple[int, float]:
    """Lines of the bar at the start of `lines`, with the blurred one beside it, and its level."""
    level = float(np.median(lines[0]))
    if _differs(lines[0], level).mean() > _RINGING_SHARE:
        return 0, level
    is_content = _differs(lines[: 1 + int(len(lines) * _LARGEST_SHARE)], level)
    shares = is_content.mean(axis=1)
    is_filled = shares >= _FILLED_SHARE
    filled, unclean = int(is_filled.argmax()), int((shares > _RINGING_SHARE).argmax())
    if not is_filled.any() or filled - unclean > _BLURRED_LINES:
        return 0, level
    if extent:
        beyond: NDArray[np.bool_] = np.any(is_content[filled : filled + _BLURRED_LINES, extent], axis=0)
        corner = 1 + beyond.size // _CORNERS
        if not (beyond[:corner].any() and beyond[-corner:].any()):
            return 0, level
    return (filled + 2) // 2 * 2, level


def _differs(lines: Luma, level: float) -> NDArray[np.bool_]:
    """Which pixels are not of the bar's level."""
    differs: NDArray[np.bool_] = np.abs(lines.astype(np.int16) - round(level)) > _TOLERANCE_LEVELS
    return differs
