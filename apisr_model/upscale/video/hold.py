"""Whether a frame still shows the drawing that was computed last: anime holds each for two, three or many frames.

A codec rarely repeats a picture exactly, so equality finds little; a mean over the frame hides a moving mouth. Compared
is the largest mean absolute difference over any 8x8 px of luma, or of the chroma there, to the last frame that was
*computed*: small changes add up until they are seen, and cannot drift away. A change too small for that, which a fade
or a slow pan of the whole picture explains, is seen all the same: held, it would go in steps.
"""

from collections.abc import Iterable
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from apisr_data.colour import samples

BLOCK_PX = 8

# Levels of 8-bit samples. docs/experiments.md: with 4, no frame that was held wrongly differed by more than 4.6 levels
# of luma and 7.6 of chroma over any block of the clean drawings, on the sample clip at every codec and quality tried.
# Synthetic blinks of 6x6 px at CRF 28 were off by 7.9.
SMALLEST_THRESHOLD, LARGEST_THRESHOLD = 4.0, 8.0
# Of 100 blocks of a held drawing, the one that coding changed most; its worst block of thousands is twice as far off.
_NOISE_PERCENTILE = 99
_WORST_OVER_NOISE = 2.2
_FADE_LEVELS = 1.0  # the middle block changes by more only where the light does

# docs/experiments.md: of frames of the sample clip that repeat a drawing, at CRF 18 to 32, none comes near both.
_EXPLAINED_SHARE, _EXPLAINED_LEVELS = 0.5, 0.08

Planes = list[NDArray[Any]]


class Holds:
    """The decision for each frame in turn, from the frames alone: a run that starts again decides the same."""

    def __init__(self, threshold: float | None) -> None:
        """`threshold`: levels of 8-bit samples; None holds nothing."""
        self._threshold = threshold
        self._computed: _Coded | None = None

    def is_held(self, frame: av.VideoFrame) -> bool:
        """Whether the picture of the last frame that was not held serves this one too; 2.5 ms for 1080p."""
        if self._threshold is None:
            return False
        seen = _Coded(frame)
        before = self._computed
        is_held = (
            before is not None and seen.difference(before) <= self._threshold and not seen.fades_or_pans_from(before)
        )
        if not is_held:
            self._computed = seen
        return is_held


def largest_difference(one: av.VideoFrame, other: av.VideoFrame) -> float:
    """The largest mean absolute difference over any 8x8 px, in levels of 8-bit samples; infinite for unlike formats."""
    return _Coded(one).difference(_Coded(other))


def threshold_for(runs: Iterable[Iterable[av.VideoFrame]]) -> float:
    """The threshold that a video's coding noise asks for, from a few runs of consecutive frames, in levels.

    Coding noise is everywhere, a movement of a drawing somewhere: so the noise of two frames is what 99 of 100 blocks
    stay below. Cuts, pans and fades are no evidence. The median pair decides.
    """
    noises = []
    for run in runs:
        before = None
        for here in map(_Coded, run):
            if before is not None and here.is_like(before):
                noises.append(here.noise(before))
            before = here
    evidence = [noise for noise in noises if noise is not None and noise < LARGEST_THRESHOLD]
    asked = _WORST_OVER_NOISE * float(np.median(evidence)) if evidence else 0.0
    return round(min(max(asked, SMALLEST_THRESHOLD), LARGEST_THRESHOLD), 2)


class _Coded:
    """A copy of a frame's samples as coded; formats that interleave their channels go by planar 4:4:4 of 8 bits."""

    def __init__(self, frame: av.VideoFrame) -> None:
        components = frame.format.components
        depth = components[0].bits
        is_planar = len({c.plane for c in components}) == len(components) and not frame.format.has_palette
        if not is_planar or not 8 <= depth <= 16:
            frame, depth = frame.reformat(format="yuv444p"), 8
        self.format = (frame.format.name, frame.width, frame.height)
        self._levels = 1 << depth - 8  # of a sample, to one of 8 bits
        self._planes: Planes = []
        self._blocks_px: list[tuple[int, int]] = []
        self._means: NDArray[np.float32] | None = None
        for plane in samples(frame):
            self._planes.append(plane.astype(plane.dtype.newbyteorder("="), copy=True))
            height, width = plane.shape
            wide, high = BLOCK_PX * width // frame.width, BLOCK_PX * height // frame.height
            self._blocks_px.append((min(max(wide, 1), width), min(max(high, 1), height)))

    def is_like(self, other: "_Coded") -> bool:
        """Whether the two can be compared."""
        return self.format == other.format

    def difference(self, other: "_Coded") -> float:
        """Largest mean difference of any block, wherever it stands, in any plane."""
        if not self.is_like(other):
            return float("inf")
        return (
            max(
                float(cv2.boxFilter(cv2.absdiff(a, b), cv2.CV_32F, block_px, borderType=cv2.BORDER_CONSTANT).max())
                for a, b, block_px in zip(self._planes, other._planes, self._blocks_px, strict=True)
            )
            / self._levels
        )

    def fades_or_pans_from(self, other: "_Coded") -> bool:
        """Whether more light, more contrast and a shift of the whole picture explain what changed since `other`.

        By least squares over the blocks' means; coding noise and what moves within a drawing are explained by none.
        """
        before, change = other._block_means(), self._block_means() - other._block_means()
        if min(before.shape) < 2:
            return False
        down, across = np.gradient(before)
        causes = np.stack([np.ones_like(before), before - before.mean(), across, down]).reshape(4, -1)
        wanted = causes @ change.ravel()
        weights = np.linalg.lstsq(causes @ causes.T, wanted, rcond=None)[0]
        explained, whole = float(weights @ wanted), float((change**2).sum())
        return explained > max(_EXPLAINED_SHARE * whole, _EXPLAINED_LEVELS**2 * change.size)

    def _block_means(self) -> NDArray[np.float32]:
        """Of the first plane, levels of 8 bits."""
        if self._means is None:
            rows, columns = (max(side // BLOCK_PX, 1) for side in self._planes[0].shape)
            plane = self._planes[0].astype(np.float32)
            self._means = np.asarray(
                cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA) / self._levels, np.float32
            )
        return self._means

    def noise(self, other: "_Coded") -> float | None:
        """What 99 of 100 blocks of the first plane stay below; None where the whole picture gets brighter or darker."""
        change = self._planes[0].astype(np.float32) - other._planes[0]
        rows, columns = (max(side // BLOCK_PX, 1) for side in change.shape)
        signed, absolute = (
            cv2.resize(levels, (columns, rows), interpolation=cv2.INTER_AREA) for levels in (change, np.abs(change))
        )
        if abs(float(np.median(signed))) > _FADE_LEVELS * self._levels:
            return None
        return float(np.percentile(absolute, _NOISE_PERCENTILE)) / self._levels
