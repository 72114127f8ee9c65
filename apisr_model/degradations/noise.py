"""Gaussian noise, in colour or the same on all three channels."""

from dataclasses import dataclass

import numpy as np

from apisr_model.degradations import Image


@dataclass(frozen=True)
class Gaussian:
    """What was drawn: the standard deviation in 1/255, whether the channels share it, and the seed of the samples."""

    sigma: float
    is_grey: bool
    seed: int


def draw(rng: np.random.Generator, sigma: tuple[float, float], grey_probability: float) -> Gaussian:
    """A standard deviation uniform in `sigma`, 1/255."""
    return Gaussian(float(rng.uniform(*sigma)), bool(rng.random() < grey_probability), int(rng.integers(2**63)))


def apply(image: Image, noise: Gaussian) -> Image:
    """`image` with the noise added; not clamped."""
    height, width, channels = image.shape
    shape = (height, width, 1 if noise.is_grey else channels)
    samples = np.random.default_rng(noise.seed).standard_normal(shape, dtype=np.float32)
    return image + samples * np.float32(noise.sigma / 255)
