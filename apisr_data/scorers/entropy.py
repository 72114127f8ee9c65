"""Entropy of the luma histogram: near 0 for black, white and flat cards, at most 8."""

from collections.abc import Sequence
from typing import ClassVar

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from apisr_data.images import Luma, Picture
from apisr_data.tables import Column


class Scorer:
    """Entropy in bits."""

    name: ClassVar[str] = "entropy"
    version: ClassVar[int] = 1
    columns: ClassVar[tuple[Column, ...]] = (
        Column("entropy", pa.float64(), "Shannon entropy of the luma histogram, 0..8 bits"),
    )

    def score(self, pictures: Sequence[Picture]) -> dict[str, NDArray[np.float64]]:
        """The entropies."""
        return {"entropy": np.array([entropy_bits(picture.luma()) for picture in pictures], dtype=np.float64)}


def entropy_bits(luma: Luma) -> float:
    """Shannon entropy of the histogram of `luma`, (h, w) in 256 levels, in bits: sum of -p log2 p.

    Source: Shannon, "A Mathematical Theory of Communication", 1948, section 6.
    """
    counts = cv2.calcHist([luma], [0], None, [256], [0, 256])
    p = counts[counts > 0].astype(np.float64) / luma.size
    return max(0.0, -float(np.sum(p * np.log2(p))))
