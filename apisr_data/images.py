"""Pictures as arrays: what a picture offers, reading and writing files, resizing; the only place that knows BGR."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
"""uint8 (h, w, 3), red first, 0..255, sRGB or BT.709 gamma as stored."""

Luma = NDArray[np.uint8]
"""uint8 (h, w), full range 0..255."""


class Picture(Protocol):
    """One decoded picture: a video's frame or an image file."""

    def rgb(self, size: tuple[int, int] | None = None) -> Rgb:
        """The picture as displayed, RGB; antialiased to `size` = (width, height) px when given."""

    def luma(self) -> Luma:
        """Full-range luma at the coded size."""
