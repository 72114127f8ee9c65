"""One training step."""

import math
from contextlib import AbstractContextManager, nullcontext

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, get_total_norm

from apisr_model.data import Batch, floats
from apisr_model.errors import TrainingError
from apisr_model.network import run_rgb
from apisr_model.train.learner import Learner
from apisr_model.train.objective import Objective, Terms
from apisr_model.train.recipe import TrainRecipe

_MOST_OVERFLOWS = 20
"""Steps in a row that fp16 may leave out, each halving the scale of the loss."""


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
        self._overflows = 0
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
        told = _Told(settings.accumulate)
        outputs: list[Tensor] = []

        for i in range(settings.accumulate):
            with self._until_last(self._generator, i):
                with self._autocast():
                    output = run_rgb(self._run, low_res[i], self._order)
                    terms = self._objective.generator(output, target[i], learner.discriminator)
                self._backward(terms, told)
                outputs.append(output.detach())
        if self._discriminator is not None:
            for i in range(settings.accumulate):
                with self._until_last(self._discriminator, i):
                    with self._autocast():
                        terms = self._objective.discriminator(self._discriminator, outputs[i], raw[i])
                    self._backward(terms, told)

        optimizers = {"gradient": learner.optimizer, "discriminator_gradient": learner.discriminator_optimizer}
        followed = {name: optimizer for name, optimizer in optimizers.items() if optimizer is not None}
        for name, optimizer in followed.items():
            told.norms[name] = self._gradient(optimizer, rate)
        values = told.read()  # the one time that a GPU is waited for
        self._check(values, batch)
        for optimizer in followed.values():
            learner.scaler.step(optimizer)
            optimizer.zero_grad(set_to_none=True)
        learner.scaler.update()
        learner.step += 1
        learner.average(settings.ema_decay)
        return values

    def _backward(self, terms: Terms, told: "_Told") -> None:
        """Add the gradient of the terms' sum."""
        total = torch.stack([*terms.values()]).sum() / self._settings.accumulate
        self._learner.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        told.add(terms)

    def _gradient(self, optimizer: torch.optim.Optimizer, rate: float) -> Tensor:
        """Set the rate, cut the gradient to `clip_norm`; the norm that it had."""
        self._learner.scaler.unscale_(optimizer)
        [group] = optimizer.param_groups
        group["lr"] = rate
        if self._settings.clip_norm:
            return clip_grad_norm_(group["params"], self._settings.clip_norm)
        return get_total_norm([weight.grad for weight in group["params"] if weight.grad is not None])

    def _check(self, values: dict[str, float], batch: Batch) -> None:
        """Stop before the weights are moved by what is not finite. In fp16 gradients may overflow: a while."""
        wrong = [name for name, value in values.items() if not math.isfinite(value)]
        gradients = [name for name in wrong if name.endswith("gradient")]
        self._overflows = self._overflows + 1 if gradients else 0
        if self._learner.scaler.is_enabled() and wrong == gradients and self._overflows < _MOST_OVERFLOWS:
            return
        if wrong:
            samples = ", ".join(f"{number} ({name})" for number, name in zip(batch.numbers, batch.names, strict=True))
            what = f"the norm of the {wrong[0]}" if gradients[:1] == wrong[:1] else f"the loss's term '{wrong[0]}'"
            raise TrainingError(
                f"step {self._learner.step}: {what.replace('_', ' ')} is {values[wrong[0]]}, on samples {samples}; "
                "a lower train.learning_rate, train.clip_norm = 1 or train.precision = fp32 may help"
            )

    def _cut(self, pictures: Tensor) -> tuple[Tensor, ...]:
        moved = floats(pictures, self._device).contiguous(memory_format=self._layout)
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


class _Told:
    """Terms and norms on the device, so that they are read all at once."""

    def __init__(self, parts: int) -> None:
        self._parts = parts
        self._terms: dict[str, Tensor] = {}
        self.norms: dict[str, Tensor] = {}

    def add(self, terms: Terms) -> None:
        """The terms of one of the parts, of which the mean is told."""
        for name, value in terms.items():
            share = value.detach() / self._parts
            self._terms[name] = self._terms[name] + share if name in self._terms else share

    def read(self) -> dict[str, float]:
        values = self._terms | self.norms
        return dict(zip(values, torch.stack([*values.values()]).tolist(), strict=True))
