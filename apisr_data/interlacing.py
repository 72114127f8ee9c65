"""Whether a video is progressive, interlaced or 3:2 telecined, measured on its fields; flags are often wrong.

A combed picture alternates between two moments from line to line: the difference of a line to its two neighbours has
one sign on the even lines and the other on the odd ones, over many lines in a row. Telecine combs at most two frames of
every five, always at the same two places; interlaced video combs wherever something moves.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from apisr_data.images import Luma

BLOCK_PX = 16

# A line n levels from both its neighbours scores n. Coding noise and dithering would need to keep their sign for
# _COMB_LINES lines and over three columns.
_COMB_LEVELS = 8
# A line one pixel high keeps the sign for 3 lines, two of them with one pixel between for 5, three for 7.
_COMB_LINES = 8
# Foliage and noise leave a pixel here and there: with 8 px a block, no frame of the sample clip has a combed
# block (1.6% of them with 1 px), while a telecined or interlaced pan keeps three quarters of its own, 8% to 10%.
_FEWEST_COMB_PX = 8
# Mean difference of a block to the frame before, in levels: held drawings stay below it after coding (12% of the frames
# of a TV clip move no 8x8 block by 2 levels, 62% none by 6).
_MOVING_LEVELS = 4.0
# Of the blocks that move, this share is combed in a combed frame: it leaves out a hatched texture that moves.
_COMBED_BLOCKS_SHARE = 0.03

# The verdict, on frames that move: telecine combs 2 of 5 drawn on ones, 1 of 3 on twos or threes; field-rate motion 1.
_FEWEST_MOVING, _FEWEST_COMBED = 4, 3
_COMBED_SHARE = 0.08
_TELECINE_MOST_COMBED = 0.7
_TELECINE_IN_CADENCE = 0.85

# Of all blocks of one picture: a disc of 80 px that crosses a 480-line frame combs 0.4% to 1% of them.
_COMBED_PICTURE_SHARE = 0.002
_WINDOWS, _WINDOW_S = 6, 2.5


@dataclass(frozen=True)
class Interlacing:
    """What was seen in one or more windows of consecutive frames; add two to judge them together."""

    frames: int = 0
    """Frames looked at."""
    moving: int = 0
    """Frames that differ from the one before, or whose fields differ: only these are evidence."""
    combed: int = 0
    """Moving frames whose two fields show different moments."""
    in_cadence: int = 0
    """Combed frames that stand at the two places of a 3:2 cadence, at the phase that fits each window best."""

    def __add__(self, other: "Interlacing") -> "Interlacing":
        return Interlacing(
            self.frames + other.frames,
            self.moving + other.moving,
            self.combed + other.combed,
            self.in_cadence + other.in_cadence,
        )

    @property
    def combed_share(self) -> float:
        """Combed frames among those that move, 0..1; 0 when nothing moves."""
        return self.combed / self.moving if self.moving else 0.0

    @property
    def kind(self) -> Literal["progressive", "interlaced", "telecine"] | None:
        """The verdict; None when too little moves or combs to tell."""
        if self.moving < _FEWEST_MOVING:
            return None
        if self.combed_share < _COMBED_SHARE:
            return "progressive"
        if self.combed < _FEWEST_COMBED:
            return None
        is_cadence = self.in_cadence >= _TELECINE_IN_CADENCE * self.combed
        return "telecine" if is_cadence and self.combed_share <= _TELECINE_MOST_COMBED else "interlaced"


def judge(lumas: Iterable[Luma]) -> Interlacing:
    """What one window of consecutive frames shows; their luma, uint8 (h, w), in display order.

    Held drawings are no evidence for anything. A comb lasts for one frame: what stays for two (hatching, blinds, a
    mesh) is drawn. So the first and the last frame only serve their neighbours. Three frames are held at a time.
    """
    combed: list[bool] = []
    moving = 0
    before = here = None
    for after in map(_Fields, lumas):
        if here is not None and here.luma.shape != after.luma.shape:
            before = here = None  # the video changes its size
        if before is not None and here is not None:
            moved = _block_means(cv2.absdiff(here.luma, before.luma)) > _MOVING_LEVELS
            fleeting = here.combs & ~before.combs & ~after.combs
            blocks = int((_combed_blocks(fleeting) & moved).sum())
            combed.append(blocks > _COMBED_BLOCKS_SHARE * int(moved.sum()))
            moving += bool(moved.any())
        before, here = here, after
    places = np.bincount(np.flatnonzero(combed) % 5, minlength=5)
    in_cadence = int((places + np.roll(places, -1)).max())
    return Interlacing(len(combed), moving, int(places.sum()), in_cadence)


def comb_blocks(luma: Luma) -> NDArray[np.bool_]:
    """Which blocks of 16x16 px are combed, from one picture: bool (h // 16, w // 16)."""
    return _combed_blocks(_combs(luma))


def _combs(luma: Luma) -> NDArray[np.uint8]:
    """Pixels in the middle of a comb: 1 where the even lines are the brighter, 2 where the odd ones, else 0: (h, w)."""
    # Eight times a line's difference to its neighbours, over three columns whose weights take out a checkerboard.
    kernel = np.array([[-1, -2, -1], [2, 4, 2], [-1, -2, -1]], np.float32)
    alternation: NDArray[Any] = cv2.filter2D(luma, cv2.CV_16S, kernel, borderType=cv2.BORDER_REFLECT_101)
    alternation[1::2] *= -1
    run = np.ones((_COMB_LINES, 1), np.uint8)
    combs = np.zeros(luma.shape, np.uint8)
    for sign, label in ((1, 1), (-1, 2)):
        is_beyond = (sign * alternation > 8 * _COMB_LEVELS).view(np.uint8)
        is_run = cv2.erode(is_beyond, run, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        combs[is_run > 0] = label
    return combs


def _combed_blocks(combs: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return _block_means((combs > 0).view(np.uint8)) >= _FEWEST_COMB_PX / BLOCK_PX**2


class _Fields:
    """A frame of a window and the combs on it."""

    def __init__(self, luma: Luma) -> None:
        self.luma = luma
        self.combs = _combs(luma)


def windows(duration_s: float | None) -> list[tuple[float, float]]:
    """(start_s, seconds) of the stretches to judge, spread evenly: six of 2.5 s, or the first 15 s of a short file."""
    if duration_s is None or duration_s <= _WINDOWS * _WINDOW_S * 2:
        return [(0.0, _WINDOWS * _WINDOW_S)]
    part_s = duration_s / _WINDOWS
    return [(part_s * (window + 0.5) - _WINDOW_S / 2, _WINDOW_S) for window in range(_WINDOWS)]


def is_suspect(field_order: str | None, combing: Sequence[float]) -> bool:
    """Whether a video is worth judging: its flags say interlaced, or 2% of its I-frames are combed.

    `field_order` is progressive, tff, bff or None; `combing` holds the share of combed blocks of each I-frame.
    """
    combed = sum(share > _COMBED_PICTURE_SHARE for share in combing)
    return field_order in ("tff", "bff") or combed > 0.02 * len(combing)


def _block_means(plane: NDArray[Any]) -> NDArray[np.float32]:
    """Means of the whole blocks of 16x16 px, (h // 16, w // 16)."""
    rows, columns = (side // BLOCK_PX for side in plane.shape)
    if not rows or not columns:
        return np.zeros((rows, columns), np.float32)
    whole = plane[: rows * BLOCK_PX, : columns * BLOCK_PX]
    means = cv2.resize(whole.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    return cast(NDArray[np.float32], means)
