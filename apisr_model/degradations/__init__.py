"""The operators that spoil a picture, one a file.

Each has settings (what may be drawn, and how likely), a `draw` that takes an explicit generator and returns plain data,
and an `apply` that is a pure function of that data and the picture: what was drawn can be printed, stored and replayed.
"""

from collections.abc import Mapping
from typing import Annotated, Protocol, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from apisr_data.config import Settings
from apisr_data.images import Rgb

Image = NDArray[np.float32]
"""float32 (h, w, 3), red first, gamma-encoded as stored, 0..1; resize and blur may leave that range."""

Name = TypeVar("Name", bound=str)
Number = TypeVar("Number", int, float)


class Step(Settings):
    """What was drawn for one operator. `str` of it is one line to read; its fields are plain data."""


class Operator(Protocol):
    """A step that needs nothing but the picture."""

    def apply(self, image: Image) -> Image:
        """The picture after the step."""


def ascends(span: tuple[Number, Number]) -> tuple[Number, Number]:
    """A range, checked by its settings."""
    if span[0] > span[1]:
        raise ValueError(f"a range goes from the least to the greatest, found {span[0]} to {span[1]}")
    return span


def _can_be_drawn(weights: dict[Name, float]) -> dict[Name, float]:
    if not any(weights.values()):
        raise ValueError("at least one weight must be above 0")
    return weights


Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Weights = Annotated[dict[Name, NotNegative], AfterValidator(_can_be_drawn)]
"""How likely each name is beside the others; one that is not there is never drawn."""
Span = Annotated[tuple[Positive, Positive], AfterValidator(ascends)]
"""Least and greatest value of a uniform draw."""
Quality = Annotated[int, Field(ge=0, le=100)]
QualitySpan = Annotated[tuple[Quality, Quality], AfterValidator(ascends)]
"""Least and greatest quality of a still-image encoder, both included."""


def choose(rng: np.random.Generator, weights: Mapping[Name, float]) -> Name:
    """One of the names, as likely as its weight says."""
    names = list(weights)
    limits = np.cumsum([weights[name] for name in names])
    return names[int(np.searchsorted(limits, rng.random() * limits[-1], side="right"))]


def uniform(rng: np.random.Generator, span: tuple[float, float]) -> float:
    """A number in `span`."""
    return float(rng.uniform(*span))


def whole(rng: np.random.Generator, span: tuple[int, int]) -> int:
    """A whole number in `span`, both ends included."""
    return int(rng.integers(span[0], span[1], endpoint=True))


def to_levels(image: Image) -> Rgb:
    """`image` in 8 bits, clamped first: without that -0.01 turns white."""
    return cast(Rgb, np.rint(np.clip(image, 0, 1) * np.float32(255)).astype(np.uint8))


def from_levels(levels: Rgb) -> Image:
    """8 bits as floats in 0..1."""
    return levels.astype(np.float32) / np.float32(255)


def grey(image: Image) -> Image:
    """BT.601 luma of RGB, (h, w, 1)."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32, copy=False)
