"""A picture through a network, brought to the size and look that were asked for."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from apisr_data.errors import ConfigError
from apisr_model.errors import ShapeError
from apisr_model.network import Network
from apisr_model.upscale.tiles import Progress, Tiler, scaled

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
"""(h, w, 3) RGB or (h, w) grey, 0..255 or 0..65535, in gamma space as stored."""

DType = np.dtype[np.uint8] | np.dtype[np.uint16]

_TOPS: dict[DType, int] = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}
_LOW_PASS_PX = 8.0
"""Standard deviation, input px: what is wider than a few drawn lines is colour, what is finer is detail."""


@dataclass(frozen=True)
class Finish:
    """What is done to the network's result; of `scale`, `height` and `size` one at most is given.

    Attributes:
        scale: output side over input side; None: the network's.
        height: output height, px; the width follows.
        size: output (width, height), px.
        strength: 1 is the network's result, 0 a plain bicubic resize, between them their mix.
        match_colour: the low frequencies are the input's, so that large areas keep their colour exactly.

    Raises:
        ConfigError: a value out of range, or more than one size.
    """

    scale: float | None = None
    height: int | None = None
    size: tuple[int, int] | None = None
    strength: float = 1.0
    match_colour: bool = False

    def __post_init__(self) -> None:
        if sum(value is not None for value in (self.scale, self.height, self.size)) > 1:
            raise ConfigError("the output's size is asked for twice: give only one of scale, height and size")
        if self.scale is not None and not 0 < self.scale < float("inf"):
            raise ConfigError(f"scale {self.scale} is not above 0")
        if (self.height is not None and self.height < 1) or (self.size is not None and min(self.size) < 1):
            raise ConfigError(f"an output of {self.height or self.size} px is not possible")
        if not 0 <= self.strength <= 1:
            raise ConfigError(f"strength {self.strength} is not within 0 and 1")


class Upscaler:
    """Upscales pictures with one network and one finish; what it learns about tile sizes holds for the next picture."""

    def __init__(self, network: Network, finish: Finish = Finish(), tile: int | None = None) -> None:
        """`tile`: largest side of a tile with its overlap, input px; None: as memory and speed allow."""
        self.network = network
        self.finish = finish
        self._tiler = Tiler(network, tile)

    def settle_tile(self, width: int, height: int) -> int:
        """Keep to the tile size that a picture of that size gets now; returns it, px, for another Upscaler to agree."""
        return self._tiler.settle(height, width)

    def size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of the output for an input of that size."""
        wanted = self.finish
        if wanted.size is not None:
            return wanted.size
        if wanted.height is not None:
            return max(1, round(width * wanted.height / height)), wanted.height
        scale = wanted.scale or self.network.scale
        return max(1, round(width * scale)), max(1, round(height * scale))

    def is_plain(self, width: int, height: int) -> bool:
        """Whether the network's own result is what was asked for, for an input of that size."""
        is_its_size = self.size(width, height) == (width * self.network.scale, height * self.network.scale)
        return is_its_size and self.finish.strength == 1 and not self.finish.match_colour

    def __call__(self, rgb: Pixels, progress: Progress | None = None) -> Pixels:
        """RGB (h, w, 3) or grey (h, w) of 8 or 16 bits -> the same at `size`; RGB without colour stays so exactly.

        Raises:
            ShapeError: another shape or type.
            ResourceError: memory ran out even for the smallest tile.
            WeightsError: the network's result is not finite.
        """
        if rgb.dtype not in _TOPS or rgb.ndim not in (2, 3) or rgb.shape[2:] not in ((), (3,)) or 0 in rgb.shape:
            raise ShapeError(f"pictures are uint8 or uint16 (h, w, 3) or (h, w), found {rgb.dtype} {rgb.shape}")
        is_grey = rgb.ndim == 2 or _has_no_colour(rgb)
        channels = rgb[..., None] if rgb.ndim == 2 else rgb[..., :1] if is_grey else rgb
        height, width = rgb.shape[:2]
        size = self.size(width, height)
        is_plain = self.is_plain(width, height)
        result = self._through_network(channels, rgb.dtype if is_plain else np.dtype(np.uint16), progress)
        if not is_plain:
            result = self._finish(channels, result, size)
        if rgb.ndim == 2:
            return result[..., 0]
        return _as_rgb(result) if is_grey else result

    def _through_network(self, channels: Pixels, dtype: DType, progress: Progress | None) -> Pixels:
        """(h, w, 1 or 3) -> the network's result in that type, tile by tile, so that it is never whole in floats."""
        height, width, count = channels.shape
        rgb = torch.from_numpy(np.ascontiguousarray(channels)).permute(2, 0, 1)[None].expand(1, 3, height, width)
        output: Pixels = np.empty((height * self.network.scale, width * self.network.scale, count), dtype)
        for tile, result in self._tiler.tiles(rgb, progress):
            values = result.mean(1, keepdim=True) if count == 1 else result
            output[scaled(tile.kept, self.network.scale)] = _quantised(values, dtype)[0]
        return output

    def _finish(self, channels: Pixels, result: Pixels, size: tuple[int, int]) -> Pixels:
        """The network's `result` at `size`, mixed with the plain resize and matched in colour, channel by channel."""
        output: Pixels = np.empty((size[1], size[0], channels.shape[2]), channels.dtype)
        for index in range(channels.shape[2]):
            source = self._plane(channels[..., index])
            plane = _resize(self._plane(result[..., index]), size)
            if self.finish.strength < 1:
                plane = torch.lerp(_resize(source, size), plane, self.finish.strength)
            if self.finish.match_colour:
                small = (min(size[0], source.shape[3]), min(size[1], source.shape[2]))
                change = _low_pass(_resize(source, small) - _resize(plane, small))
                plane = plane + _resize(change, size)
            output[..., index] = _quantised(plane, channels.dtype)[0, ..., 0]
        return output

    def _plane(self, channel: Pixels) -> Tensor:
        """(h, w) -> (1, 1, h, w) float32 in [0, 1], where the network runs."""
        device = "cpu" if self.network.device == "mps" else self.network.device  # MPS has no antialiased bicubic
        plane = torch.from_numpy(np.ascontiguousarray(channel)).to(device).float() / _TOPS[channel.dtype]
        return plane[None, None]


