"""Gaussian and Poisson noise on a device: other samples than on the CPU, from the same distribution.

A picture's samples are a function of its step's seed alone, so they do not depend on the pictures beside it; another
kind of device draws others.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Generator, Tensor

from apisr_model.degradations.noise import Gaussian, Poisson
from apisr_model.device_degradations import Canvases, per_picture

_PHOTONS = [1 << max(found - 1, 0).bit_length() for found in range(257)]
"""Of white, by the number of levels in the picture: that number rounded up to a power of two."""


def apply(canvases: Canvases, steps: Sequence[Gaussian | Poisson]) -> Canvases:
    """Each picture with its noise added, clamped to 0..1: distributed as by the steps' own `apply`."""
    places = [place for place, step in enumerate(steps) if isinstance(step, Gaussian)]
    if places:
        gaussian = [step for step in steps if isinstance(step, Gaussian)]
        canvases = canvases.replaced(places, _gaussian(canvases.at(places), gaussian))
    places = [place for place, step in enumerate(steps) if isinstance(step, Poisson)]
    if places:
        poisson = [step for step in steps if isinstance(step, Poisson)]
        canvases = canvases.replaced(places, _poisson(canvases.at(places), poisson))
    return canvases


def _gaussian(canvases: Canvases, steps: Sequence[Gaussian]) -> Canvases:
    pixels = canvases.pixels
    samples = torch.zeros_like(pixels)
    for part, step, random in _parts(canvases.sizes, steps, pixels.device):
        one = samples[part]
        one[:] = torch.randn(_shape(one, step), generator=random, device=pixels.device)
    sigma = per_picture([step.sigma / 255 for step in steps], pixels)
    return Canvases(samples.mul_(sigma).add_(pixels).clamp_(0, 1), canvases.sizes)


def _poisson(canvases: Canvases, steps: Sequence[Poisson]) -> Canvases:
    pixels, device = canvases.pixels, canvases.pixels.device
    is_grey = per_picture([step.is_grey for step in steps], pixels) > 0
    weights = torch.tensor([0.299, 0.587, 0.114], device=device)[:, None, None]  # BT.601
    seen = torch.where(is_grey, (pixels * weights).sum(1, keepdim=True), pixels).clamp(0, 1)
    levels = seen.mul_(255).round_()
    white = per_picture(_PHOTONS, pixels)[_levels_found(levels, canvases.sizes)]
    expected = levels * (white / 255)
    counts = torch.zeros_like(pixels)
    for part, step, random in _parts(canvases.sizes, steps, device):
        one = counts[part]
        one[:] = torch.poisson(expected[part][: _shape(one, step)[0]], generator=random)
    noise = counts.div_(white).sub_(levels.div_(255))
    scale = per_picture([step.scale for step in steps], pixels)
    return Canvases(noise.mul_(scale).add_(pixels).clamp_(0, 1), canvases.sizes)


def _levels_found(levels: Tensor, sizes: Sequence[tuple[int, int]]) -> Tensor:
    """How many of the 256 levels each picture has, (b,)."""
    beyond = 256
    bins = torch.full_like(levels, beyond, dtype=torch.int64)
    for place, (height, width) in enumerate(sizes):
        bins[place, :, :height, :width] = levels[place, :, :height, :width]
    is_found = torch.zeros((len(sizes), beyond + 1), dtype=torch.int64, device=levels.device)
    return is_found.scatter_(1, bins.flatten(1), 1)[:, :beyond].sum(1)


def _parts(
    sizes: Sequence[tuple[int, int]], steps: Sequence[Gaussian | Poisson], device: torch.device
) -> Iterator[tuple[tuple[int, slice, slice, slice], Gaussian | Poisson, Generator]]:
    """Where each picture is on its canvas, its step, and a generator of its own."""
    random = Generator(device)
    for place, ((height, width), step) in enumerate(zip(sizes, steps, strict=True)):
        yield (place, slice(None), slice(height), slice(width)), step, random.manual_seed(step.seed)


def _shape(one: Tensor, step: Gaussian | Poisson) -> tuple[int, int, int]:
    """Of the samples for a picture: one channel where all three share the noise."""
    return 1 if step.is_grey else 3, one.shape[1], one.shape[2]
