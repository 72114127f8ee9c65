"""How GRL's pixels lie in memory: window by window, so that only shifted windows ever need to be moved.

A window is 8x8 pixels, kept as four quadrants of 4x4; a window that is shifted by half its side is then four quadrants
of four neighbouring windows, whole. Anchors lie likewise, 4x4 a window, 2x2 a quadrant.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from apisr_model.architectures import _grl_cpu

SIDE_PX = 8
"""Of a window and of a stripe."""
PIXELS = SIDE_PX**2
ANCHORS = PIXELS // 4
QUADRANT = PIXELS // 4

_FORBIDDEN = -100.0  # what the authors add to a similarity across the picture's border


@dataclass(frozen=True)
class Grid:
    """So many windows: of a batch, down, across."""

    batch: int
    rows: int
    columns: int

    def split(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> (windows, 64, c); without a copy of its own if `x` lies channels last."""
        channels = x.shape[1]
        x = x.permute(0, 2, 3, 1).reshape(self.batch, self.rows, 2, 4, self.columns, 2, 4, channels)
        return x.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(-1, PIXELS, channels)

    def join(self, x: Tensor) -> Tensor:
        """(windows, 64, c) -> (b, c, h, w), channels last."""
        channels = x.shape[2]
        x = x.reshape(self.batch, self.rows, self.columns, 2, 2, 4, 4, channels).permute(0, 1, 3, 5, 2, 4, 6, 7)
        return x.reshape(self.batch, self.rows * SIDE_PX, self.columns * SIDE_PX, channels).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Shift:
    """Windows moved by half a side down and right, around the picture's border.

    They come in four kinds, one after the other: those within, those across the right border, the lower, and both.
    """

    order: Tensor
    """(4 * windows,): which quadrant comes where."""
    inverse: Tensor
    counts: tuple[int, ...]
    """Windows of each kind."""

    def move(self, x: Tensor) -> Tensor:
        """(windows, 64, c) -> (windows, 64, c), shifted."""
        return _gather(x, self.order)

    def move_back(self, x: Tensor) -> Tensor:
        """(windows, 64, c), shifted -> (windows, 64, c)."""
        return _gather(x, self.inverse)


def shift(grid: Grid, device: torch.device) -> Shift:
    """The shift of that grid on that device; remembered where no graph is traced."""
    if _grl_cpu.is_traced():
        return _shift(grid, device)
    return _remembered_shift(grid, device)


def positions(quadrant_side: int) -> Tensor:
    """(n, 2): row and column of the entries of a window whose quadrants have that side, in their order in memory."""
    row, column = torch.meshgrid(torch.arange(quadrant_side), torch.arange(quadrant_side), indexing="ij")
    within = torch.stack([row, column], -1).view(1, -1, 2)
    quadrants = quadrant_side * torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]).view(4, 1, 2)
    return (quadrants + within).view(-1, 2)


def border_masks() -> Tensor:
    """(4, 64, 64): what is added to the similarities of each kind of shifted window."""
    half = positions(SIDE_PX // 2) // (SIDE_PX // 2)
    is_apart = half[:, None] != half[None]  # (64, 64, 2): beyond the lower border, beyond the right one
    below, beside = is_apart.unbind(-1)
    return _FORBIDDEN * torch.stack([torch.zeros_like(below), beside, below, beside | below]).float()


def pool(x: Tensor) -> Tensor:
    """Mean of 2x2 pixels: (windows, 64, c) -> (windows, 16, c)."""
    x = x.view(-1, 4, 2, 2, 2, 2, x.shape[2])  # (windows, quadrant, row, below, column, beside, c)
    x = x[:, :, :, 0] + x[:, :, :, 1]  # two sums take a tenth of the time of mean() on a CPU
    return ((x[..., 0, :] + x[..., 1, :]) / 4).flatten(1, 3)


def _gather(x: Tensor, order: Tensor) -> Tensor:
    return x.reshape(-1, QUADRANT * x.shape[2]).index_select(0, order).view(x.shape)


def _shift(grid: Grid, device: torch.device) -> Shift:
    batch, rows, columns = grid.batch, grid.rows, grid.columns
    quadrants = torch.arange(batch * rows * columns * 4, device=device).view(batch, rows, columns, 2, 2)
    raster = quadrants.transpose(2, 3).reshape(batch, 2 * rows, 2 * columns).roll((-1, -1), (1, 2))
    moved = raster.view(batch, rows, 2, columns, 2).transpose(2, 3)
    kinds = moved[:, :-1, :-1], moved[:, :-1, -1:], moved[:, -1:, :-1], moved[:, -1:, -1:]
    order = torch.cat([kind.reshape(-1) for kind in kinds])
    inverse = torch.empty_like(order).scatter_(0, order, torch.arange(order.shape[0], device=device))
    return Shift(order, inverse, tuple(kind.shape[0] * kind.shape[1] * kind.shape[2] for kind in kinds))


@lru_cache(maxsize=16)
def _remembered_shift(grid: Grid, device: torch.device) -> Shift:
    with torch.inference_mode(mode=False):  # else the order could not be used for training later
        return _shift(grid, device)
