"""The trainer: pairs in, a network out.

One step: draw pairs, run the network, compare by L1, follow the gradient with Adam, average the weights. Every draw is
a pure function of (seed, step): a run that was interrupted and resumed equals one that was not, bit for bit on a CPU.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from apisr_data.errors import ConfigError
from apisr_model import architectures, checkpoint
from apisr_model.architectures import State
from apisr_model.data import Manifest, Pairs, batches
from apisr_model.degrade import Degradation
from apisr_model.errors import TrainingError
from apisr_model.network import run_rgb
from apisr_model.train import state
from apisr_model.train.recipe import TrainRecipe, TrainSettings
from apisr_model.train.state import Learner, averaging_copy
from apisr_model.train.validation import Validation, validate

NETWORK_FILE = "network.safetensors"


@dataclass(frozen=True)
class Progress:
    """Where a run stands after a step; `fraction` of the whole, and the last validation where there was one."""

    step: int
    fraction: float
    loss: float
    samples_per_s: float
    seconds_left: float
    validation: Validation | None = None


@dataclass(frozen=True)
class Result:
    """What a run came to."""

    network: Path
    step: int
    steps_now: int
    """Of `step`, those of this session."""
    seconds: float
    validation: Validation | None
    is_finished: bool
    left_out: tuple[str, ...] = ()
    """Entries of `init` that the network has no place for, and entries of the network that `init` lacks."""


def train(
    run: Path,
    manifest: Manifest,
    recipe: TrainRecipe,
    *,
    device: str = "cpu",
    workers: int = 0,
    init: State | None = None,
    resume: bool = False,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Result:
    """Train, and keep `network.safetensors` (the averaged weights) and `state.pt` in the folder `run`.

    `should_stop` is asked between steps; when it says so, the run is saved as at its end and can be resumed. `resume`
    goes on from `state.pt`, or starts where there is none.

    Where it was stopped before the first step, there is neither file.

    Raises:
        ConfigError: the architecture does not take these settings, the state is that of another run, or there is no
            picture to train on.
        WeightsError: `state.pt` is damaged.
        ImageError: a picture of the manifest cannot be read.
        TrainingError: the loss is no longer finite.
        OSError: a checkpoint cannot be written; the last one is whole.
    """
    if not manifest.train:
        found = f"all {len(manifest.val):,} rows that were chosen have split 'val'"
        raise ConfigError(f"manifest {manifest.path}: nothing to train on: {found}")
    settings, network, order = recipe.train, recipe.network, recipe.network.channel_order
    architecture = architectures.get(network.architecture)
    own = {**network.config, "scale": network.scale}
    config = architectures.configure(network.architecture, variant=network.variant, **own)
    _check_crops(recipe, network.scale * architecture.multiple_of(config))

    torch.manual_seed(settings.seed)
    module = architecture.build(config).to(device)
    content = state.read(run / state.FILE) if resume and (run / state.FILE).exists() else None
    left_out = _start_from(module, architecture.rename(init)) if init is not None and content is None else ()
    optimizer = torch.optim.Adam(module.parameters(), settings.learning_rate, betas=(0.9, 0.99))
    learner = Learner(module, averaging_copy(module), optimizer)
    plain_recipe = recipe.model_dump(mode="json")
    if content is not None:
        state.check_same_run(content, plain_recipe, manifest.digest, run / state.FILE)
        learner.restore(content)

    degradation = Degradation(recipe.degradation, network.scale)
    pairs = Pairs(manifest.train, degradation, crop_px=recipe.data.crop_px, seed=settings.seed)
    val_pairs = Pairs(manifest.val, degradation, crop_px=recipe.validation.crop_px, seed=settings.seed, augment=False)
    val_images = min(len(manifest.val), recipe.validation.images)
    validation: Validation | None = None

    def keep() -> Validation | None:
        """Measure the averaged weights and write both files."""
        found = validate(learner.ema, val_pairs, val_images, network.scale, order, device) if val_images else None
        history = {"step": learner.step, "manifest": manifest.digest, "recipe": plain_recipe}
        orders = {"channel_order": order, "trained_order": order}
        checkpoint.save(run / NETWORK_FILE, learner.ema, network.architecture, config, **orders, **history)
        learner.save(run / state.FILE, plain_recipe, manifest.digest)  # last: nothing says done before the network is
        return found

    first, before = learner.step, learner.seconds
    start = time.monotonic()
    samples = range(first * settings.batch, 2**62)
    source = batches(pairs, samples, settings.batch, workers=workers, pin=device.startswith("cuda"))
    module.train()
    while (fraction := _fraction(settings, learner)) < 1 and not should_stop():
        batch = next(source)
        torch.manual_seed((settings.seed << 32 | learner.step) % 2**63)  # for networks that draw while training
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, learner.step, fraction)

        low_res = batch.low_res.to(device, non_blocking=True)  # (b, 3, crop / scale, crop / scale)
        high_res = batch.high_res.to(device, non_blocking=True)  # (b, 3, crop, crop)
        loss = functional.l1_loss(run_rgb(module, low_res, order), high_res)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if not math.isfinite(value := loss.item()):
            names = ", ".join(dict.fromkeys(batch.names))
            raise TrainingError(f"step {learner.step}: the L1 loss is {value}, on crops of {names}; lower the rate?")
        optimizer.step()
        learner.step += 1
        learner.average(settings.ema_decay)

        learner.seconds = before + time.monotonic() - start
        is_due = learner.step % settings.checkpoint_every == 0
        if is_due:
            validation = keep()
        on_progress(_progress(settings, learner, value, first, before, validation if is_due else None))
    is_kept = learner.step % settings.checkpoint_every == 0 if learner.step > first else (run / NETWORK_FILE).exists()
    if learner.step and not is_kept:
        validation = keep()
    steps = learner.step - first
    return Result(run / NETWORK_FILE, learner.step, steps, learner.seconds, validation, fraction >= 1, left_out)


def learning_rate(settings: TrainSettings, step: int, fraction: float) -> float:
    """The rate of step `step`, 0, 1, ..., with `fraction` of the run behind it."""
    rise = min(1.0, (step + 1) / settings.warmup) if settings.warmup else 1.0
    return settings.learning_rate * rise * (1 + math.cos(math.pi * fraction)) / 2


def _check_crops(recipe: TrainRecipe, multiple_of: int) -> None:
    for name, side in (("data", recipe.data.crop_px), ("validation", recipe.validation.crop_px)):
        if side % multiple_of:
            raise ConfigError(f"recipe: {name}.crop_px = {side}: this network takes multiples of {multiple_of}")


def _fraction(settings: TrainSettings, learner: Learner) -> float:
    by_step = learner.step / settings.iterations if settings.iterations else 0.0
    by_time = learner.seconds / (60 * settings.minutes) if settings.minutes else 0.0
    return min(1.0, max(by_step, by_time))


def _progress(
    settings: TrainSettings, learner: Learner, loss: float, first: int, before: float, validation: Validation | None
) -> Progress:
    fraction = _fraction(settings, learner)
    seconds_left = learner.seconds * (1 / fraction - 1)
    rate = (learner.step - first) * settings.batch / max(learner.seconds - before, 1e-9)
    return Progress(learner.step, fraction, loss, rate, seconds_left, validation)


def _start_from(module: nn.Module, init: State) -> tuple[str, ...]:
    """Fill the entries that `init` has in the same shape; the names of the others on either side."""
    own = module.state_dict()
    fitting = {key: value for key, value in init.items() if key in own and own[key].shape == value.shape}
    module.load_state_dict(fitting, strict=False)
    return tuple(sorted((own.keys() | init.keys()) - fitting.keys()))
