"""Still-image compression: encode, then decode."""

from dataclasses import dataclass

import numpy as np

from apisr_data.images import decode, encode_jpeg
from apisr_model.degradations import Image


@dataclass(frozen=True)
class Jpeg:
    """What was drawn: libjpeg's quality, 0..100."""

    quality: int


def draw(rng: np.random.Generator, quality: tuple[int, int]) -> Jpeg:
    """A quality uniform in `quality`, both ends included."""
    return Jpeg(int(rng.integers(quality[0], quality[1], endpoint=True)))


def apply(image: Image, codec: Jpeg) -> Image:
    """`image` clamped to 0..1, in 8 bits, through the codec."""
    levels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    return decode(encode_jpeg(levels, quality=codec.quality)).astype(np.float32) / np.float32(255)
