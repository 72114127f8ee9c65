"""A frame of training: where it is cut from a picture, what happens to it, and the pairs that come of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from apisr_data.errors import ConfigError
from apisr_data.images import Rgb
from apisr_model.data.manifest import Row
from apisr_model.data.pictures import Pictures
from apisr_model.degradations import from_levels
from apisr_model.degrade import Degradation, Drawn
from apisr_model.targets import TargetConfig

_ORDER, _SAMPLE = 1, 2
"""What a generator is for; stands before the seed, so that no two purposes draw the same numbers."""

_RAW = TargetConfig(kind="raw")

Turn = tuple[bool, bool, bool]
"""One of the eight ways to lay a square: rows reversed, columns reversed, then transposed."""


@dataclass(frozen=True)
class Window:
    """The part of a picture that holds the crops of one frame, before it is degraded."""

    number: int
    """Of the frame."""
    name: str
    """The manifest's, of the picture."""
    zoom: float
    """What the picture was enlarged by before all else; 1 leaves it as it is."""
    top: int
    left: int
    """Where it begins in the enlarged picture, px."""
    high_res: Rgb
    """The raw picture there, uint8 (h, w, 3): what is degraded. Sides are multiples of the scale."""
    target: Rgb
    """What is learned there; the same array as `high_res` where it is the raw picture."""
    gamma: float | None
    """What was drawn to make the target."""
    drawn: Drawn | None
    """What happens to `high_res`; None for a real pair."""
    low_res: Rgb | None
    """The real low resolution there, uint8 (h / scale, w / scale, 3); None where it is to be made."""
    crop_px: int
    corners: tuple[tuple[int, int], ...]
    """Of each crop, top and left in the window: multiples of the scale."""
    turns: tuple[Turn, ...]
    """Of each crop."""


@dataclass(frozen=True)
class Pair:
    """One crop: `low_res` float32 in 0..1 (3, h / scale, w / scale), `high_res` and `target` uint8 (3, h, w); RGB.

    `high_res` is the raw picture, `target` what is learned: the same tensor where that is the raw picture. Bytes take a
    quarter of the memory while pairs wait for their batch.
    """

    low_res: Tensor
    high_res: Tensor
    target: Tensor
    name: str

    def __reduce__(self) -> tuple[Any, ...]:
        """Between processes as plain bytes: a tensor would take shared memory, scarce in containers, and a file."""
        target = None if self.target is self.high_res else self.target.numpy()
        return _pair, (self.low_res.numpy(), self.high_res.numpy(), target, self.name)


