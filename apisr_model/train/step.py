"""One training step."""

import math
from contextlib import AbstractContextManager, nullcontext

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from apisr_model.data import Batch
from apisr_model.errors import TrainingError
from apisr_model.network import run_rgb
from apisr_model.train.learner import Learner
from apisr_model.train.objective import Objective, Terms
from apisr_model.train.recipe import TrainRecipe


class Step:
    """Moves a learner by one batch: the generator, the discriminator where there is one, the average."""

    def __init__(
        self,
        learner: Learner,
        objective: Objective,
        recipe: TrainRecipe,
        team: Accelerator,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._learner = learner
        self._objective = objective
        self._settings = recipe.train
        self._order = recipe.network.channel_order
        self._team = team
        self._device = device
        self._dtype = dtype
        is_last = recipe.train.channels_last and device.type == "cuda"
        self._layout = torch.channels_last if is_last else torch.contiguous_format
        # among several processes, wrapped so that they average their gradients; the weights stay the learner's
        self._generator = self._join(learner.generator)
        self._discriminator = self._join(learner.discriminator) if learner.discriminator else None
        self._run = torch.compile(self._generator) if recipe.train.compile else self._generator

    def __call__(self, batch: Batch, rate: float) -> dict[str, float]:
        """Learn from `batch` at the rate `rate`; the weighted terms and the norms of the gradients, by name.

        Raises:
            TrainingError: one of them is not finite; the message names it and the samples.
        """
        learner, settings = self._learner, self._settings
        # for networks that draw while training
        torch.manual_seed((settings.seed << 40 | learner.step << 8 | self._team.process_index) % 2**63)
        low_res, target = self._cut(batch.low_res), self._cut(batch.target)
        raw = target if batch.target is batch.high_res else self._cut(batch.high_res)
        outputs: list[Tensor] = []
        told: dict[str, float] = {}

        for i in range(settings.accumulate):
            with self._until_last(self._generator, i):
                with self._autocast():
                    output = run_rgb(self._run, low_res[i], self._order)
                    terms = self._objective.generator(output, target[i], learner.discriminator)
                self._backward(terms, told, batch)
                outputs.append(output.detach())
        self._follow(learner.optimizer, rate, "gradient", told, batch)

        if self._discriminator is not None and learner.discriminator_optimizer is not None:
            for i in range(settings.accumulate):
                with self._until_last(self._discriminator, i):
                    with self._autocast():
                        terms = self._objective.discriminator(self._discriminator, outputs[i], raw[i])
                    self._backward(terms, told, batch)
            self._follow(learner.discriminator_optimizer, rate, "discriminator_gradient", told, batch)

        learner.scaler.update()
        learner.step += 1
        learner.average(settings.ema_decay)
        return told

    def _backward(self, terms: Terms, told: dict[str, float], batch: Batch) -> None:
        """Add the gradient of the terms' sum, and the terms to what is told."""
        parts = self._settings.accumulate
        for name, value in zip(terms, torch.stack([*terms.values()]).tolist(), strict=True):
            self._check(f"the loss's term '{name}'", value, batch)
            told[name] = told.get(name, 0.0) + value / parts
        self._learner.scaler.scale(torch.stack([*terms.values()]).sum() / parts).backward()  # type: ignore[no-untyped-call]

    def _follow(
        self, optimizer: torch.optim.Optimizer, rate: float, name: str, told: dict[str, float], batch: Batch
    ) -> None:
        """Move the weights down the gradient, which is cut to `clip_norm`, and forget it."""
        scaler = self._learner.scaler
        scaler.unscale_(optimizer)
        [group] = optimizer.param_groups
        group["lr"] = rate
        told[name] = clip_grad_norm_(group["params"], self._settings.clip_norm or math.inf).item()
        if not scaler.is_enabled():  # else it leaves out the step, and tries a smaller scale
            self._check(f"the norm of the {name.replace('_', chr(39) + 's ')}", told[name], batch)
        scaler.step(optimizer)
        optimizer.zero_grad(set_to_none=True)

    def _check(self, what: str, value: float, batch: Batch) -> None:
        if not math.isfinite(value):
            samples = ", ".join(f"{number} ({name})" for number, name in zip(batch.numbers, batch.names, strict=True))
            raise TrainingError(
                f"step {self._learner.step}: {what} is {value}, on samples {samples}; a lower train.learning_rate, "
                "train.clip_norm = 1 or train.precision = fp32 may help"
            )

    def _cut(self, pictures: Tensor) -> tuple[Tensor, ...]:
        moved = pictures.to(self._device, non_blocking=True).contiguous(memory_format=self._layout)
        return moved.chunk(self._settings.accumulate)

    def _join(self, module: nn.Module) -> nn.Module:
        return self._team.prepare_model(module) if self._team.num_processes > 1 else module

    def _until_last(self, module: nn.Module, part: int) -> AbstractContextManager[None]:
        """Processes need not exchange gradients before the last part."""
        is_last = part == self._settings.accumulate - 1
        return nullcontext() if is_last else self._team.no_sync(module)

    def _autocast(self) -> AbstractContextManager[None]:
        if self._dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self._device.type, self._dtype)
