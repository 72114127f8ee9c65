"""Field-matched frames -> the film's frames: of every five, the one that repeats is dropped."""

import statistics
from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from itertools import takewhile
from typing import NamedTuple

import cv2
import numpy as np
from av.video.frame import VideoFrame

from apisr_data.images import Luma
from apisr_data.interlacing import comb_blocks
from apisr_model.upscale.video.stream import Timed

_CYCLE = 5
_FRAME_S = Fraction(1001, 30000)
# Frames further apart than this are no neighbours: the cycle ends there.
_GAP = 1.5
# A cycle that lasts longer holds soft telecine, whose frames are shown for two or three fields: none of them repeats.
_LONGEST_CYCLE = 1.12

_BLOCK_PX = 16
# The largest mean difference of a block to the frame before, in levels, below which a frame repeats it; a quarter of
# what is usual around it does as well, for coarse coding.
_REPEAT_LEVELS = 4.0
_REPEAT_SHARE = 0.25
# Blocks, of all, that were combed before the fields were matched.
_WOVEN_SHARE = 0.001


class _Matched(NamedTuple):
    frame: Timed
    difference: float
    """To the frame before, of the block that differs most, in levels."""
    is_woven: bool
    """Its fields came from two frames of the film."""


def drop_repeats(
    matched: Iterator[tuple[Timed, Timed]], luma: Callable[[VideoFrame], Luma], time_base: Fraction
) -> Iterator[Timed]:
    """The film's frames, from pairs of a frame before and after its fields were matched.

    Of five frames four remain, evenly spaced over the time of the five; where none of the five repeats (the video is no
    telecine there) all remain, as they were timed. A drawing that is held repeats as well, so the frame that was
    woven goes first, then one of the longest hold, then the one at the place of the last. Their pts are in units of
    `time_base / 4`.
    """
    unit = float(_FRAME_S / time_base)
    cycle: list[_Matched] = []
    before: Luma | None = None
    place = 0
    for woven, frame in matched:
        is_gap = bool(cycle) and frame.pts - cycle[-1].frame.pts > _GAP * unit
        if len(cycle) == _CYCLE or is_gap:
            place = yield from _spaced(cycle, cycle[-1].frame.pts + round(unit) if is_gap else frame.pts, unit, place)
            cycle = []
        here = luma(frame.picture)
        difference = float("inf") if before is None else _largest_difference(before, here)
        cycle.append(_Matched(frame, difference, _was_woven(luma(woven.picture), here)))
        before = here
    if cycle:
        yield from _spaced(cycle, cycle[-1].frame.pts + round(unit), unit, place)


def _spaced(cycle: list[_Matched], end: int, unit: float, place: int) -> Generator[Timed, None, int]:
    """The frames of a cycle that remain, with their new pts; returns the place of the one that does not."""
    is_steady = len(cycle) == _CYCLE and end - cycle[0].frame.pts <= _LONGEST_CYCLE * _CYCLE * unit
    repeat = _repeat(cycle, place) if is_steady else None
    if repeat is None:
        for matched in cycle:
            yield Timed(matched.frame.picture, 4 * matched.frame.pts, 4 * matched.frame.duration)
        return place
    start = cycle[0].frame.pts
    for number, matched in enumerate(cycle[:repeat] + cycle[repeat + 1 :]):
        yield Timed(matched.frame.picture, 4 * start + number * (end - start), end - start)
    return repeat


def _repeat(cycle: list[_Matched], place: int) -> int | None:
    """Which of five frames to drop; None where none repeats the one before."""
    differences = [matched.difference for matched in cycle]
    most = max(_REPEAT_LEVELS, _REPEAT_SHARE * statistics.median(differences))
    repeats = [difference <= most for difference in differences]
    if not any(repeats):
        return None

    def hold(number: int) -> int:
        """How many repeats in a row the frame is one of."""
        before = list(takewhile(bool, reversed(repeats[:number])))
        return len(before) + len(list(takewhile(bool, repeats[number:])))

    candidates = [number for number in range(len(cycle)) if repeats[number]]
    return max(candidates, key=lambda number: (cycle[number].is_woven, hold(number), number == place))


def _largest_difference(before: Luma, here: Luma) -> float:
    means = cv2.resize(
        cv2.absdiff(before, here).astype(np.float32),
        (max(1, here.shape[1] // _BLOCK_PX), max(1, here.shape[0] // _BLOCK_PX)),
        interpolation=cv2.INTER_AREA,
    )
    return float(means.max())


def _was_woven(woven: Luma, here: Luma) -> bool:
    """Whether matching the fields took combs away."""
    blocks = comb_blocks(woven)
    return int(blocks.sum()) - int(comb_blocks(here).sum()) > _WOVEN_SHARE * blocks.size
