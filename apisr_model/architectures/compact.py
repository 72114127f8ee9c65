"""Compact, also called SRVGG: convolutions at the input's size and one pixel shuffle; the fastest of its kin.

Source: Wang et al., Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data, 2021, and its
authors' published networks for animation; the keys are theirs.
"""

import math
import re
from typing import Literal

import pydantic
import torch
from torch import Tensor, nn
from torch.nn import functional

from apisr_model.architectures.record import Architecture, Config, State, require_rgb

_BICUBIC = "over_bicubic"
"""An entry that only networks over bicubic have, so that no program takes one for a network over nearest."""

_KEY = re.compile(r"body\.(\d+)\.(weight|bias)")


class CompactConfig(Config):
    """Defaults: the authors' network for anime videos, 621,424 parameters."""

    scale: int = pydantic.Field(default=4, ge=1)
    features: int = pydantic.Field(default=64, ge=1)
    """Channels of every hidden layer."""
    convolutions: int = pydantic.Field(default=16, ge=0)
    """Hidden layers, not counting the first and the last."""
    activation: Literal["prelu", "relu", "leakyrelu"] = "prelu"
    base: Literal["nearest", "bicubic"] = "nearest"
    """The enlargement that detail is added to; the authors' is nearest. A small network, or one trained for a minute,
    does better over bicubic: it need not learn to interpolate."""


class Compact(nn.Module):
    """Predicts what a plain enlargement lacks."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        features = config.features
        self.scale, self.base = config.scale, config.base
        if config.base == "bicubic":
            self.register_buffer(_BICUBIC, torch.ones(()))
        self.body = nn.Sequential(nn.Conv2d(3, features, 3, padding=1), _activation(config))
        for _ in range(config.convolutions):
            self.body.append(nn.Conv2d(features, features, 3, padding=1)).append(_activation(config))
        self.body.append(nn.Conv2d(features, 3 * config.scale**2, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """RGB (b, 3, h, w) in [0, 1] -> (b, 3, scale * h, scale * w)."""
        detail = functional.pixel_shuffle(self.body(x), self.scale)
        return detail + functional.interpolate(x, scale_factor=self.scale, mode=self.base)


def _activation(config: CompactConfig) -> nn.Module:
    if config.activation == "prelu":
        return nn.PReLU(config.features)
    return nn.ReLU(inplace=True) if config.activation == "relu" else nn.LeakyReLU(0.1, inplace=True)


def _reach_px(config: CompactConfig) -> int:
    """Exact: each convolution reaches one pixel further; the least of them is what bicubic reaches."""
    return config.convolutions + 2


def _detect(state: State) -> CompactConfig | None:
    """ReLU and LeakyReLU leave no trace in a state: without PReLU's entries it is taken for ReLU."""
    matches = [_KEY.fullmatch(key) for key in state if key != _BICUBIC]
    if "body.0.weight" not in state or not all(matches):
        return None
    last = max(int(match[1]) for match in matches if match)
    weight = state.get(f"body.{last}.weight")
    first = state["body.0.weight"]
    if last < 2 or last % 2 or weight is None or first.ndim != 4:
        return None
    require_rgb("compact", first.shape[1])
    return CompactConfig(
        scale=max(1, math.isqrt(weight.shape[0] // 3)),
        features=first.shape[0],
        convolutions=(last - 2) // 2,
        activation="prelu" if "body.1.weight" in state else "relu",
        base="bicubic" if _BICUBIC in state else "nearest",
    )


ARCHITECTURE = Architecture("compact", CompactConfig, Compact, _detect, overlap_px=_reach_px)
