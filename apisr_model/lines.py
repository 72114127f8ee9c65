"""Pseudo ground truth: a drawing whose hand-drawn lines are sharpened, and nothing else.

An unsharp mask sharpens everything; XDoG finds the lines of what it made; the lines are taken from the sharpened
picture and all the rest from the drawing. The radius is fixed in px: run it on whole frames at the height that they
train at.

Source: Wang et al., "APISR: Anime Production Inspired Real-World Anime Super-Resolution", CVPR 2024, section 4.2.
"""

from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from apisr_data.images import Rgb
from apisr_model.errors import ShapeError

GAMMA_RANGE = (0.97, 0.98)
"""Training draws gamma uniformly from it, once an image."""

Mask = NDArray[np.bool_]
"""bool (h, w), true on a line."""

_Floats = NDArray[np.float32]

ROUNDS = 3
UNSHARP_TAPS = 51  # its Gaussian's deviation follows by OpenCV's rule: 8 px
UNSHARP_WEIGHT = 0.5
UNSHARP_THRESHOLD = 10 / 255
FINE_PX, COARSE_PX = 0.6, 0.6 * 2.5  # deviations of XDoG's two Gaussians
LINE_BELOW = -15 / 255
LEAST_LINE_PX = 32
LEAST_NEIGHBOURS = 3


@dataclass(frozen=True)
class Enhancement:
    """Every step on the way to a pseudo ground truth."""

    rounds: tuple[Rgb, ...]
    """The drawing after one, two and three rounds of the unsharp mask: RGB uint8 (h, w, 3)."""
    lines: Mask
    """What XDoG finds on the last round."""
    kept: Mask
    """`lines` without the components that are too small to be drawn."""
    dilated: Mask
    """`kept`, grown by the pixels that lines surround."""
    result: Rgb
    """The pseudo ground truth."""


def pseudo_gt(image_rgb: Rgb, gamma: float = 0.975) -> Rgb:
    """The drawing with its lines sharpened: RGB uint8 (h, w, 3), like `image_rgb`.

    `gamma` weighs XDoG's coarse Gaussian: the larger, the more counts as a line; training draws it from `GAMMA_RANGE`.
    The blend takes the drawing where there is no line (the paper); the authors' code takes its first sharpening there.

    Raises:
        ShapeError: not RGB uint8.
    """
    sharpened = _sharpened(image_rgb)[-1]
    lines = passive_dilate(filter_outliers(_xdog(sharpened, gamma)))
    return _blend(image_rgb, sharpened, lines)


def line_mask(image_rgb: Rgb, gamma: float = 0.975) -> Mask:
    """Where the drawing's lines are: the mask that `pseudo_gt` blends by.

    Raises:
        ShapeError: not RGB uint8.
    """
    return passive_dilate(filter_outliers(_xdog(_sharpened(image_rgb)[-1], gamma)))


def unsharp(image_rgb: Rgb) -> Rgb:
    """The drawing after one round of the unsharp mask, lines and all else: RGB uint8 (h, w, 3).

    Raises:
        ShapeError: not RGB uint8.
    """
    return _to_bytes(_sharpened(image_rgb, 1)[-1])


def enhance(image_rgb: Rgb, gamma: float = 0.975) -> Enhancement:
    """`pseudo_gt` with every step on the way, to be looked at.

    Raises:
        ShapeError: not RGB uint8.
    """
    rounds = _sharpened(image_rgb)
    lines = _xdog(rounds[-1], gamma)
    kept = filter_outliers(lines)
    dilated = passive_dilate(kept)
    result = _blend(image_rgb, rounds[-1], dilated)
    return Enhancement(tuple(map(_to_bytes, rounds)), lines, kept, dilated, result)


def filter_outliers(mask: Mask, min_px: int = LEAST_LINE_PX) -> Mask:
    """`mask` without its 8-connected components of fewer than `min_px` pixels."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    is_large = statistics[:, cv2.CC_STAT_AREA] >= min_px
    is_large[0] = False  # the background
    kept: Mask = is_large[labels]
    return kept


def passive_dilate(mask: Mask, min_neighbours: int = LEAST_NEIGHBOURS) -> Mask:
    """`mask` and the pixels with at least `min_neighbours` line pixels among their 8 neighbours; one pass."""
    neighbours = cv2.boxFilter(mask.view(np.uint8), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return mask | (neighbours >= min_neighbours)


def _sharpened(image_rgb: Rgb, count: int = ROUNDS) -> list[_Floats]:
    """The drawing after each round of the unsharp mask, in [0, 1] and not rounded in between."""
    if image_rgb.ndim != 3 or image_rgb.shape[2] != 3 or image_rgb.dtype != np.uint8 or not image_rgb.size:
        raise ShapeError(f"lines are enhanced on RGB uint8 (h, w, 3), found {image_rgb.dtype} {image_rgb.shape}")
    image = image_rgb.astype(np.float32) / np.float32(255)
    rounds = []
    for _ in range(count):
        image = _unsharp(image)
        rounds.append(image)
    return rounds


def _unsharp(image: _Floats) -> _Floats:
    """One round; the mask of what differs from its surroundings is blurred too, so that nothing sets in at a step."""
    residual = image - _blur(image)
    share = _blur((np.abs(residual) > UNSHARP_THRESHOLD).astype(np.float32))
    sharp = np.clip(image + UNSHARP_WEIGHT * residual, 0, 1)
    return cast(_Floats, image + share * (sharp - image))


def _blur(image: _Floats) -> _Floats:
    """The authors' 51 x 51 Gaussian as two passes of 51: 0.23 s against 13.5 s for all rounds of a 720p frame."""
    taps = cv2.getGaussianKernel(UNSHARP_TAPS, 0, cv2.CV_32F)
    return cast(_Floats, cv2.sepFilter2D(image, -1, taps, taps, borderType=cv2.BORDER_REFLECT_101))


def _xdog(sharpened: _Floats, gamma: float) -> Mask:
    """Where the difference of two Gaussians falls below its threshold; XDoG's soft step is a hard one at phi = 1e9."""
    gray: NDArray[Any] = cv2.cvtColor(sharpened * np.float32(255), cv2.COLOR_RGB2GRAY)
    difference = cv2.GaussianBlur(gray, (0, 0), FINE_PX) - gamma * cv2.GaussianBlur(gray, (0, 0), COARSE_PX)
    largest = difference.max()
    if largest <= 0:  # black all over
        return np.zeros(gray.shape, np.bool_)
    return cast(Mask, difference / largest < LINE_BELOW)


def _blend(image_rgb: Rgb, sharpened: _Floats, lines: Mask) -> Rgb:
    return np.where(lines[..., None], _to_bytes(sharpened), image_rgb)


def _to_bytes(image: _Floats) -> Rgb:
    return np.rint(image * 255).astype(np.uint8)
