"""The pairs and the batches of a run."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from apisr_model import data, device_batches
from apisr_model.data import Batch, Manifest, Pairs, Row
from apisr_model.degrade import Degradation
from apisr_model.degrade_batched import BatchedDegradation
from apisr_model.train.recipe import TrainRecipe


def pairs_of(rows: Sequence[Row], recipe: TrainRecipe, targets: Path | None = None) -> Pairs:
    """What a run of `recipe` learns from; the folder `targets` keeps pictures that were enhanced."""
    settings, scale = recipe.data, recipe.network.scale
    # on a device all windows have one size: as many pixels as the crops take side by side, so that they lie apart
    window_px = math.ceil((settings.crop_px * math.sqrt(settings.crops) + 2 * settings.context_px) / scale) * scale
    return Pairs(
        rows,
        Degradation(recipe.degradation, scale),
        crop_px=settings.crop_px,
        crops=settings.crops,
        context_px=settings.context_px,
        window_px=window_px if settings.degrade_on == "device" else None,
        zoom=settings.zoom,
        target=recipe.target,
        cache=targets,
        seed=recipe.train.seed,
    )


def batches(
    manifest: Manifest,
    recipe: TrainRecipe,
    targets: Path,
    *,
    step: int,
    device: torch.device,
    workers: int,
    rank: int,
    world: int,
) -> Iterator[Batch]:
    """Without end from step `step` on, those of process `rank` of `world`; see `pairs_of`.

    Raises:
        ImageError, ShapeError, DegradationError, TrainingError: as `data.batches`.
    """
    pairs = pairs_of(manifest.train, recipe, targets)
    share, samples, pin = recipe.train.batch // world, range(step * recipe.train.batch, 2**62), device.type == "cuda"
    if recipe.data.degrade_on == "cpu":
        return data.batches(pairs, samples, share, workers=workers, pin=pin, rank=rank, world=world)
    degradation = BatchedDegradation(recipe.degradation, recipe.network.scale)
    return device_batches.batches(
        pairs, degradation, samples, share, device=device, workers=workers, pin=pin, rank=rank, world=world
    )
