"""What the network's output is compared with: the picture as it is, or with its lines enhanced."""

from typing import Literal

import numpy as np
from pydantic import Field

from apisr_data.config import Settings
from apisr_data.images import Rgb
from apisr_model import lines


class TargetConfig(Settings):
    """What is made of a training picture before crops are cut from it; the low resolution comes from the raw one."""

    kind: Literal["raw", "pseudo_gt", "unsharp"] = "pseudo_gt"
    """The picture, the paper's pseudo ground truth, or one round of the unsharp mask over all of it (an ablation)."""
    gamma: tuple[float, float] = Field(default=lines.GAMMA_RANGE)
    """XDoG's weight is drawn from it, once a picture."""


def make(picture: Rgb, config: TargetConfig, rng: np.random.Generator) -> Rgb:
    """The target for a whole picture: RGB uint8 (h, w, 3), like `picture`.

    Raises:
        ShapeError: not RGB uint8.
    """
    if config.kind == "raw":
        return picture
    enhanced = lines.enhance(picture, float(rng.uniform(*config.gamma)))
    return enhanced.result if config.kind == "pseudo_gt" else enhanced.rounds[0]
