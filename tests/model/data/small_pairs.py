"""Pairs at 2x of 16 px, for tests."""

from pathlib import Path
from typing import Any

import torch

from apisr_model.data import Pairs, read_manifest
from apisr_model.degradations.video_codecs import CompressionConfig
from apisr_model.degrade import Degradation, DegradationConfig, FirstStage, SecondStage

AREA = DegradationConfig(
    first=FirstStage(probability=0.0),
    second=SecondStage(probability=0.0),
    kernels=("area",),
    compression=CompressionConfig(probability=0.0),
)
"""Nothing but the mean of each square of pixels."""


def pairs_of(manifest: Path, *, config: DegradationConfig | None = None, **settings: Any) -> Pairs:
    degradation = Degradation(config or DegradationConfig(), 2)
    return Pairs(read_manifest(manifest).train, degradation, **{"crop_px": 16, "seed": 7} | settings)


def floats(levels: torch.Tensor) -> torch.Tensor:
    return levels.float() / 255


def reduced(levels: torch.Tensor) -> torch.Tensor:
    """What `AREA` makes of (3, 16, 16)."""
    return floats(levels).reshape(3, 8, 2, 8, 2).mean((2, 4))
