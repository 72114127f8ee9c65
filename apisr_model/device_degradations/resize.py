"""Resizes to a size of its own for each picture, with OpenCV's weights."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from apisr_model.degradations import resize
from apisr_model.device_degradations import Canvases, Whole

Kernel = Literal[resize.Kernel, "area to larger"]
Weights = NDArray[np.float64]

_SHARPNESS = -0.75  # of OpenCV's bicubic
_LEAST_SHARE_PX = 1e-3  # of a pixel that is averaged: OpenCV leaves out what covers less of it


def apply(canvases: Canvases, kernels: Sequence[resize.Kernel], sizes: Sequence[tuple[int, int]]) -> Canvases:
    """Each picture at its (height, width) px, by its kernel; within 1e-4 of `degradations.resize.apply`."""
    used: list[Kernel] = []
    for kernel, before, after in zip(kernels, canvases.sizes, sizes, strict=True):
        is_larger = after[0] > before[0] or after[1] > before[1]
        used.append("area to larger" if kernel == "area" and is_larger else kernel)
    pixels = canvases.pixels
    for axis in (0, 1):
        spans = [(before[axis], after[axis]) for before, after in zip(canvases.sizes, sizes, strict=True)]
        pixels = _resampled(pixels, 2 + axis, used, spans)
    return Canvases(pixels, tuple(sizes))


def taps(kernel: Kernel, before: int, after: int) -> tuple[Whole, Weights]:
    """How a line of `before` pixels becomes one of `after`: the place of the first tap of each, and its weights.

    (after,) and (after, taps). Taps follow each other; beyond an end the line's last pixel repeats.
    """
    enlarged = after / before
    scale = 1 / enlarged  # in OpenCV's order: the last bit decides where a tap begins
    place = np.arange(after, dtype=np.float64)
    if kernel == "area":
        start = place * scale
        first = np.floor(start)
        edge = first[:, None] + np.arange(np.ceil(scale) + 1)
        share = np.minimum(edge + 1, (start + scale)[:, None]) - np.maximum(edge, start[:, None])
        return first.astype(np.int64), np.where(share > _LEAST_SHARE_PX, share, 0) / scale
    if kernel == "area to larger":  # each pixel keeps its square, and is mixed with the next where that begins
        first = np.floor(place * scale)
        mix = np.maximum((place + 1 - (first + 1) * enlarged).astype(np.float32), 0) % 1
        return first.astype(np.int64), np.stack([1 - mix, mix], axis=1)
    middle = (place + 0.5) * scale - 0.5
    first = np.floor(middle)
    mix = middle - first
    if kernel == "bilinear":
        return first.astype(np.int64), np.stack([1 - mix, mix], axis=1)
    near = [((_SHARPNESS + 2) * x - (_SHARPNESS + 3)) * x**2 + 1 for x in (mix, 1 - mix)]
    far = [_SHARPNESS * (((x - 5) * x + 8) * x - 4) for x in (1 + mix, 2 - mix)]
    return first.astype(np.int64) - 1, np.stack([far[0], near[0], near[1], far[1]], axis=1)


def _resampled(pixels: Tensor, dim: int, kernels: Sequence[Kernel], spans: Sequence[tuple[int, int]]) -> Tensor:
    """Along `dim`: each picture from its first span to its second, px."""
    lines = [taps(kernel, *span) for kernel, span in zip(kernels, spans, strict=True)]
    longest, most = max(after for _, after in spans), max(weights.shape[1] for _, weights in lines)
    index = np.zeros((most, len(spans), longest), np.int64)
    share = np.zeros(index.shape, np.float32)
    for place, ((first, weights), (before, after)) in enumerate(zip(lines, spans, strict=True)):
        count = weights.shape[1]
        index[:count, place, :after] = np.clip(first + np.arange(count)[:, None], 0, before - 1)
        share[:count, place, :after] = weights.T
    shape = [most, len(spans), 1, 1, 1]
    shape[1 + dim] = longest
    indices = torch.from_numpy(index.reshape(shape)).to(pixels.device)
    shares = torch.from_numpy(share.reshape(shape)).to(pixels.device)
    size = list(pixels.shape)
    size[dim] = longest
    resampled = pixels.new_zeros(size)
    for tap in range(most):
        resampled.addcmul_(pixels.gather(dim, indices[tap].expand(size)), shares[tap])
    return resampled
