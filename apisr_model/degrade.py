"""From a high-resolution picture to the low-resolution one that a network learns to undo: draw, then apply.

The APISR degradation: resize (at one of three positions), blur, noise, image codec; the same again without the codec;
resize to the final size; one picture of a video codec. What is drawn is a list of plain data, in the order that it
happens: `str` prints it, JSON stores it, and applying it again gives the same picture bit for bit.

Source: Wang et al., APISR, CVPR 2024, section 4.1; the settings' defaults are the paper's.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from apisr_data.config import Settings
from apisr_model.degradations import Image, Probability, analogue, blur, image_codecs, noise, resize, video_codecs
from apisr_model.degradations.analogue import Analogue, AnalogueConfig
from apisr_model.degradations.blur import Blur, BlurConfig
from apisr_model.degradations.image_codecs import ImageCodec, ImageCodecConfig
from apisr_model.degradations.noise import Gaussian, NoiseConfig, Poisson
from apisr_model.degradations.resize import Resize, ResizeConfig
from apisr_model.degradations.video_codecs import CompressionConfig, VideoCodec
from apisr_model.errors import ShapeError

Step = Annotated[
    Resize | Blur | Gaussian | Poisson | ImageCodec | VideoCodec | Analogue,
    Field(discriminator="op"),
]


class FirstStage(Settings):
    """At the high resolution."""

    probability: Probability = 1.0
    """Of the whole stage."""
    resize: ResizeConfig = ResizeConfig()
    blur: BlurConfig = BlurConfig()
    noise: NoiseConfig = NoiseConfig()
    codec: ImageCodecConfig = ImageCodecConfig()


class SecondStage(Settings):
    """Towards the low resolution: the resize's factors are relative to it."""

    probability: Probability = 1.0
    resize: ResizeConfig = ResizeConfig(factor=(0.15, 1.2), from_scale=4)
    blur: BlurConfig = BlurConfig(probability=0.8, sigma=(0.2, 1.5))
    noise: NoiseConfig = NoiseConfig(sigma=(1.0, 25.0), poisson_scale=(0.05, 2.5))


class DegradationConfig(Settings):
    """What may happen to a picture, and how likely."""

    first: FirstStage = FirstStage()
    second: SecondStage = SecondStage()
    kernels: tuple[resize.Kernel, ...] = Field(default=("area", "bilinear", "bicubic"), min_length=1)
    """Of the resize to the final size, each as likely; at scale 1 it only happens where another resize came before."""
    analogue: AnalogueConfig = AnalogueConfig()
    """Between that resize and the compression; not of the paper, and off."""
    compression: CompressionConfig = CompressionConfig()


class Drawn(Settings):
    """What happens to one picture, in this order; `model_dump_json` and `model_validate_json` store it."""

    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, self.steps))


class Degradation:
    """Draws what happens to a picture, and applies it; `scale` is the high-resolution side over the low one."""

    def __init__(self, config: DegradationConfig, scale: int) -> None:
        self._config = config
        self.scale = scale

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Parameters for one picture, of any size; the same for the same state of `rng`."""
        config = self._config
        steps = [*self._stage(rng, config.first, 1.0), *self._stage(rng, config.second, 1 / self.scale)]
        steps.append(Resize(kernel=resize.draw_kernel(rng, config.kernels), factor=1 / self.scale))
        if rng.random() < config.analogue.probability:
            steps.append(analogue.draw(rng, config.analogue))
        if rng.random() < config.compression.probability:
            steps.append(video_codecs.draw(rng, config.compression))
        return Drawn(steps=tuple(steps))

    def _stage(self, rng: np.random.Generator, stage: FirstStage | SecondStage, base: float) -> list[Step]:
        if rng.random() >= stage.probability:
            return []
        steps: list[Step] = []
        if rng.random() < stage.blur.probability:
            steps.append(blur.draw(rng, stage.blur))
        place_after_blur = len(steps)
        if rng.random() < stage.noise.probability:
            steps.append(noise.draw(rng, stage.noise))
        if self.scale >= stage.resize.from_scale:
            places = dict(zip(resize.POSITIONS, (0, place_after_blur, len(steps)), strict=True))
            position = stage.resize.positions[int(rng.integers(len(stage.resize.positions)))]
            steps.insert(places[position], resize.draw(rng, stage.resize, base))
        if isinstance(stage, FirstStage) and rng.random() < stage.codec.probability:
            steps.append(image_codecs.draw_any(rng, stage.codec))
        return steps

    def apply(self, image: Image, drawn: Drawn) -> Image:
        """RGB (h, w, 3) float32 in 0..1 -> (h / scale, w / scale, 3) float32 in 0..1.

        The codecs predict from what surrounds a place: give the whole frame, or a window that is larger than the crop.

        Raises:
            ShapeError: a side is no multiple of the scale.
            DegradationError: a codec failed; the message names it and its parameters.
        """
        height, width = image.shape[:2]
        scale = self.scale
        if height % scale or width % scale or not image.size:
            raise ShapeError(f"degradation by {scale} wants sides that are multiples of it, found {width}x{height}")
        for step in drawn.steps:
            if isinstance(step, Resize):
                image = resize.apply(image, step.kernel, step.size(width, height))
            else:
                image = step.apply(image)
        return np.clip(image, 0, 1)
