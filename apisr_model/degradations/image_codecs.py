"""Still-image compression: encode to memory, then decode."""

import io
from typing import Annotated, Literal

import numpy as np
from PIL import Image as Pillow
from pydantic import AfterValidator, Field

from apisr_data.config import Settings
from apisr_data.errors import ImageError
from apisr_data.images import Rgb, decode, encode_jpeg
from apisr_model.degradations import (
    Image,
    Probability,
    Quality,
    QualitySpan,
    Step,
    Weights,
    ascends,
    choose,
    from_levels,
    to_levels,
    whole,
)
from apisr_model.errors import DegradationError

StillCodec = Literal["jpeg", "webp", "avif"]
Method = Annotated[int, Field(ge=0, le=6)]


class QualitySettings(Settings):
    """How well each still-image codec encodes."""

    jpeg_quality: QualitySpan = (20, 95)
    webp_quality: QualitySpan = (20, 95)
    webp_method: Annotated[tuple[Method, Method], AfterValidator(ascends)] = (0, 6)
    """Of libwebp's efforts: 0 is the fastest."""
    avif_quality: QualitySpan = (20, 95)
    avif_speed: int = Field(default=8, ge=0, le=10)
    """Of libaom's: 10 is the fastest. 160x90 px take 21 ms at 6 and 7 at 8; the authors leave it to the encoder."""


class ImageCodecConfig(QualitySettings):
    """The compression in the middle."""

    probability: Probability = 1.0
    codecs: Weights[StillCodec] = Field(default={"jpeg": 0.4, "webp": 0.6, "avif": 0.0})


class ImageCodec(Step):
    """What was drawn: the quality, 0..100, and the encoder's effort: WebP's method, AVIF's speed."""

    op: Literal["image_codec"] = "image_codec"
    codec: StillCodec
    quality: Quality
    effort: int | None = None

    def __str__(self) -> str:
        effort = {"jpeg": "", "webp": f", method {self.effort}", "avif": f", speed {self.effort}"}[self.codec]
        return f"{self.codec} quality {self.quality}{effort}"

    def apply(self, image: Image) -> Image:
        """`image` clamped to 0..1, in 8 bits, through the codec.

        Raises:
            DegradationError: the codec failed.
        """
        return from_levels(code(to_levels(image), self))


def draw(rng: np.random.Generator, config: QualitySettings, codec: StillCodec) -> ImageCodec:
    """Parameters of `codec`."""
    if codec == "jpeg":
        return ImageCodec(codec=codec, quality=whole(rng, config.jpeg_quality))
    if codec == "webp":
        return ImageCodec(codec=codec, quality=whole(rng, config.webp_quality), effort=whole(rng, config.webp_method))
    return ImageCodec(codec=codec, quality=whole(rng, config.avif_quality), effort=config.avif_speed)


def draw_any(rng: np.random.Generator, config: ImageCodecConfig) -> ImageCodec:
    """A codec and its parameters; `config.probability` is the caller's to draw."""
    return draw(rng, config, choose(rng, config.codecs))


def code(levels: Rgb, drawn: ImageCodec) -> Rgb:
    """`levels` (h, w, 3) encoded and decoded.

    Raises:
        DegradationError: the codec failed.
    """
    try:
        return _jpeg(levels, drawn) if drawn.codec == "jpeg" else _pillow(levels, drawn)
    except (OSError, ValueError, KeyError, RuntimeError, ImageError) as error:
        raise DegradationError(f"{drawn} of {levels.shape[1]}x{levels.shape[0]} px: {error}") from error


def _jpeg(levels: Rgb, drawn: ImageCodec) -> Rgb:
    return decode(encode_jpeg(levels, quality=drawn.quality))


def _pillow(levels: Rgb, drawn: ImageCodec) -> Rgb:
    effort = {"method": drawn.effort} if drawn.codec == "webp" else {"speed": drawn.effort, "max_threads": 1}
    buffer = io.BytesIO()
    Pillow.fromarray(levels).save(buffer, drawn.codec.upper(), quality=drawn.quality, **effort)
    with Pillow.open(buffer) as decoded:
        return np.asarray(decoded.convert("RGB"))
