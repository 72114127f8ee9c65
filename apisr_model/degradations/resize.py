"""Resizing up and down by a kernel that is drawn; where it stands among the other operators is drawn too."""

from typing import Literal, get_args

import cv2
import numpy as np
from pydantic import Field

from apisr_data.config import Settings
from apisr_model.degradations import Image, Span, Step, Weights, choose, uniform

Kernel = Literal["area", "bilinear", "bicubic"]
Direction = Literal["up", "down", "keep"]
Position = Literal["before blur", "after blur", "after noise"]

POSITIONS: tuple[Position, ...] = get_args(Position)

_INTERPOLATION = {"area": cv2.INTER_AREA, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


class ResizeConfig(Settings):
    """One resize: in which direction, how far, and where it may stand."""

    directions: Weights[Direction] = Field(default={"up": 0.2, "down": 0.7, "keep": 0.1})
    factor: Span = (0.1, 1.2)
    """`down` draws between its first and 1, `up` between 1 and its second."""
    kernels: tuple[Kernel, ...] = Field(default=("area", "bilinear", "bicubic"), min_length=1)
    """Each as likely."""
    positions: tuple[Position, ...] = Field(default=POSITIONS, min_length=1)
    """Each as likely; the paper's name for it is the shuffled resize."""
    from_scale: int = Field(default=1, ge=1)
    """A network that enlarges less than this is trained without it."""


class Resize(Step):
    """What was drawn: the new sides are `factor` times those of the high-resolution picture, whatever came between."""

    op: Literal["resize"] = "resize"
    kernel: Kernel
    factor: float = Field(gt=0)

    def __str__(self) -> str:
        return f"resize {self.factor:.3f} {self.kernel}"

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height that a high-resolution picture of that size comes to, at least 1 px."""
        return max(1, round(width * self.factor)), max(1, round(height * self.factor))


def draw(rng: np.random.Generator, config: ResizeConfig, base: float = 1.0) -> Resize:
    """A resize whose factor is relative to `base` times the high-resolution sides."""
    direction = choose(rng, config.directions)
    low, high = config.factor
    span = {"up": (min(1.0, high), high), "down": (low, max(1.0, low)), "keep": (1.0, 1.0)}[direction]
    factor = uniform(rng, span)
    return Resize(kernel=draw_kernel(rng, config.kernels), factor=base * factor)


def draw_kernel(rng: np.random.Generator, kernels: tuple[Kernel, ...]) -> Kernel:
    """One of them, each as likely."""
    return kernels[int(rng.integers(len(kernels)))]


def apply(image: Image, kernel: Kernel, size: tuple[int, int]) -> Image:
    """`image` at `size` = (width, height) px.

    bilinear and bicubic are not antialiased, as in the paper's code: a network that is to undo them must have seen it.
    """
    if size == (image.shape[1], image.shape[0]):
        return image
    return cv2.resize(image, size, interpolation=_INTERPOLATION[kernel]).astype(np.float32, copy=False)
