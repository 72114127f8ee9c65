"""How near a network comes to held-out pictures, beside a bicubic resize."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from apisr_data.images import Rgb
from apisr_model.data import Pairs, Row, batches, floats
from apisr_model.degrade import Degradation
from apisr_model.metrics import METRICS
from apisr_model.network import run_rgb
from apisr_model.train.recipe import TrainRecipe

MOST_DRIFT = 2.0
"""Levels of 255 that a colour may stray in the mean before it is worth a warning."""

_OTHER_DRAWS = 2**31
"""Added to the seed: what is drawn for validation is drawn for no training sample. Above 32 bits NumPy splits it."""

Show = Callable[[int, Tensor, Tensor, Tensor], None]
"""Is told number, low resolution, output and raw picture of a crop, RGB (3, h, w) in [0, 1]."""


@dataclass(frozen=True)
class Validation:
    """Means over `images` crops: the network's, and those of a bicubic enlargement of the same inputs."""

    psnr: float
    """dB to the raw pictures, whatever is learned."""
    bicubic_psnr: float
    metric: str
    """What the best checkpoint is chosen by."""
    value: float
    """By `metric`, towards what is learned; NaN where no picture has one."""
    bicubic_value: float
    drift: tuple[float, float, float]
    """Mean of output less target in red, green and blue, in levels of 255."""
    images: int

    def is_better_than(self, value: float | None) -> bool:
        """Whether this is the best so far, `value` being that of the best before."""
        if value is None or math.isnan(value):
            return True
        return self.value > value if METRICS[self.metric].is_higher_better else self.value < value


class HeldOut:
    """Fixed degradations of fixed crops of the rows held out."""

    def __init__(self, rows: Sequence[Row], recipe: TrainRecipe, targets: Path, device: torch.device) -> None:
        """`targets` keeps pictures that were enhanced."""
        self._settings = recipe.validation
        self._images = min(len(rows), recipe.validation.images)
        self._scale = recipe.network.scale
        self._order = recipe.network.channel_order
        self._device = device
        self._pairs = Pairs(
            rows,
            Degradation(recipe.degradation, self._scale),
            crop_px=recipe.validation.crop_px,
            context_px=recipe.data.context_px,
            target=recipe.target,
            cache=targets,
            seed=_OTHER_DRAWS + recipe.train.seed,
            augment=False,
        )

    @torch.inference_mode()
    def measure(self, module: nn.Module, show: Show) -> Validation | None:
        """How `module` does in float32; None where nothing is held out. `show` is told of the first few."""
        module.eval()
        psnr, chosen = METRICS["psnr"].function, METRICS[self._settings.metric]
        rows: list[tuple[float, ...]] = []
        for number, pair in enumerate(batches(self._pairs, range(self._images), 1)):
            low_res, raw, target = (floats(p, self._device) for p in (pair.low_res, pair.high_res, pair.target))
            output = run_rgb(module, low_res, self._order).clamp(0, 1)
            plain = functional.interpolate(low_res, scale_factor=self._scale, mode="bicubic").clamp(0, 1)
            # line F1 finds the pseudo ground truth's lines by itself
            against = {"consistency": low_res, "line_f1": raw}.get(chosen.name, target)
            found = [psnr(_levels(picture), _levels(raw)) for picture in (output, plain)]
            found += [chosen.function(_levels(picture), _levels(against)) for picture in (output, plain)]
            rows.append((*found, *(255 * (output - target).mean(dim=(0, 2, 3))).tolist()))
            if number < self._settings.shown:
                show(number, low_res[0], output[0], raw[0])
        if not rows:
            return None
        raw_psnr, bicubic_psnr, value, bicubic_value, red, green, blue = map(_mean, zip(*rows, strict=True))
        return Validation(raw_psnr, bicubic_psnr, chosen.name, value, bicubic_value, (red, green, blue), len(rows))


def _mean(values: Sequence[float]) -> float:
    """Of those that are numbers: a picture without lines has no line F1."""
    numbers = [value for value in values if not math.isnan(value)]
    return sum(numbers) / len(numbers) if numbers else math.nan


def _levels(picture: Tensor) -> Rgb:
    return picture[0].permute(1, 2, 0).mul(255).round().byte().cpu().numpy()
