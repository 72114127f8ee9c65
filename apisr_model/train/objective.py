"""What the networks learn from: the terms of the generator's loss, and those of the discriminator's."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from apisr_data import cache
from apisr_model.losses import adversarial, perceptual, pixel
from apisr_model.losses.perceptual import Perceptual
from apisr_model.train.recipe import LossSettings

Terms = Mapping[str, Tensor]
"""Weighted terms by name, float32 scalars; their sum is the loss."""


class Objective:
    """The paper's loss: pixel and perceptual terms towards the target, an adversarial one towards the raw pictures.

    Pictures are RGB (b, 3, h, w) in [0, 1].

    Source: Wang et al., APISR, CVPR 2024, section 4.3 and equation 5.
    """

    def __init__(self, settings: LossSettings, twin: Perceptual | None = None) -> None:
        self._settings = settings
        self._twin = twin

    def generator(self, output: Tensor, target: Tensor, discriminator: nn.Module | None) -> Terms:
        """What the generator lowers; the discriminator is looked through, and its parameters learn nothing here."""
        terms: dict[str, Tensor] = {}
        if self._settings.pixel:
            terms["pixel"] = self._settings.pixel * pixel.l1(output, target)
        if self._twin is not None:
            terms |= self._twin(output, target)
        if discriminator is not None:
            discriminator.requires_grad_(requires_grad=False)
            terms["adversarial"] = self._settings.adversarial * adversarial.generator_loss(discriminator(output))
            discriminator.requires_grad_(requires_grad=True)
        return terms

    def discriminator(self, discriminator: nn.Module, output: Tensor, raw: Tensor) -> Terms:
        """What the discriminator lowers; the raw picture is the real one, so that sharp lines do not give it away."""
        verdicts = discriminator(torch.cat([raw, output.detach()]))  # one pass: in DDP two would clash over buffers
        real, fake = zip(*(map_.chunk(2) for map_ in verdicts), strict=True)
        return adversarial.discriminator_loss(real, fake)


def load(settings: LossSettings, device: torch.device, *, progress: cache.Progress | None = None) -> Objective:
    """The objective with its perceptual networks on `device`.

    Raises:
        WeightsError: perceptual weights are absent and cannot be had; the message says what to do.
    """
    if settings.perceptual is None:
        return Objective(settings)
    twin = perceptual.load(settings.perceptual, progress=progress)
    # saves 7% of the step on a CPU too
    return Objective(settings, twin.to(device, memory_format=torch.channels_last))  # type: ignore[call-overload]
