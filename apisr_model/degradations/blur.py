"""Seven families of blur: Gaussian, generalized Gaussian and plateau, each round or oval, and the ringing sinc.

Source: Wang et al., "Real-ESRGAN", ICCVW 2021, sections 3.1 and 3.4; the generalized Gaussian is Liu et al., 2013.
"""

import math
from typing import Annotated, Any, Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field
from scipy import special

from apisr_data.config import Settings
from apisr_model.degradations import Image, Probability, Span, Step, Weights, choose, uniform, whole

Oval = Literal["iso", "aniso", "generalized_iso", "generalized_aniso", "plateau_iso", "plateau_aniso"]
Family = Literal[Oval, "sinc"]
Kernel = NDArray[np.float64]


def _odd(taps: int) -> int:
    if taps % 2 == 0:
        raise ValueError(f"a kernel has an odd number of taps, found {taps}")
    return taps


Taps = Annotated[int, Field(ge=1, le=99), AfterValidator(_odd)]


class BlurConfig(Settings):
    """Which blurs are drawn."""

    probability: Probability = 1.0
    sinc_probability: Probability = 0.1
    families: Weights[Oval] = Field(
        default={
            "iso": 0.45,
            "aniso": 0.25,
            "generalized_iso": 0.12,
            "generalized_aniso": 0.03,
            "plateau_iso": 0.12,
            "plateau_aniso": 0.03,
        }
    )
    """Of what is no sinc."""
    taps: tuple[Taps, Taps] = (7, 21)
    """Least and greatest side of the kernel, px; odd sides only."""
    sigma: Span = (0.2, 3.0)
    """Standard deviation along either axis, px."""
    generalized_beta: Span = (0.5, 4.0)
    """Shape: 1 is the Gaussian, less has longer tails, more is flatter on top."""
    plateau_beta: Span = (1.0, 2.0)
    is_beta_halved: bool = False
    """The authors' code draws half of the shapes below 1 and half above, so half of its plateaus have exactly 1."""


class Blur(Step):
    """What was drawn. Round families use `sigma_x` alone; `sinc` uses `cutoff` alone."""

    op: Literal["blur"] = "blur"
    family: Family
    taps: Taps
    sigma_x: float = 0.0
    sigma_y: float = 0.0
    theta: float = 0.0
    """Of the x axis, radians, counted from right to down."""
    beta: float = 1.0
    cutoff: float = 0.0
    """Radians per px; pi lets everything through."""

    def __str__(self) -> str:
        if self.family == "sinc":
            return f"blur sinc {self.taps} px, cutoff {self.cutoff:.2f}"
        sigma = f"{self.sigma_x:.2f}"
        if self.family.endswith("aniso"):
            sigma += f" x {self.sigma_y:.2f} at {math.degrees(self.theta):.0f} degrees"
        beta = f", beta {self.beta:.2f}" if self.family.startswith(("generalized", "plateau")) else ""
        return f"blur {self.family} {self.taps} px, sigma {sigma}{beta}"

    def apply(self, image: Image) -> Image:
        """`image` correlated with the kernel, reflected beyond its sides; sinc and its like may leave 0..1."""
        border = cv2.BORDER_REFLECT_101
        if self.family == "iso":  # separable: 1.4 ms for 640x360 where 21 x 21 taps take 9.3
            line = np.exp(-0.5 * (_axis(self.taps) / self.sigma_x) ** 2)
            row = (line / line.sum()).astype(np.float32)
            return cast(Image, cv2.sepFilter2D(image, -1, row, row, borderType=border))
        return cast(Image, cv2.filter2D(image, -1, kernel(self).astype(np.float32), borderType=border))


def draw(rng: np.random.Generator, config: BlurConfig) -> Blur:
    """A blur, whether or not it happens: `config.probability` is the caller's to draw."""
    taps = 2 * whole(rng, (config.taps[0] // 2, config.taps[1] // 2)) + 1
    if rng.random() < config.sinc_probability:
        least = math.pi / 3 if taps < 13 else math.pi / 5  # a small kernel cannot hold a low cutoff
        return Blur(family="sinc", taps=taps, cutoff=uniform(rng, (least, math.pi)))
    family = choose(rng, config.families)
    sigma_x = uniform(rng, config.sigma)
    oval: dict[str, Any] = {}
    if family.endswith("aniso"):
        oval = {"sigma_y": uniform(rng, config.sigma), "theta": uniform(rng, (-math.pi, math.pi))}
    spans = {"generalized": config.generalized_beta, "plateau": config.plateau_beta}
    if span := spans.get(family.partition("_")[0]):
        oval["beta"] = _beta(rng, span, is_halved=config.is_beta_halved)
    return Blur(family=family, taps=taps, sigma_x=sigma_x, **oval)


def kernel(blur: Blur) -> Kernel:
    """The taps, float64 (taps, taps), summing to 1."""
    y, x = np.meshgrid(_axis(blur.taps), _axis(blur.taps), indexing="ij")
    if blur.family == "sinc":
        taps = _sinc(np.hypot(x, y), blur.cutoff)
    else:
        sigma_y, theta = (blur.sigma_y, blur.theta) if blur.family.endswith("aniso") else (blur.sigma_x, 0.0)
        along = (x * math.cos(theta) + y * math.sin(theta)) / blur.sigma_x
        across = (y * math.cos(theta) - x * math.sin(theta)) / sigma_y
        squared = along**2 + across**2
        if blur.family.startswith("plateau"):
            taps = 1 / (1 + squared**blur.beta)
        else:
            taps = np.exp(-0.5 * squared ** (blur.beta if blur.family.startswith("generalized") else 1.0))
    return cast(Kernel, taps / taps.sum())


def _axis(taps: int) -> Kernel:
    """Places of the taps from the middle, px."""
    return np.arange(taps, dtype=np.float64) - taps // 2


def _sinc(radius: Kernel, cutoff: float) -> Kernel:
    """The ideal low pass that is the same in every direction: a Bessel function over the radius."""
    outside = np.where(radius == 0, 1, radius)
    ring = cutoff * special.j1(cutoff * outside) / (2 * math.pi * outside)
    return cast(Kernel, np.where(radius == 0, cutoff**2 / (4 * math.pi), ring))


def _beta(rng: np.random.Generator, span: tuple[float, float], *, is_halved: bool) -> float:
    if not is_halved:
        return uniform(rng, span)
    return uniform(rng, (span[0], 1.0) if rng.random() < 0.5 else (1.0, span[1]))
