"""The faults of analogue video that old anime carries: optional, not of the paper.

In NTSC's terms: YIQ, with the colour carrier at a quarter of the sampling rate and turned round on every other line.
"""

import math
from typing import Literal, cast

import cv2
import numpy as np
from pydantic import Field

from apisr_data.config import Settings
from apisr_model.degradations import Image, Probability, Span, Step, Weights, choose, uniform

Fault = Literal["dot_crawl", "rainbows", "chroma_bleed", "interlacing", "halo"]

_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)


class AnalogueConfig(Settings):
    """Which fault the low-resolution picture gets before it is compressed."""

    probability: Probability = 0.0
    faults: Weights[Fault] = Field(
        default={"dot_crawl": 1.0, "rainbows": 1.0, "chroma_bleed": 1.0, "interlacing": 1.0, "halo": 1.0}
    )
    strength: Span = (0.2, 1.0)


class Analogue(Step):
    """What was drawn: 1 is as strong as a worn tape, and the carrier's `phase` in radians."""

    op: Literal["analogue"] = "analogue"
    fault: Fault
    strength: float = Field(ge=0)
    phase: float = 0.0

    def __str__(self) -> str:
        return f"{self.fault.replace('_', ' ')} {self.strength:.2f}"

    def apply(self, image: Image) -> Image:
        """`image` with the fault, clamped to 0..1."""
        if self.fault == "interlacing":
            return _interlaced(image, max(1, round(4 * self.strength)))
        yiq = cv2.transform(image, _TO_YIQ).astype(np.float32, copy=False)
        luma, chroma = yiq[..., :1], yiq[..., 1:]  # views: what is added to them is added to yiq
        if self.fault == "dot_crawl":  # colour that a comb filter cannot tell from luma: where it changes
            edges = chroma - _blurred(chroma, 1.5, 1.5)
            luma += self.strength * (edges * _carrier(image.shape, self.phase)).sum(axis=2, keepdims=True)
        elif self.fault == "rainbows":  # fine luma that is taken for colour
            fine = luma - _blurred(luma, 1.0, 0.0)
            chroma += 2 * self.strength * _blurred(fine * _carrier(image.shape, self.phase), 2.0, 0.0)
        elif self.fault == "chroma_bleed":  # a narrow channel, and late
            late = max(1, round(3 * self.strength))
            chroma[:] = _moved(_blurred(chroma, 3 * self.strength, 0.0), late)
        else:  # halo: a sharpened edge's overshoot
            luma += self.strength * (luma - _blurred(luma, 2.0, 0.0))
        return cast(Image, np.clip(cv2.transform(yiq, _FROM_YIQ), 0, 1).astype(np.float32, copy=False))


def draw(rng: np.random.Generator, config: AnalogueConfig) -> Analogue:
    """A fault, whether or not it happens: `config.probability` is the caller's to draw."""
    fault = choose(rng, config.faults)
    return Analogue(fault=fault, strength=uniform(rng, config.strength), phase=uniform(rng, (0.0, 2 * math.pi)))


def _carrier(shape: tuple[int, ...], phase: float) -> Image:
    """Cosine and sine of the carrier, (h, w, 2)."""
    rows, columns = np.indices(shape[:2], np.float32)
    angle = columns * np.float32(math.pi / 2) + rows * np.float32(math.pi) + np.float32(phase)
    return np.stack([np.cos(angle), np.sin(angle)], axis=2)


def _blurred(image: Image, sigma_x: float, sigma_y: float) -> Image:
    """A Gaussian along the lines and across them; 0 leaves a direction alone."""
    taps = (2 * math.ceil(3 * sigma_x) + 1, 2 * math.ceil(3 * sigma_y) + 1)
    blurred = cv2.GaussianBlur(image, taps, max(sigma_x, 1e-6), sigmaY=max(sigma_y, 1e-6))
    return cast(Image, blurred.reshape(image.shape))


def _interlaced(image: Image, shift_px: int) -> Image:
    """The second field from a moment later, when everything has moved to the right."""
    woven = image.copy()
    woven[1::2] = _moved(image[1::2], shift_px)
    return woven


def _moved(image: Image, shift_px: int) -> Image:
    """To the right; the first column repeats."""
    return image[:, np.maximum(np.arange(image.shape[1]) - shift_px, 0)]
