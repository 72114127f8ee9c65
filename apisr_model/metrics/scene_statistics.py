"""What NIQE measures on a picture: statistics of its locally normalised luma, block by block, at two scales.

Source: Mittal, Soundararajan, Bovik, "Making a 'Completely Blind' Image Quality Analyzer", 2013. Blocks of 96 px
without overlap; what does not fill a block at the right and lower edge is left out.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import gamma

from apisr_data.images import Rgb

Floats = NDArray[np.float64]

BLOCK_PX = 96
FEATURES = 36

_OFFSETS = np.arange(-3, 4)
_TAPS: Floats = np.exp(-(_OFFSETS**2) / (2 * (7 / 6) ** 2))
WINDOW_TAPS: Floats = _TAPS / _TAPS.sum()
"""One side of the 7x7 Gaussian that takes local means and deviations."""

_LUMA = np.array([65.481, 128.553, 24.966]) / 255  # BT.601, 16..235, as MATLAB's rgb2ycbcr
_FLAT_BELOW = 1e-9
"""Of a pixel's distance from its local mean: rounding makes up to 1e-12 of zero, and bytes make at least 1e-4."""

_SHAPES: Floats = np.arange(200, 10001) / 1000
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))  # (down, right): right, below, and the two diagonals


def _moment_ratio(shape: Floats) -> Floats:
    """(E|x|)² / E x² of a generalised Gaussian; it rises with the shape."""
    ratio: Floats = gamma(2 / shape) ** 2 / (gamma(1 / shape) * gamma(3 / shape))
    return ratio


_RATIOS = _moment_ratio(_SHAPES)


@dataclass(frozen=True)
class BlockStatistics:
    """Of each block, row by row.

    Attributes:
        features: (blocks, 36): 18 at full size, 18 at half. A flat block has NaN in some, as in the reference.
        sharpness: (blocks,): mean local deviation of the luma at full size.
    """

    features: Floats
    sharpness: Floats


def measure(image_rgb: Rgb) -> BlockStatistics:
    """The statistics of every whole block of RGB uint8 (h, w, 3); there may be none.

    In float64. Where the luma is flat it is exactly its local mean, in whatever order a machine adds: half of NIQE's
    features count signs, and those of rounding errors would be counted.
    """
    luma = np.rint(16 + image_rgb.astype(np.float64) @ _LUMA)
    rows, columns = (side // BLOCK_PX for side in luma.shape)
    if not rows * columns:
        return BlockStatistics(np.empty((0, FEATURES)), np.empty(0))
    luma = luma[: rows * BLOCK_PX, : columns * BLOCK_PX]
    full, sharpness = _at_one_scale(luma, BLOCK_PX)
    half, _ = _at_one_scale(halve(luma), BLOCK_PX // 2)
    return BlockStatistics(np.concatenate([full, half], axis=1), sharpness)


def halve(luma: Floats) -> Floats:
    """(h, w), even sides -> (h / 2, w / 2): cubic convolution (a = -1/2) at twice its width, edges mirrored.

    It is MATLAB's `imresize(luma, 0.5)`.
    """
    distance = np.abs(np.arange(-3.5, 4)) / 2  # of the 8 pixels around each new one
    near, far = 1.5 * distance**3 - 2.5 * distance**2 + 1, -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    taps = np.where(distance <= 1, near, far)
    taps /= taps.sum()
    padded = cv2.copyMakeBorder(luma, 3, 4, 3, 4, cv2.BORDER_REFLECT)
    filtered: Floats = cv2.sepFilter2D(padded, -1, taps, taps, anchor=(3, 3)).astype(np.float64, copy=False)
    return filtered[3:-4:2, 3:-4:2]


def _at_one_scale(luma: Floats, side: int) -> tuple[Floats, Floats]:
    """Features (blocks, 18) and mean local deviation (blocks,) of blocks of `side` px."""
    mean = _local_mean(luma)
    deviation = np.sqrt(np.abs(_local_mean(luma**2) - mean**2))
    difference = luma - mean
    difference[np.abs(difference) < _FLAT_BELOW] = 0
    normalised = difference / (deviation + 1)
    strips = [_features(strip) for strip in _strips(normalised, side)]
    sharpness = [strip.mean(axis=(1, 2)) for strip in _strips(deviation, side)]
    return np.concatenate(strips), np.concatenate(sharpness)


def _local_mean(luma: Floats) -> Floats:
    mean: Floats = cv2.sepFilter2D(luma, -1, WINDOW_TAPS, WINDOW_TAPS, borderType=cv2.BORDER_REPLICATE).astype(
        np.float64, copy=False
    )
    return mean


def _strips(luma: Floats, side: int) -> list[Floats]:
    """Rows of blocks, each (blocks, side, side): small enough for the processor's cache."""
    return [
        np.ascontiguousarray(luma[top : top + side].reshape(side, -1, side).swapaxes(0, 1))
        for top in range(0, luma.shape[0], side)
    ]


def _features(blocks: Floats) -> Floats:
    """(blocks, side, side) -> (blocks, 18): the fit to the pixels, and to products of neighbours in four directions.

    A block's last row and column have its first as neighbours, as in the reference.
    """
    shape, left, right = _fit(blocks)
    found = [shape, (left + right) / 2]
    for direction in _NEIGHBOURS:
        shape, left, right = _fit(blocks * np.roll(blocks, direction, axis=(1, 2)))
        found += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return np.stack(found, axis=1)


def _fit(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Shape and left and right scale (blocks,) of an asymmetric generalised Gaussian, by moments.

    Without a negative or a positive value the scale of that side is NaN and the shape the least: 0.2.
    """
    below = np.minimum(values, 0)
    above = values - below
    squares = [np.einsum("bij,bij->b", part, part) for part in (below, above)]
    counts = [np.count_nonzero(part, axis=(1, 2)) for part in (below, above)]
    count = values.shape[1] * values.shape[2]
    with np.errstate(invalid="ignore"):  # 0 / 0 on flat blocks
        left, right = (np.sqrt(square / number) for square, number in zip(squares, counts, strict=True))
        skew = left / right
        ratio = ((above.sum((1, 2)) - below.sum((1, 2))) / count) ** 2 / ((squares[0] + squares[1]) / count)
    shape = _shape(ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2)
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * scale, right * scale


def _shape(ratio: Floats) -> Floats:
    """The shape whose moment ratio is nearest, to 0.001; 0.2 where the ratio is NaN."""
    after = np.clip(np.searchsorted(_RATIOS, ratio), 1, len(_RATIOS) - 1)
    nearest = after - (ratio - _RATIOS[after - 1] <= _RATIOS[after] - ratio)
    return _SHAPES[np.where(np.isnan(ratio), 0, nearest)]
