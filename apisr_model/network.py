"""A network ready for use: weights, device and precision, whatever runs it."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from apisr_model.errors import ShapeError

ChannelOrder = Literal["rgb", "bgr"]


@dataclass(frozen=True)
class Network:
    """An upscaling network in eval mode; call it on RGB pictures.

    Attributes:
        module: (b, 3, h, w) in [0, 1], in `channel_order`, on `device` -> (b, 3, scale * h, scale * w).
        architecture: its name, such as grl; what spandrel or ONNX call it for theirs.
        config: the architecture's configuration as plain values.
        scale: output side over input side.
        device: where it runs.
        dtype: the precision of its arithmetic; below float32 by autocast.
        multiple_of: what tile origins must be multiples of, input px; `__call__` pads any size to it.
        smallest_px: the smallest side that the module takes, input px; `__call__` pads smaller ones.
        overlap_px: input px around a tile after which the result no longer depends on what lies beyond.
        channel_order: what the module is fed: what it was trained on, or what its authors feed it.
        trained_order: what it was trained on; None where nothing tells.
        origin: the weights' file or zoo name, for reports.
    """

    module: Callable[[Tensor], Tensor]
    architecture: str
    scale: int
    config: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    multiple_of: int = 1
    smallest_px: int = 1
    overlap_px: int = 16
    channel_order: ChannelOrder = "rgb"
    trained_order: ChannelOrder | None = None
    origin: str = ""

    @torch.inference_mode()
    def __call__(self, rgb: Tensor) -> Tensor:
        """RGB (b, 3, h, w) float32 in [0, 1] of any size, on any device -> (b, 3, scale * h, scale * w) on `device`.

        Sides are padded to the network's grid by reflection and the result is cut back; it is float32, not clamped.

        Raises:
            ShapeError: not (b, 3, h, w) with h, w >= 1.
        """
        if rgb.ndim != 4 or rgb.shape[1] != 3 or 0 in rgb.shape:
            raise ShapeError(f"{self.architecture} wants RGB of shape (b, 3, h, w), found {tuple(rgb.shape)}")
        height, width = rgb.shape[2:]
        x = _pad(rgb.to(self.device, torch.float32), *(self._padded(side) - side for side in (height, width)))
        is_reduced = self.dtype != torch.float32
        with torch.autocast(torch.device(self.device).type, self.dtype) if is_reduced else nullcontext():
            y = run_rgb(self.module, x, self.channel_order)
        return y.float()[..., : height * self.scale, : width * self.scale]

    def _padded(self, side: int) -> int:
        return -(-max(side, self.smallest_px) // self.multiple_of) * self.multiple_of


def run_rgb(module: Callable[[Tensor], Tensor], rgb: Tensor, order: ChannelOrder) -> Tensor:
    """RGB (b, 3, h, w) -> RGB, by a module that works in `order`."""
    return module(rgb.flip(1)).flip(1) if order == "bgr" else module(rgb)


def _pad(x: Tensor, below: int, right: int) -> Tensor:
    """Reflect at the lower and right edge; a side too short for that is repeated."""
    while below or right:
        down, across = min(below, x.shape[2] - 1), min(right, x.shape[3] - 1)
        if down or across:
            x = functional.pad(x, (0, across, 0, down), mode="reflect")
        else:  # a side of one pixel has nothing to reflect
            down, across = (below if x.shape[2] == 1 else 0), (right if x.shape[3] == 1 else 0)
            x = functional.pad(x, (0, across, 0, down), mode="replicate")
        below, right = below - down, right - across
    return x
