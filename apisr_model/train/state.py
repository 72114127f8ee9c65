"""What a run must remember to go on as if it had never stopped: weights, their average, the optimizer and the step."""

import copy
import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from apisr_data.errors import ConfigError
from apisr_data.images import write_bytes
from apisr_model.errors import WeightsError

FILE = "state.pt"
_MAY_CHANGE = ("iterations", "minutes", "checkpoint_every")
"""Settings of [train] that a run may be resumed with other values of: when it ends and when it saves."""


@dataclass
class Learner:
    """The moving parts of a run; every draw is a function of the seed and `step`, so no generator is among them."""

    module: nn.Module
    ema: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0

    def save(self, path: Path, recipe: dict[str, Any], manifest: str) -> None:
        """Write everything so that `path` is whole at every moment.

        Raises:
            OSError: the disk is full or the folder cannot be written; the file is as it was.
        """
        content = {
            "module": self.module.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "recipe": recipe,
            "manifest": manifest,
        }
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_bytes(buffer.getvalue(), path)

    def restore(self, content: dict[str, Any]) -> None:
        """Take over what `read` found."""
        self.module.load_state_dict(content["module"])
        self.ema.load_state_dict(content["ema"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.step, self.seconds = content["step"], content["seconds"]

    @torch.no_grad()
    def average(self, decay: float) -> None:
        """Move the average towards the weights; at first faster, so that it forgets where they began."""
        decay = min(decay, (1 + self.step) / (10 + self.step))
        for mean, new in zip(self.ema.state_dict().values(), self.module.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(new, 1 - decay)
            else:
                mean.copy_(new)


def averaging_copy(module: nn.Module) -> nn.Module:
    """A copy that no gradient reaches."""
    return copy.deepcopy(module).requires_grad_(requires_grad=False)


def read(path: Path) -> dict[str, Any]:
    """What `Learner.save` wrote.

    Raises:
        WeightsError: it is damaged or something else.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        missing = {"module", "ema", "optimizer", "step", "seconds", "recipe", "manifest"} - content.keys()
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, AttributeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise WeightsError(f"{path}: no state of a training run, or damaged: {reason}") from None
    if missing:
        raise WeightsError(f"{path}: no state of a training run: it lacks {', '.join(sorted(missing))}")
    return content


def check_same_run(content: dict[str, Any], recipe: dict[str, Any], manifest: str, path: Path) -> None:
    """Make sure that a run goes on with the settings and the rows that it began with.

    Raises:
        ConfigError: they differ; the message names the first setting.
    """
    for table, values in recipe.items():
        for key, value in values.items():
            before = content["recipe"].get(table, {}).get(key)
            if before != value and not (table == "train" and key in _MAY_CHANGE):
                raise ConfigError(
                    f"{path}: the run began with {table}.{key} = {before}, not {value}; choose another -o"
                )
    if content["manifest"] != manifest:
        raise ConfigError(f"{path}: the run began with another manifest or --where; choose another -o, with --init")
