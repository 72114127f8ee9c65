"""Detail: visual complexity without weights, from gradients and colours at several scales. See docs/complexity.md."""

from collections.abc import Sequence
from typing import ClassVar

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from apisr_data.images import Picture, Rgb, resize
from apisr_data.tables import Column

SIDE_PX = 384
"""Side of the square that a picture is scaled to, as ICNet does, so that sizes and shapes compare."""

_SCALE_WEIGHTS = (0.4, 0.3, 0.2, 0.1)
"""Of the picture and of its halves, quarters and eighths."""
_COLOUR_BITS = 4


class Scorer:
    """Complexity, about 0 to 1."""

    name: ClassVar[str] = "detail"
    version: ClassVar[int] = 1
    columns: ClassVar[tuple[Column, ...]] = (
        Column("detail", pa.float64(), "multi-scale gradients and colours, 0 (flat) to about 1"),
    )
    is_complexity: ClassVar[bool] = True

    def score(self, pictures: Sequence[Picture]) -> dict[str, NDArray[np.float64]]:
        """The complexities."""
        small = (picture.rgb((SIDE_PX, SIDE_PX)) for picture in pictures)
        return {"detail": np.array([detail(image) for image in small], dtype=np.float64)}


def detail(image: Rgb) -> float:
    """The geometric mean of gradient strength and of colour variety in `image` (h, w, 3); compare one size only.

    With g_k the mean Sobel magnitude (levels 0..1, over pixels and channels) at 1 / 2^k of the size, n_k the number of
    colours in 4 bits a channel there, and weights w = (.4, .3, .2, .1):
    sqrt(sum_k w_k g_k * log(sum_k w_k n_k) / log 4096).

    Source: Sarıtaş, Dayan, Shen and Nath, "Complexity in Complexity: Understanding Visual Complexity Through Structure,
    Color, and Surprise", 2025, arXiv 2501.15890: MSG and MUC with these weights. The logarithm and the geometric mean
    are ours; the paper fits a linear model to each of its data sets.
    """
    gradient = colours = 0.0
    for weight in _SCALE_WEIGHTS:
        gradient += weight * _mean_gradient(image)
        colours += weight * _colours(image)
        height, width, _ = image.shape
        image = resize(image, (max(1, width // 2), max(1, height // 2)), "area")
    variety = np.log(colours) / np.log(1 << 3 * _COLOUR_BITS)
    return float(np.sqrt(gradient * max(0.0, variety)))


def _mean_gradient(image: Rgb) -> float:
    across, down = (cv2.Sobel(image, cv2.CV_32F, dx, 1 - dx, scale=1 / 255) for dx in (1, 0))
    return float(cv2.magnitude(across, down).mean(dtype=np.float64))


def _colours(image: Rgb) -> int:
    histogram = cv2.calcHist([image], [0, 1, 2], None, [1 << _COLOUR_BITS] * 3, [0, 256] * 3)
    return int(np.count_nonzero(histogram))
