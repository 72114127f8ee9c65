"""Blockiness: the steps that a block codec (JPEG, MPEG-2, H.264 without deblocking) leaves on its grid of 8 px."""

from collections.abc import Sequence
from typing import ClassVar

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from apisr_data.images import Luma, Picture
from apisr_data.tables import Column

_GRID_PX = 8
_STRIP_PX = 64
"""Rows at a time: whole 1080p pictures between the filters cost several times as much, in page faults."""
_STEP_LIMIT = 8
"""Levels that one step counts at most: a drawn edge that happens to lie on the grid is not the codec's."""


class Scorer:
    """Blockiness in levels of luma."""

    name: ClassVar[str] = "blockiness"
    version: ClassVar[int] = 1
    columns: ClassVar[tuple[Column, ...]] = (
        Column("blockiness", pa.float64(), "excess step across a grid of 8 px, 0 (none) to 8 levels of luma"),
    )

    def score(self, pictures: Sequence[Picture]) -> dict[str, NDArray[np.float64]]:
        """The blockinesses."""
        return {"blockiness": np.array([blockiness(picture.luma()) for picture in pictures], dtype=np.float64)}


def blockiness(luma: Luma) -> float:
    """How much larger the steps across the grid are than anywhere between, in levels; the mean of both directions.

    A step is what the difference of two neighbours exceeds the differences on either side of it by, so that gradients
    do not count. The grid is the one of eight offsets with the largest mean step, since a crop may have moved it, and
    the second largest is taken off, so that drawn or scaled patterns of 2 and 4 px cancel. A grid of another pitch, as
    after an upscale, is not seen.

    Source: Wang, Sheikh and Bovik, "No-reference perceptual quality assessment of JPEG compressed images", ICIP 2002,
    equations 1 and 2, for the differences on and off the grid; Liu and Heynderickx, "A perceptually relevant
    no-reference blockiness metric based on local image characteristics", EURASIP JASP 2009, section 3, for finding
    the grid and comparing with the neighbours.
    """
    return (_across_columns(luma) + _across_columns(luma.T)) / 2


def _across_columns(luma: Luma) -> float:
    height, width = luma.shape
    if width < 2 * _GRID_PX:
        return 0.0
    by_column = np.zeros(width - 3)
    for top in range(0, height, _STRIP_PX):
        by_column += _steps(np.ascontiguousarray(luma[top : top + _STRIP_PX]))
    whole = by_column[: by_column.size // _GRID_PX * _GRID_PX] / height
    by_offset = whole.reshape(-1, _GRID_PX).mean(axis=0)
    second, largest = np.sort(by_offset)[-2:]
    return float(largest - second)


def _steps(strip: Luma) -> NDArray[np.float64]:
    """Sum of the steps between each two columns, (h, w) -> (w - 3,)."""
    differences = cv2.absdiff(strip[:, 1:], strip[:, :-1])
    around = cv2.max(differences[:, :-2], differences[:, 2:])
    steps = cv2.subtract(differences[:, 1:-1], around)  # stops at 0
    limited = cv2.threshold(steps, _STEP_LIMIT, 0, cv2.THRESH_TRUNC)[1]
    return cv2.reduce(limited, 0, cv2.REDUCE_SUM, dtype=cv2.CV_64F).ravel().astype(np.float64, copy=False)
