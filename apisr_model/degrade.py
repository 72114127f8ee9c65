"""From a high-resolution picture to the low-resolution one that a network learns to undo: draw, then apply.

An ordered list: reduction, noise, JPEG. What is drawn can be printed and replayed.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from apisr_data.config import Settings
from apisr_model.degradations import Image, image_codecs, noise, resize
from apisr_model.errors import ShapeError

Probability = Annotated[float, Field(ge=0, le=1)]


class DegradationConfig(Settings):
    """What may happen to a picture, and how likely."""

    kernels: tuple[resize.Kernel, ...] = Field(default=("area", "bilinear", "bicubic"), min_length=1)
    """Reduction kernels, each as likely; at scale 1 the size is kept."""
    noise_probability: Probability = 0.5
    noise_sigma: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]] = (1.0, 10.0)
    """Least and greatest standard deviation of the Gaussian noise, 1/255."""
    grey_noise_probability: Probability = 0.4
    """Of the noise that is drawn, the share that all three channels have in common."""
    jpeg_probability: Probability = 0.5
    jpeg_quality: tuple[Annotated[int, Field(ge=0, le=100)], Annotated[int, Field(ge=0, le=100)]] = (50, 95)
    """Least and greatest JPEG quality."""

    @model_validator(mode="after")
    def _ranges_ascend(self) -> "DegradationConfig":
        for low, high in (self.noise_sigma, self.jpeg_quality):
            if low > high:
                raise ValueError(f"a range goes from the least to the greatest, found {low} to {high}")
        return self


@dataclass(frozen=True)
class Drawn:
    """What happens to one picture, in this order; None does not happen."""

    kernel: resize.Kernel
    noise: noise.Gaussian | None
    jpeg: image_codecs.Jpeg | None


class Degradation:
    """Draws what happens to a picture, and applies it; `scale` is the high-resolution side over the low one."""

    def __init__(self, config: DegradationConfig, scale: int) -> None:
        self._config = config
        self._scale = scale

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Parameters for one picture; the same for the same state of `rng`."""
        config = self._config
        kernel = resize.draw(rng, config.kernels)
        has_noise, has_jpeg = rng.random() < config.noise_probability, rng.random() < config.jpeg_probability
        return Drawn(
            kernel,
            noise.draw(rng, config.noise_sigma, config.grey_noise_probability) if has_noise else None,
            image_codecs.draw(rng, config.jpeg_quality) if has_jpeg else None,
        )

    def apply(self, image: Image, drawn: Drawn) -> Image:
        """RGB (h, w, 3) float32 in 0..1 -> (h / scale, w / scale, 3) float32 in 0..1.

        Raises:
            ShapeError: a side is no multiple of the scale.
        """
        height, width = image.shape[:2]
        scale = self._scale
        if height % scale or width % scale:
            raise ShapeError(f"degradation by {scale} wants sides that are multiples of it, found {width}x{height}")
        low_res = resize.apply(image, drawn.kernel, (width // scale, height // scale)) if scale > 1 else image
        if drawn.noise:
            low_res = noise.apply(low_res, drawn.noise)
        if drawn.jpeg:
            low_res = image_codecs.apply(low_res, drawn.jpeg)
        return np.clip(low_res, 0, 1)
