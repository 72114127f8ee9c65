"""The batches of a run."""

from collections.abc import Iterator
from pathlib import Path

import torch

from apisr_model import data, device_batches
from apisr_model.data import Batch, Manifest, Pairs
from apisr_model.degrade import Degradation
from apisr_model.degrade_batched import BatchedDegradation
from apisr_model.train.recipe import TrainRecipe


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
    """Without end from step `step` on, those of process `rank` of `world`; `targets` keeps pictures that were enhanced.

    Raises:
        ImageError, ShapeError, DegradationError, TrainingError: as `data.batches`.
    """
    settings, scale = recipe.data, recipe.network.scale
    is_on_device = settings.degrade_on == "device"
    around_px = -(-2 * settings.context_px // scale) * scale
    pairs = Pairs(
        manifest.train,
        Degradation(recipe.degradation, scale),
        crop_px=settings.crop_px,
        crops=settings.crops,
        context_px=settings.context_px,
        window_px=settings.crop_px + around_px if is_on_device else None,
        target=recipe.target,
        cache=targets,
        seed=recipe.train.seed,
    )
    share, samples, pin = recipe.train.batch // world, range(step * recipe.train.batch, 2**62), device.type == "cuda"
    if not is_on_device:
        return data.batches(pairs, samples, share, workers=workers, pin=pin, rank=rank, world=world)
    degradation = BatchedDegradation(recipe.degradation, scale)
    return device_batches.batches(
        pairs, degradation, samples, share, device=device, workers=workers, pin=pin, rank=rank, world=world
    )
