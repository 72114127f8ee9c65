"""The pixel term."""

import torch
from torch import Tensor


def l1(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference, a float32 scalar, whatever the precision and shape of the two."""
    return (output - target).abs().mean(dtype=torch.float32)
