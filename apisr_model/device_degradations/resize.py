"""Resizes to a size of its own for each picture, with OpenCV's weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from apisr_model.degradations import resize
from apisr_model.device_degradations import Canvases, Whole

Kernel = Literal[resize.Kernel, "area to larger"]

_SHARPNESS = -0.75  # of OpenCV's bicubic
_LEAST_SHARE_PX = 1e-3  # of a pixel that is averaged: OpenCV leaves out what covers less of it


@dataclass(frozen=True)
class Taps:
    """How a line of pixels becomes a longer or a shorter one."""

    first: Whole
    """Where the taps of each new pixel begin, (after,); they follow each other. Beyond an end its pixel repeats."""
    weights: NDArray[np.float64]
    """(after, taps)"""


def apply(canvases: Canvases, kernels: Sequence[resize.Kernel], sizes: Sequence[tuple[int, int]]) -> Canvases:
    """Each picture at its (height, width) px, by its kernel; within 1e-4 of `degradations.resize.apply`."""
    down, across = [], []
    for kernel, before, after in zip(kernels, canvases.sizes, sizes, strict=True):
        is_larger = after[0] > before[0] or after[1] > before[1]
        used: Kernel = "area to larger" if kernel == "area" and is_larger else kernel
        down.append(taps(used, before[0], after[0]))
        across.append(taps(used, before[1], after[1]))
    # many taps make few pixels: in this order a tap is for the first canvases alone, and for a corner of them
    order = sorted(range(len(sizes)), key=lambda place: -down[place].weights.shape[1])
    pixels = canvases.at(order).pixels
    for dim, lines in ((2, down), (3, across)):
        spans = [canvases.sizes[place][dim - 2] for place in order]
        pixels = _resampled(pixels, dim, [lines[place] for place in order], spans)
    back = sorted(range(len(order)), key=lambda place: order[place])
    return Canvases(pixels, tuple(sizes[place] for place in order)).at(back)


def taps(kernel: Kernel, before: int, after: int) -> Taps:
    """What makes `after` pixels of `before`."""
    enlarged = after / before
    scale = 1 / enlarged  # in OpenCV's order: the last bit decides where a tap begins
    place = np.arange(after, dtype=np.float64)
    if kernel == "area":
        start = place * scale
        first = np.floor(start)
        edge = first[:, None] + np.arange(np.ceil(scale) + 1)
        share = np.minimum(edge + 1, (start + scale)[:, None]) - np.maximum(edge, start[:, None])
        return Taps(first.astype(np.int64), np.where(share > _LEAST_SHARE_PX, share, 0) / scale)
    if kernel == "area to larger":  # each pixel keeps its square, and is mixed with the next where that begins
        first = np.floor(place * scale)
        mix = np.maximum((place + 1 - (first + 1) * enlarged).astype(np.float32), 0) % 1
        return Taps(first.astype(np.int64), np.stack([1 - mix, mix], axis=1))
    middle = (place + 0.5) * scale - 0.5
    first = np.floor(middle)
    mix = middle - first
    if kernel == "bilinear":
        return Taps(first.astype(np.int64), np.stack([1 - mix, mix], axis=1))
    near = [((_SHARPNESS + 2) * x - (_SHARPNESS + 3)) * x**2 + 1 for x in (mix, 1 - mix)]
    far = [_SHARPNESS * (((x - 5) * x + 8) * x - 4) for x in (1 + mix, 2 - mix)]
    return Taps(first.astype(np.int64) - 1, np.stack([far[0], near[0], near[1], far[1]], axis=1))


def _resampled(pixels: Tensor, dim: int, lines: Sequence[Taps], spans: Sequence[int]) -> Tensor:
    """Along `dim`: each picture, `spans` px long, by its taps."""
    most, longest = max(line.weights.shape[1] for line in lines), max(len(line.first) for line in lines)
    index = np.zeros((most, len(lines), longest), np.int64)
    share = np.zeros(index.shape, np.float32)
    for place, (line, span) in enumerate(zip(lines, spans, strict=True)):
        after, count = line.weights.shape
        index[:count, place, :after] = np.clip(line.first + np.arange(count)[:, None], 0, span - 1)
        share[:count, place, :after] = line.weights.T
    shape = [most, len(lines), 1, 1, 1]
    shape[1 + dim] = longest
    indices = torch.from_numpy(index.reshape(shape)).to(pixels.device)
    shares = torch.from_numpy(share.reshape(shape)).to(pixels.device)
    size = list(pixels.shape)
    size[dim] = longest
    resampled = pixels.new_zeros(size)
    for tap in range(most):
        users = [place for place, line in enumerate(lines) if line.weights.shape[1] > tap]
        count, after = users[-1] + 1, max(len(lines[place].first) for place in users)
        here, weight = (part[tap, :count].narrow(dim, 0, after) for part in (indices, shares))
        taken = pixels[:count].gather(dim, here.expand(count, *(after if at == dim else size[at] for at in (1, 2, 3))))
        resampled[:count].narrow(dim, 0, after).addcmul_(taken, weight)
    return resampled
