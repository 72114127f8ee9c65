"""Combing: how much of a picture shows two moments at once, as a frame of interlaced video does."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from apisr_data.images import Luma, Picture
from apisr_data.interlacing import comb_blocks
from apisr_data.tables import Column


class Scorer:
    """Share of the blocks that are combed."""

    name: ClassVar[str] = "combing"
    version: ClassVar[int] = 1
    columns: ClassVar[tuple[Column, ...]] = (
        Column(
            "combing", pa.float64(), "share of the 16x16 px blocks where the two fields show different moments, 0..1"
        ),
    )

    def score(self, pictures: Sequence[Picture]) -> dict[str, NDArray[np.float64]]:
        """The shares."""
        return {"combing": np.array([comb_share(picture.luma()) for picture in pictures], dtype=np.float64)}


def comb_share(luma: Luma) -> float:
    """Share of the whole 16x16 px blocks of `luma` (h, w) that are combed, 0..1; 0 for a picture below 16 px.

    Drawn hatching that alternates from line to line over 8 lines or more reads as combing in one picture;
    `interlacing.judge` tells them apart over time.
    """
    blocks = comb_blocks(luma)
    return float(blocks.mean()) if blocks.size else 0.0
