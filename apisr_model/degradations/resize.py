"""Reduction by a kernel drawn among those that APISR's paper names."""

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np

from apisr_model.degradations import Image

Kernel = Literal["area", "bilinear", "bicubic"]

_INTERPOLATION = {"area": cv2.INTER_AREA, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}


def draw(rng: np.random.Generator, kernels: Sequence[Kernel]) -> Kernel:
    """One of `kernels`, each as likely."""
    return kernels[int(rng.integers(len(kernels)))]


def apply(image: Image, kernel: Kernel, size: tuple[int, int]) -> Image:
    """`image` at `size` = (width, height) px.

    bilinear and bicubic are not antialiased, as in the paper's code: a network that is to undo them must have seen it.
    """
    return cv2.resize(image, size, interpolation=_INTERPOLATION[kernel]).astype(np.float32, copy=False)
