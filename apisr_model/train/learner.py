"""The moving parts of a run: the networks, what moves them, and how far they are."""

import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from apisr_model.architectures import State
from apisr_model.errors import WeightsError
from apisr_model.losses.discriminator import Discriminator
from apisr_model.train.recipe import TrainRecipe

_BETAS = (0.9, 0.99)


@dataclass
class Learner:
    """Every draw of a run is a function of the seed and `step`, so no generator of numbers is among its parts."""

    generator: nn.Module
    ema: nn.Module
    """The average of the generator's weights over the last steps: what a run hands out."""
    optimizer: torch.optim.Adam
    discriminator: nn.Module | None
    discriminator_optimizer: torch.optim.Adam | None
    scaler: torch.amp.GradScaler
    """Keeps gradients of fp16 in range; does nothing in other precisions."""
    precision: str
    """Of the forward passes, as `train.precision` has come to here."""
    step: int = 0
    """Steps done."""
    seconds: float = 0.0
    """Time in the loop, of all sessions."""
    best: float | None = None
    """The best validation's value."""

    def state(self) -> dict[str, Any]:
        """All that is needed to go on from here."""
        numbers = {"step": self.step, "seconds": self.seconds, "best": self.best, "precision": self.precision}
        return {name: part.state_dict() for name, part in self._parts().items()} | numbers

    def restore(self, content: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        for name, part in self._parts().items():
            part.load_state_dict(content[name])
        self.step, self.seconds, self.best = content["step"], content["seconds"], content["best"]

    def _parts(self) -> dict[str, Any]:
        parts = {
            "generator": self.generator,
            "ema": self.ema,
            "optimizer": self.optimizer,
            "discriminator": self.discriminator,
            "discriminator_optimizer": self.discriminator_optimizer,
            "scaler": self.scaler,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def start_from(self, init: State) -> tuple[str, ...]:
        """Fill the generator's entries that `init` has in the same shape; the names of the others on either side.

        Raises:
            WeightsError: no entry fits.
        """
        own = self.generator.state_dict()
        fitting = {key: value for key, value in init.items() if key in own and own[key].shape == value.shape}
        if not fitting:
            raise WeightsError(
                f"nothing to start from: none of the {len(init):,} entries, such as {next(iter(init), '-')}, fits "
                f"one of the network's {len(own):,}, such as {next(iter(own))}: another architecture?"
            )
        for module in (self.generator, self.ema):
            module.load_state_dict(fitting, strict=False)
        return tuple(sorted((own.keys() | init.keys()) - fitting.keys()))

    @torch.no_grad()
    def average(self, decay: float) -> None:
        """Move the average towards the weights; at first faster, so that it forgets where they began.

        Buffers stay: those of our networks are constants, or follow from the weights in eval mode.
        """
        decay = min(decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_([*self.ema.parameters()], [*self.generator.parameters()], 1 - decay)


def make(generator: nn.Module, recipe: TrainRecipe, device: torch.device, dtype: torch.dtype) -> Learner:
    """The parts at their start, with the recipe's optimizers, on `device`; `dtype` is that of the forward passes."""
    settings, is_cuda = recipe.train, device.type == "cuda"
    torch.backends.cudnn.benchmark |= is_cuda  # crops have one size: the quickest convolutions are found once
    discriminator = Discriminator() if recipe.losses.adversarial else None
    layout = torch.channels_last if settings.channels_last and is_cuda else torch.preserve_format
    for module in filter(None, (generator, discriminator)):
        module.to(device, memory_format=layout).train()  # type: ignore[call-overload]
    adam = partial(torch.optim.Adam, lr=settings.learning_rate, betas=_BETAS, fused=is_cuda)
    return Learner(
        generator,
        copy.deepcopy(generator).requires_grad_(requires_grad=False).eval(),
        adam(generator.parameters()),
        discriminator,
        adam(discriminator.parameters()) if discriminator else None,
        torch.amp.GradScaler(device.type, enabled=dtype == torch.float16),
        str(dtype).removeprefix("torch."),
    )
