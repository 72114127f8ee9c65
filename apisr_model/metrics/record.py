"""What a metric is, and the pictures it takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from apisr_data.images import Rgb
from apisr_model.errors import ShapeError

Needs = Literal["reference", "low_res", "nothing"]
"""What a result is measured against: the picture it should be, the input it was made from, or nothing."""


@dataclass(frozen=True)
class Metric:
    """A measure of one result.

    Attributes:
        name: what tables call it.
        function: (result, what it needs) -> float, or (result) -> float; pictures are RGB uint8 (h, w, 3).
        needs: the second picture.
        is_higher_better: its direction.
        about: the variant, in one line: colour or luma, border, window, weights.
        licence: of what is not ours, where it restricts use.
    """

    name: str
    function: Callable[..., float]
    needs: Needs
    is_higher_better: bool
    about: str
    licence: str | None = None

    @property
    def arrow(self) -> str:
        """Where better values are: ↑ or ↓."""
        return "↑" if self.is_higher_better else "↓"


def check_rgb(name: str, image: NDArray[Any]) -> None:
    """Refuse what is no picture.

    Raises:
        ShapeError: not RGB uint8 (h, w, 3), or empty.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ShapeError(f"{name} wants RGB uint8 (h, w, 3), found {image.dtype} {image.shape}")


def check_pair(name: str, result: Rgb, reference: Rgb) -> None:
    """Refuse two pictures that cannot be compared pixel by pixel.

    Raises:
        ShapeError: not RGB uint8 (h, w, 3), or of different sizes.
    """
    check_rgb(name, result)
    check_rgb(name, reference)
    if result.shape != reference.shape:
        sizes = [f"{image.shape[1]}x{image.shape[0]}" for image in (result, reference)]
        raise ShapeError(f"{name} compares pictures of one size, found {sizes[0]} against a reference of {sizes[1]}")