def _has_no_colour(rgb: Pixels) -> bool:
    first = rgb[..., 0]
    return np.array_equal(first, rgb[..., 1]) and np.array_equal(first, rgb[..., 2])


def _as_rgb(grey: Pixels) -> Pixels:
    repeated: NDArray[Any] = np.repeat(grey, 3, axis=2)
    return repeated


def _quantised(values: Tensor, dtype: DType) -> Pixels:
    """(b, c, h, w) in [0, 1] and a little beyond -> (b, h, w, c) of that type, rounded."""
    levels = values.clamp(0, 1).mul(_TOPS[dtype]).round_()
    levels = levels.to(torch.uint8 if dtype == np.uint8 else torch.int32).permute(0, 2, 3, 1)
    return np.asarray(levels.cpu(), np.uint8) if dtype == np.uint8 else np.asarray(levels.cpu(), np.uint16)


def _resize(plane: Tensor, size: tuple[int, int]) -> Tensor:
    """(1, 1, h, w) at `size` = (width, height) by bicubic interpolation, antialiased where it gets smaller."""
    if plane.shape[2:] == size[::-1]:
        return plane
    return functional.interpolate(plane, size[::-1], mode="bicubic", antialias=True)


def _low_pass(plane: Tensor) -> Tensor:
    """Gaussian blur of (1, 1, h, w), mirrored at the edges."""
    blurred = cv2.GaussianBlur(plane[0, 0].cpu().numpy(), (0, 0), _LOW_PASS_PX, borderType=cv2.BORDER_REFLECT)
    return torch.from_numpy(np.asarray(blurred, np.float32)).to(plane.device)[None, None]