class Pairs(Dataset[tuple[Pair, ...]]):
    """Frames without end, each degraded once and cut into `crops` pairs.

    Frame `number` is a pure function of the rows, the settings, the seed and `number`. So it is the same whoever asks
    for it and when: any number of workers, a run that was resumed. Every picture comes once before any comes again, in
    an order drawn anew for each round. What is degraded is the part of the picture that holds the crops, with
    `context_px` around them as far as the picture goes; all of its crops share one draw.

    Targets are made of whole pictures, once a picture, and kept in the folder `cache` where one is given. With
    `window_px` all windows have that side, or the picture's where that is shorter: the first crop lies anywhere in the
    picture, the others in its window. A row with a real low resolution is not degraded, and its crops lie on whole
    pixels of it.

    Half of the frames are cut from their picture enlarged by a factor drawn evenly from 1 to `zoom`, and are soft: a
    network that sees only sharp ones sharpens whatever it is given. Real pairs are not, and at 1 none is.

    Raises:
        ConfigError: `crop_px` or `window_px` is no multiple of the scale, or the window is smaller than the crop.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        degradation: Degradation,
        *,
        crop_px: int,
        seed: int,
        target: TargetConfig = _RAW,
        cache: Path | None = None,
        augment: bool = True,
        crops: int = 1,
        context_px: int = 0,
        window_px: int | None = None,
        zoom: float = 1.0,
    ) -> None:
        scale = degradation.scale
        if crop_px % scale:
            raise ConfigError(f"crop_px = {crop_px}: wants a multiple of the scale, {scale}")
        if window_px is not None and (window_px % scale or window_px < crop_px):
            raise ConfigError(f"window_px = {window_px}: wants a multiple of the scale, {scale}, from {crop_px} up")
        self.crops = crops
        self.target = target
        self._rows = tuple(rows)
        self._degradation = degradation
        self._crop_px = crop_px
        self._seed = seed
        self._augment = augment
        self._context_px = context_px
        self._window_px = window_px
        self._zoom = zoom
        self._pictures = Pictures(self._rows, target, scale, seed, cache)

    def __getitem__(self, number: int) -> tuple[Pair, ...]:
        """The pairs of frame `number`, 0, 1, ..., degraded here.

        Raises:
            ImageError: the picture is missing or damaged; the message names its row.
            ShapeError: a real pair's sides do not fit the scale.
            DegradationError: a codec failed; the message names its parameters.
        """
        window = self.window(number)
        if window.drawn is None:
            return cut(window)
        return cut(window, _tensor(self._degradation.apply(from_levels(window.high_res), window.drawn)))

    def window(self, number: int) -> Window:
        """What frame `number` is made of, before it is degraded.

        Raises:
            ImageError, ShapeError: as `__getitem__`.
        """
        row = self._row(number)
        picture = self._pictures[row]
        rng = np.random.default_rng([_SAMPLE, self._seed, number])
        scale, is_real = self._degradation.scale, picture.low_res is not None
        zoom = 1.0 if is_real or self._zoom == 1 or rng.random() < 0.5 else float(rng.uniform(1, self._zoom))
        spans, places = [], []
        for extent in picture.high_res.shape[:2]:
            start, stop, corners = self._along(extent, zoom, is_real, rng)
            spans.append(slice(start, stop))
            places.append(corners)
        high_res = _part(picture.high_res, spans, zoom, self._crop_px)
        is_raw = picture.target is picture.high_res
        low_res = None
        if picture.low_res is not None:
            low_spans = [slice(span.start // scale, span.stop // scale) for span in spans]
            low_res = _at_least(picture.low_res, self._crop_px // scale)[*low_spans]
        return Window(
            number=number,
            name=self._rows[row].name,
            zoom=zoom,
            top=spans[0].start,
            left=spans[1].start,
            high_res=high_res,
            target=high_res if is_raw else _part(picture.target, spans, zoom, self._crop_px),
            gamma=picture.gamma,
            drawn=None if is_real else self._degradation.draw(rng),
            low_res=low_res,
            crop_px=self._crop_px,
            corners=tuple(zip(*places, strict=True)),
            turns=tuple(self._turn(rng) for _ in range(self.crops)),
        )

    def _row(self, number: int) -> int:
        round_, place = divmod(number, len(self._rows))
        return int(_order(self._seed, round_, len(self._rows))[place])

    def _along(self, plain: int, zoom: float, is_real: bool, rng: np.random.Generator) -> tuple[int, int, list[int]]:
        """Along one side of a picture of `plain` px: where the window begins and ends, and where in it the crops do.

        The crops begin at multiples of the scale from the window's start; where that lies is free, but for real pairs.
        A window is no longer than the side before it was enlarged: so pictures of one size have windows of one size.
        """
        side, scale, crops, context = self._crop_px, self._degradation.scale, self.crops, self._context_px
        extent = int(plain * zoom)
        window = max(min(self._window_px or side, plain // scale * scale), side)
        phase = 0 if is_real else int(rng.integers(min(scale, max(extent - window, 0) + 1)))
        inside = max(extent, side)  # a smaller picture is reflected to the crop's side, and the crop shows all of it
        last = (inside - side - phase) // scale  # the last place of a crop, counted like all of them in low-res px
        if self._window_px is None:
            places = rng.integers(last + 1, size=crops)
            start = max(int(places.min()) - context // scale, 0)
            stop = min(int(places.max()) + (side + context) // scale, (inside - phase) // scale)
        else:
            room = (window - side) // scale
            first = int(rng.integers(last + 1))
            start = max(min(first - room // 2, (max(extent, window) - window - phase) // scale), 0)
            stop = start + window // scale
            others = rng.integers(start, min(start + room, last) + 1, size=crops - 1)
            places = np.array([first, *others])
        return phase + scale * start, phase + scale * stop, (scale * (places - start)).tolist()

    def _turn(self, rng: np.random.Generator) -> Turn:
        """None for half of the crops, as in the paper; of the others each of the eight alike."""
        is_turned, *ways = rng.integers(2, size=4).astype(bool).tolist()
        rows, columns, transpose = ways if is_turned and self._augment else (False,) * 3
        return rows, columns, transpose


def cut(window: Window, low_res: Tensor | None = None) -> tuple[Pair, ...]:
    """The pairs of a window: `low_res` is what became of it, (3, h / scale, w / scale) in 0..1, on any device.

    For a real pair leave it out: the window holds its own.
    """
    if window.low_res is not None:
        low_res = _tensor(from_levels(window.low_res))
    elif low_res is None:
        raise TypeError("the window of a picture without a real low resolution wants the one that was made of it")
    high_res = _tensor(window.high_res)
    target = high_res if window.target is window.high_res else _tensor(window.target)
    side = window.crop_px
    scale = high_res.shape[1] // low_res.shape[1]
    pairs = []
    for (top, left), turn in zip(window.corners, window.turns, strict=True):
        low = _crop(low_res, top // scale, left // scale, side // scale, turn)
        high = _crop(high_res, top, left, side, turn)
        pairs.append(Pair(low, high, high if target is high_res else _crop(target, top, left, side, turn), window.name))
    return tuple(pairs)


def _crop(image: Tensor, top: int, left: int, side: int, turn: Turn) -> Tensor:
    """A square of (3, h, w), turned, in memory of its own."""
    rows, columns, transpose = turn
    square = image[:, top : top + side, left : left + side]
    square = square.flip([axis for axis, is_flipped in ((1, rows), (2, columns)) if is_flipped])
    return (square.transpose(1, 2) if transpose else square).contiguous()


def _pair(low_res: NDArray[np.float32], high_res: Rgb, target: Rgb | None, name: str) -> Pair:
    high = torch.from_numpy(high_res)
    return Pair(torch.from_numpy(low_res), high, high if target is None else torch.from_numpy(target), name)


@lru_cache(maxsize=2)
def _order(seed: int, round_: int, rows: int) -> NDArray[np.int64]:
    return np.random.default_rng([_ORDER, seed, round_]).permutation(rows)


def _part(rgb: Rgb, spans: Sequence[slice], zoom: float, least_px: int) -> Rgb:
    """Rows and columns `spans` of the picture enlarged by `zoom`; reflected to `least_px` where it is smaller."""
    if zoom == 1:
        return _at_least(rgb, least_px)[*spans]
    height, width = (span.stop - span.start for span in spans)
    top, left = ((span.start + 0.5) / zoom - 0.5 for span in spans)  # where the first pixel's centre was
    backwards = np.array([[1 / zoom, 0, left], [0, 1 / zoom, top]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    enlarged = cv2.warpAffine(rgb, backwards, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT)
    return enlarged.astype(np.uint8, copy=False)


def _at_least(rgb: Rgb, side: int) -> Rgb:
    """A picture with both sides of at least `side` px: reflected beyond where it is smaller.

    The edge is repeated, so that what is beyond it in a low resolution stays beside the same in the high one.
    """
    below, right = (max(side - extent, 0) for extent in rgb.shape[:2])
    if not below and not right:
        return rgb
    return cv2.copyMakeBorder(rgb, 0, below, 0, right, cv2.BORDER_REFLECT).astype(np.uint8, copy=False)


def _tensor(image: NDArray[Any]) -> Tensor:
    """(h, w, 3) as (3, h, w)."""
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
