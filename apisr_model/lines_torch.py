"""The pseudo ground truth of `lines` for a batch of drawings on any device; on a CPU `lines` itself is faster."""

import cv2
import torch
from torch import Tensor
from torch.nn import functional

from apisr_model import lines
from apisr_model.errors import ShapeError

_EXACT_FLOAT32 = 2**24
"""Whole numbers up to it are exact in float32."""


def pseudo_gt(images: Tensor, gamma: Tensor | float = 0.975) -> Tensor:
    """Drawings with their lines sharpened: RGB (b, 3, h, w) float32 in 0..1, all on `images`' device.

    Lines are rounded to 1/255, as `lines.pseudo_gt` stores them, all else is `images`. `gamma` is one number or one an
    image, (b,). XDoG divides by the largest difference of an image: give whole frames.

    Raises:
        ShapeError: not (b, 3, h, w), or a side is no longer than the unsharp mask's radius.
    """
    sharpened = _sharpened(images)
    mask = passive_dilate(filter_outliers(_xdog(sharpened, gamma)))
    return torch.where(mask[:, None], sharpened.mul_(255).round_().div_(255), images)


def line_mask(images: Tensor, gamma: Tensor | float = 0.975) -> Tensor:
    """Where the lines of each drawing are, bool (b, h, w): the mask that `pseudo_gt` blends by.

    Raises:
        ShapeError: as `pseudo_gt`.
    """
    return passive_dilate(filter_outliers(_xdog(_sharpened(images), gamma)))


def filter_outliers(mask: Tensor, min_px: int = lines.LEAST_LINE_PX) -> Tensor:
    """`mask` (b, h, w) without its 8-connected components of fewer than `min_px` pixels.

    No component is followed to its end. Every pixel takes the greatest number in its neighbourhood, `min_px` times: by
    then a small component has one number. Numbers that still border on another one belong to large components.
    """
    count, height, width = mask.shape
    exact = torch.float32 if height * width < _EXACT_FLOAT32 else torch.float64
    ids = torch.arange(1, height * width + 1, dtype=exact, device=mask.device).view(height, width)
    labels = mask * ids
    for _ in range(min_px):
        labels = _greatest_around(labels).mul_(mask)
    least = -_greatest_around(torch.where(mask, -labels, -torch.inf))
    is_border = (_greatest_around(labels) != labels) | (least != labels)
    index = labels.long().flatten(1)
    pixels = torch.zeros((count, height * width + 1), dtype=torch.int64, device=mask.device)
    pixels.scatter_add_(1, index, 1 + min_px * is_border.flatten(1))
    return mask & (pixels.gather(1, index) >= min_px).view_as(mask)


def passive_dilate(mask: Tensor, min_neighbours: int = lines.LEAST_NEIGHBOURS) -> Tensor:
    """`mask` (b, h, w) and the pixels with at least `min_neighbours` line pixels among their 8 neighbours; one pass."""
    around = functional.avg_pool2d(mask[:, None].float(), 3, stride=1, padding=1, divisor_override=1)[:, 0]
    return mask | (around >= min_neighbours)


def _sharpened(images: Tensor) -> Tensor:
    """After all rounds of the unsharp mask."""
    least_px = lines.UNSHARP_TAPS // 2 + 1
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point() or min(images.shape[2:]) < least_px:
        raise ShapeError(
            f"lines are enhanced on floats (b, 3, h, w), sides of at least {least_px} px, "
            f"found {images.dtype} {tuple(images.shape)}"
        )
    image = images.float()
    taps = _gaussian(lines.UNSHARP_TAPS, 0.0, images.device).expand(3, -1)
    for _ in range(lines.ROUNDS):
        residual = image - _blurred(image, taps)
        share = _blurred((residual.abs() > lines.UNSHARP_THRESHOLD).float(), taps)
        sharp = (image + lines.UNSHARP_WEIGHT * residual).clamp_(0, 1)
        image = image + share * sharp.sub_(image)
    return image


def _xdog(sharpened: Tensor, gamma: Tensor | float) -> Tensor:
    """Where the difference of two Gaussians of the luma falls below its threshold, bool (b, h, w)."""
    red, green, blue = (sharpened * 255).unbind(1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    fine, coarse = (_taps_of(px) for px in (lines.FINE_PX, lines.COARSE_PX))
    both = torch.stack(
        [
            functional.pad(_gaussian(fine, lines.FINE_PX, luma.device), [(coarse - fine) // 2] * 2),
            _gaussian(coarse, lines.COARSE_PX, luma.device),
        ]
    )
    narrow, wide = _blurred(torch.stack([luma, luma], dim=1), both).unbind(1)
    weight = torch.as_tensor(gamma, dtype=luma.dtype, device=luma.device).reshape(-1, 1, 1)
    difference = narrow - weight * wide
    largest = difference.amax(dim=(1, 2), keepdim=True)
    return (largest > 0) & (difference / largest < lines.LINE_BELOW)


def _taps_of(sigma: float) -> int:
    """OpenCV's choice of a Gaussian's length for floats."""
    return round(8 * sigma + 1) | 1


def _gaussian(taps: int, sigma: float, device: torch.device) -> Tensor:
    """OpenCV's, (taps,); deviation 0 stands for the one that follows from the taps."""
    return torch.from_numpy(cv2.getGaussianKernel(taps, sigma, cv2.CV_32F)).flatten().to(device)


def _blurred(images: Tensor, taps: Tensor) -> Tensor:
    """(b, c, h, w), each channel by its row of `taps` (c, n), down and across; reflected beyond the sides.

    A convolution a channel is one that CUDA does in whole float32 whatever is allowed elsewhere, so the mask is the
    same; autocast is kept out for the same reason.
    """
    channels, radius = taps.shape[0], taps.shape[1] // 2
    with torch.autocast(images.device.type, enabled=False):
        padded = functional.pad(images, [radius] * 4, mode="reflect")
        down = functional.conv2d(padded, taps[:, None, :, None], groups=channels)
        return functional.conv2d(down, taps[:, None, None, :], groups=channels)


def _greatest_around(numbers: Tensor) -> Tensor:
    """The greatest of each pixel and its 8 neighbours, (b, h, w)."""
    return functional.max_pool2d(numbers[:, None], 3, stride=1, padding=1)[:, 0]
