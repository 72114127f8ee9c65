"""What a run leaves on the disk, so that it can go on as if it had never stopped.

    RUN/network.safetensors               the newest averaged weights
    RUN/best.safetensors                  those of the best validation
    RUN/checkpoints/00010000.safetensors  those of the last checkpoints
    RUN/state.pt                          all that a resumed run goes on from
    RUN/.lock                             held while a process trains here

Each file is whole at every moment; `state.pt` is written last, so that nothing says done before the networks are.
"""

import io
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from apisr_data.errors import ConfigError, UsageError
from apisr_data.images import write_bytes
from apisr_model import checkpoint
from apisr_model.architectures import Config
from apisr_model.errors import WeightsError
from apisr_model.train.learner import Learner
from apisr_model.train.recipe import TrainRecipe

FILE = "state.pt"
NETWORK_FILE, BEST_FILE, CHECKPOINTS = "network.safetensors", "best.safetensors", "checkpoints"
_ENTRIES = {"generator", "ema", "optimizer", "step", "seconds", "best", "precision", "recipe", "manifest"}
_OURS = "[0-9]" * 8 + ".safetensors"
_MAY_CHANGE = ("iterations", "minutes", "checkpoint_every", "keep", "log_every")
"""Settings of [train] that a run may be resumed with other values of: when it ends, and what it writes when."""


@dataclass(frozen=True)
class RunFolder:
    """The folder of a run with one recipe on one manifest; `config` is the generator's."""

    path: Path
    recipe: TrainRecipe
    manifest: str
    """The digest of its rows."""
    config: Config

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others out; what a process that was killed while it wrote has left here goes.

        Raises:
            UsageError: another process trains here.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / ".lock", blocking=False)
        try:
            lock.acquire()
        except Timeout:
            raise UsageError(f"{self.path}: another process trains here; choose another -o") from None
        try:
            for pattern in (f".{FILE}.*.tmp", ".*.safetensors.*.part", f"{CHECKPOINTS}/.*.safetensors.*.part"):
                for left in self.path.glob(pattern):
                    left.unlink(missing_ok=True)
            yield
        finally:
            lock.release()

    def restore(self, learner: Learner) -> None:
        """Go on from `state.pt`.

        Raises:
            WeightsError: it is damaged or something else.
            ConfigError: it is that of another run; the message names the first setting that differs.
        """
        content = read(self.path / FILE)
        _check_same_run(content, self.recipe.model_dump(mode="json"), self.manifest, self.path / FILE)
        if (before := content["precision"]) != learner.precision:
            here = f"{learner.precision} here; set train.precision where it began, or choose another -o with --init"
            raise ConfigError(f"{self.path / FILE}: the run began in {before}, and precision {here}")
        learner.restore(content)

    def save(self, learner: Learner, *, is_best: bool) -> None:
        """Write all files, and remove the oldest of more than `train.keep` checkpoints.

        Raises:
            OSError: the disk is full or the folder cannot be written; what lies there stays whole.
        """
        network, recipe = self.recipe.network, self.recipe.model_dump(mode="json")
        order = {"channel_order": network.channel_order, "trained_order": network.channel_order}
        about = {**order, "step": learner.step, "manifest": self.manifest, "recipe": recipe}
        keep, folder = self.recipe.train.keep, self.path / CHECKPOINTS
        names = [NETWORK_FILE, *([BEST_FILE] if is_best else [])]
        paths = [self.path / name for name in names] + [folder / f"{learner.step:08d}.safetensors"] * bool(keep)
        learner.ema.eval()  # what a network merges for inference follows its weights
        buffer = io.BytesIO()
        torch.save({**learner.state(), "recipe": recipe, "manifest": self.manifest}, buffer)
        try:
            for path in paths:
                checkpoint.save(path, learner.ema, network.architecture, self.config, **about)
            write_bytes(buffer.getvalue(), self.path / FILE)
        except OSError as error:
            what = f"{error.strerror}, so step {learner.step:,} was not saved (state: {buffer.tell() / 1e6:,.0f} MB)"
            raise OSError(error.errno, what, str(self.path)) from error
        for old in sorted(folder.glob(_OURS))[: -keep or None]:
            old.unlink(missing_ok=True)


def read(path: Path) -> dict[str, Any]:
    """What `RunFolder.save` wrote.

    Raises:
        WeightsError: it is damaged or something else.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        missing = _ENTRIES - content.keys()
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise WeightsError(f"{path}: no state of a training run, or damaged: {reason}") from None
    if missing:
        raise WeightsError(f"{path}: no state of a training run: it lacks {', '.join(sorted(missing))}")
    return content


def _check_same_run(content: dict[str, Any], recipe: dict[str, Any], manifest: str, path: Path) -> None:
    for table, values in recipe.items():
        for key, value in values.items():
            before = content["recipe"].get(table, {}).get(key)
            if before != value and not (table == "train" and key in _MAY_CHANGE):
                began = f"{path}: the run began with {table}.{key} = {before}, not {value}"
                raise ConfigError(f"{began}; leave out --recipe and --set to go on so, or choose another -o")
    if content["manifest"] != manifest:
        raise ConfigError(f"{path}: the run began with another manifest or --where; choose another -o, with --init")
