"""The operators of `degradations` for many pictures at once, on any device that torch knows: one a file.

Each takes `Canvases` and a drawn step for every picture on them. What was drawn is the same data as one picture's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Canvases:
    """Pictures of different sizes on one tensor; what lies on a canvas beyond its picture means nothing."""

    pixels: Tensor
    """Float32 (b, 3, h, w), RGB, 0..1 where no resize or blur has left it; each picture starts at the top left."""
    sizes: tuple[tuple[int, int], ...]
    """Height and width of each picture, px."""

    def at(self, places: Sequence[int]) -> "Canvases":
        """The pictures at those places, in that order, on canvases of the greatest of their sides."""
        if self._are_all(places):
            return self
        sizes = tuple(self.sizes[place] for place in places)
        height, width = sides(sizes)
        return Canvases(self.pixels[self._index(places), :, :height, :width], sizes)

    def replaced(self, places: Sequence[int], others: "Canvases") -> "Canvases":
        """With `others` at those places, and canvases of the greatest sides of all."""
        if self._are_all(places):
            return others
        sizes = list(self.sizes)
        for place, size in zip(places, others.sizes, strict=True):
            sizes[place] = size
        height, width = sides(sizes)
        pixels = self.pixels.new_zeros((*self.pixels.shape[:2], height, width))
        kept = self.pixels[:, :, :height, :width]
        pixels[:, :, : kept.shape[2], : kept.shape[3]] = kept
        new = others.pixels[:, :, :height, :width]
        pixels[self._index(places), :, : new.shape[2], : new.shape[3]] = new
        return Canvases(pixels, tuple(sizes))

    def _are_all(self, places: Sequence[int]) -> bool:
        return list(places) == list(range(len(self.sizes)))

    def _index(self, places: Sequence[int]) -> Tensor:
        return torch.tensor(places, device=self.pixels.device)


def sides(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Height and width that hold all of `sizes`."""
    heights, widths = zip(*sizes, strict=True)
    return max(heights), max(widths)


def per_picture(values: Sequence[float], like: Tensor) -> Tensor:
    """A number for each picture, (b, 1, 1, 1), beside (b, 3, h, w)."""
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None, None]


def looked_up(pixels: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(b, 3, h, w) at those rows (b, h') and columns (b, w') of each picture: (b, 3, h', w')."""
    taller = pixels.gather(2, rows[:, None, :, None].expand(-1, pixels.shape[1], -1, pixels.shape[3]))
    return taller.gather(3, columns[:, None, None, :].expand(-1, pixels.shape[1], taller.shape[2], -1))


def reflected(places: Whole, length: Whole) -> Whole:
    """Places of any size within `length`, turned back at the first and the last, which come once."""
    period = np.maximum(2 * (length - 1), 1)
    within = places % period
    return np.minimum(within, period - within) * (length > 1)
