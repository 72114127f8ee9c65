"""Sharpness: how much a blur changes the picture. A picture that was upscaled or is out of focus loses little."""

from collections.abc import Sequence
from typing import ClassVar

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from apisr_data.images import Luma, Picture
from apisr_data.tables import Column

_BLUR_PX = 11
_REACH_PX = _BLUR_PX // 2 + 1
"""Rows that the blur and the gradient after it look past their own."""
_STRIP_PX = 64
"""Rows at a time: whole 1080p pictures between the filters cost three times as much, in page faults."""


class Scorer:
    """Sharpness in [0, 1]; a ratio, so that fades and low contrast do not count as blur."""

    name: ClassVar[str] = "sharpness"
    version: ClassVar[int] = 1
    columns: ClassVar[tuple[Column, ...]] = (
        Column("sharpness", pa.float64(), "share of the gradients that a blur removes, 0 (flat or blurred) to 1"),
    )

    def score(self, pictures: Sequence[Picture]) -> dict[str, NDArray[np.float64]]:
        """The sharpnesses."""
        return {"sharpness": np.array([sharpness(picture.luma()) for picture in pictures], dtype=np.float64)}


def sharpness(luma: Luma) -> float:
    """One less the blur effect of `luma` (h, w): the lesser share of both axes; 0 for a flat picture.

    Source: Crete et al., "The blur effect: perception and estimation with a new no-reference perceptual blur metric",
    SPIE 6492, 2007; with the Sobel gradient in place of the difference of neighbours, as scikit-image does.
    """
    height = luma.shape[0]
    gradients, kept = np.zeros(2), np.zeros(2)
    for top in range(2, height - 1, _STRIP_PX):  # as far from the edge as the gradient does not mirror
        bottom, start = min(top + _STRIP_PX, height - 1), max(0, top - _REACH_PX)
        strip, inside = luma[start : bottom + _REACH_PX], np.s_[top - start : bottom - start, 2:-1]
        for axis in (0, 1):
            before, after = _gradients(strip, axis)
            gradients[axis] += cv2.sumElems(before[inside])[0]
            kept[axis] += cv2.sumElems(cv2.min(before, after)[inside])[0]
    return float(1 - np.max(kept / gradients)) if gradients.all() else 0.0


def _gradients(strip: Luma, axis: int) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Gradient magnitudes along `axis` before and after the blur, both in elevenths of a level, at most 11,220."""
    kernel_px = (1, _BLUR_PX) if axis == 0 else (_BLUR_PX, 1)
    sums = cv2.boxFilter(strip, cv2.CV_16S, kernel_px, normalize=False, borderType=cv2.BORDER_REFLECT)
    before, after = (
        cv2.Sobel(image, cv2.CV_16S, axis, 1 - axis, scale=scale, borderType=cv2.BORDER_REFLECT).astype(
            np.int16, copy=False
        )
        for image, scale in ((strip, _BLUR_PX), (sums, 1))
    )
    return np.abs(before, out=before), np.abs(after, out=after)
