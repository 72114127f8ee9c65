"""What the network's output is compared with: the picture as it is, or with its lines enhanced."""

from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field

from apisr_data.config import Settings
from apisr_data.images import Rgb
from apisr_model import lines
from apisr_model.degradations import ascends

METHOD = 1
"""Counts the ways of `make`: raise it when other pixels come out, so that kept targets are made anew."""

_Gamma = Annotated[float, Field(ge=0, le=1)]


class TargetConfig(Settings):
    """What is made of a training picture before crops are cut from it; the low resolution comes from the raw one."""

    kind: Literal["raw", "pseudo_gt", "unsharp"] = "pseudo_gt"
    """The picture, the paper's pseudo ground truth, or one round of the unsharp mask over all of it (an ablation)."""
    gamma: Annotated[tuple[_Gamma, _Gamma], AfterValidator(ascends)] = lines.GAMMA_RANGE
    """XDoG's weight is drawn from it, once a picture."""


def draw(config: TargetConfig, rng: np.random.Generator) -> float | None:
    """The weight for one picture; None where the kind of target needs none."""
    return float(rng.uniform(*config.gamma)) if config.kind == "pseudo_gt" else None


def make(picture: Rgb, kind: str, gamma: float | None = None) -> Rgb:
    """The target for a whole picture, RGB uint8 (h, w, 3): the very array where it is the raw one.

    Raises:
        ShapeError: not RGB uint8.
    """
    match kind:
        case "raw":
            return picture
        case "unsharp":
            return lines.unsharp(picture)
        case "pseudo_gt" if gamma is not None:
            return lines.pseudo_gt(picture, gamma)
        case _:
            raise TypeError(f"no target of kind '{kind}' with gamma {gamma}: a pseudo_gt wants the one that was drawn")
