"""Gaussian and Poisson noise, in colour or the same on all three channels."""

from typing import Literal

import numpy as np
from pydantic import Field

from apisr_data.config import Settings
from apisr_model.degradations import (
    Image,
    Probability,
    Span,
    Step,
    from_levels,
    grey,
    to_levels,
    uniform,
)


class NoiseConfig(Settings):
    """Which noise is drawn."""

    probability: Probability = 1.0
    gaussian_probability: Probability = 0.5
    """The rest is Poisson noise."""
    sigma: Span = (1.0, 30.0)
    """Of the Gaussian noise, 1/255."""
    poisson_scale: Span = (0.05, 3.0)
    """What the Poisson noise is multiplied by."""
    grey_probability: Probability = 0.4
    """The share of noise that all three channels have in common."""


class Gaussian(Step):
    """What was drawn: the standard deviation in 1/255, whether the channels share it, and the seed of the samples."""

    op: Literal["gaussian_noise"] = "gaussian_noise"
    sigma: float = Field(ge=0)
    is_grey: bool
    seed: int

    def __str__(self) -> str:
        return f"{'grey ' if self.is_grey else ''}gaussian noise {self.sigma:.1f}"

    def apply(self, image: Image) -> Image:
        """`image` with the noise added, clamped to 0..1."""
        shape = (*image.shape[:2], 1 if self.is_grey else image.shape[2])
        samples = np.random.default_rng(self.seed).standard_normal(shape, dtype=np.float32)
        return np.clip(image + samples * np.float32(self.sigma / 255), 0, 1)


class Poisson(Step):
    """What was drawn: the strength, whether the channels share the noise, and the seed of the samples."""

    op: Literal["poisson_noise"] = "poisson_noise"
    scale: float = Field(ge=0)
    is_grey: bool
    seed: int

    def __str__(self) -> str:
        return f"{'grey ' if self.is_grey else ''}poisson noise {self.scale:.2f}"

    def apply(self, image: Image) -> Image:
        """`image` with shot noise added, clamped to 0..1.

        White counts as many photons as the picture has levels, rounded up to a power of two: a picture of few levels
        is noisier. Source: skimage.util.random_noise, which the authors' code follows.
        """
        levels = to_levels(grey(image) if self.is_grey else image)
        found = int(np.count_nonzero(np.bincount(levels.ravel(), minlength=256)))
        photons = 1 << (found - 1).bit_length()
        counts = np.random.default_rng(self.seed).poisson(levels * (photons / 255))
        noise = counts.astype(np.float32) / np.float32(photons) - from_levels(levels)
        return np.clip(image + noise * np.float32(self.scale), 0, 1)


def draw(rng: np.random.Generator, config: NoiseConfig) -> Gaussian | Poisson:
    """A noise, whether or not it happens: `config.probability` is the caller's to draw."""
    is_gaussian = rng.random() < config.gaussian_probability
    strength = uniform(rng, config.sigma if is_gaussian else config.poisson_scale)
    is_grey, seed = bool(rng.random() < config.grey_probability), int(rng.integers(2**63))
    if is_gaussian:
        return Gaussian(sigma=strength, is_grey=is_grey, seed=seed)
    return Poisson(scale=strength, is_grey=is_grey, seed=seed)
