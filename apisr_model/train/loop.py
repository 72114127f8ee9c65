"""The trainer: pairs in, a network out.

Take a batch, make a step, and now and then measure and save. Every draw is a pure function of (seed, step): a run that
was interrupted and resumed equals one that was not, bit for bit on a CPU.
"""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator

from apisr_data.errors import ApisrError, ConfigError, ImageError, InputError
from apisr_model import architectures, checkpoint
from apisr_model.architectures import State
from apisr_model.data import Manifest, deaths_told
from apisr_model.losses import discriminator
from apisr_model.train import feed, objective, state
from apisr_model.train import learner as learners
from apisr_model.train.board import Board
from apisr_model.train.recipe import TrainRecipe
from apisr_model.train.schedule import Pace, fraction, learning_rate
from apisr_model.train.state import RunFolder
from apisr_model.train.step import Step
from apisr_model.train.validation import HeldOut, Validation

log = logging.getLogger(__name__)

TARGETS = "targets"
"""Folder of a run that keeps its enhanced pictures: one takes 250 ms to make."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands after a step; `fraction` of the whole, and the validation where there was one."""

    step: int
    fraction: float
    told: Mapping[str, float]
    """The weighted terms of the losses and the norms of the gradients, by name."""
    samples_per_s: float
    waiting: float
    """Share of the last steps' time that went by until data came."""
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
    """Of the weights that are handed out; None where they were saved unmeasured."""
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
    """Train, and keep in the folder `run` what `train.state` lists, and TensorBoard's curves.

    `should_stop` is asked between steps; when it says so, the run is saved and can be resumed. `resume` goes on from
    `state.pt`, or starts where there is none. A run that was stopped before its first step leaves no network. Started
    by `accelerate launch`, every process calls this, and they share each batch.

    Raises:
        ConfigError: the networks do not take these settings, the state is that of another run, or there is no picture
            to train on.
        WeightsError: `state.pt` is damaged, or perceptual weights are absent.
        DeviceError: the precision is not to be had on the device.
        ImageError: a picture of the manifest cannot be read.
        TrainingError: the loss is no longer finite, or a worker died.
        OSError: a checkpoint cannot be written; the last one is whole.
    """
    settings, network = recipe.train, recipe.network
    # this process, or those that `accelerate launch` has started; the recipe decides on precision and compilation
    team = Accelerator(cpu=device == "cpu", mixed_precision="no", dynamo_backend="no")
    place = team.device if team.num_processes > 1 else torch.device(device)
    architecture = architectures.get(network.architecture)
    own = {**network.config, "scale": network.scale}
    config = architectures.configure(network.architecture, variant=network.variant, **own)
    _check(recipe, manifest, network.scale * architecture.multiple_of(config), team.num_processes)
    dtype = checkpoint.find_dtype(settings.precision, str(place))

    torch.manual_seed(settings.seed)
    learner = learners.make(architecture.build(config), recipe, place, dtype)
    folder = RunFolder(run, recipe, manifest.digest, config)
    left_out: tuple[str, ...] = ()
    if resume and (run / state.FILE).exists():
        folder.restore(learner)
    elif init is not None:
        left_out = learner.start_from(architecture.rename(init))
        if left_out:
            log.warning("left out of what the run starts from, %d entries: %s", len(left_out), ", ".join(left_out))
    with team.local_main_process_first():  # the first one fetches what is not there
        losses = objective.load(recipe.losses, place)
    step = Step(learner, losses, recipe, team, place, dtype)
    source = feed.batches(
        manifest,
        recipe,
        run / TARGETS,
        step=learner.step,
        device=place,
        workers=workers,
        rank=team.process_index,
        world=team.num_processes,
    )
    held_out = HeldOut(manifest.val, recipe, run / TARGETS, place)
    validation: Validation | None = None

    def keep(board: Board) -> Validation | None:
        """Measure the averaged weights, and write all files."""
        found = None
        try:
            found = held_out.measure(learner.ema, partial(board.picture, learner.step))
        except InputError as error:
            log.warning("step %d is not measured: %s", learner.step, error)
        if found:
            board.validation(learner.step, found)
        is_best = found is not None and found.is_better_than(learner.best)
        learner.best = found.value if found and is_best else learner.best
        folder.save(learner, is_best=is_best)
        return found

    first, before, start = learner.step, learner.seconds, time.monotonic()
    kept = first if (run / state.NETWORK_FILE).exists() else 0
    done = fraction(settings, first, before)
    pace = Pace(start, done)
    is_main = team.is_main_process
    with (
        folder.locked() if is_main else nullcontext(),
        deaths_told(),
        Board(run, first) if is_main else nullcontext() as board,
    ):
        while done < 1 and not _mains(team, should_stop()):
            asked = time.monotonic()
            try:
                batch = next(source)
            except ApisrError:
                if board is not None and learner.step != kept:  # once mended in its place, the run goes on from here
                    folder.save(learner, is_best=False)
                raise
            waited = time.monotonic() - asked
            rate = learning_rate(settings, learner.step, done)
            told = step(batch, rate)

            now = time.monotonic()
            learner.seconds = _mains(team, before + now - start)
            done = fraction(settings, learner.step, learner.seconds)
            pace.step(now, waited, done)
            if board is None:
                continue
            speed = pace.steps_per_s * settings.batch
            if learner.step % settings.log_every == 0:
                board.step(learner.step, told, learning_rate=rate, samples_per_s=speed, waiting=pace.waiting)
            if is_due := learner.step % settings.checkpoint_every == 0 or done >= 1:
                validation, kept = keep(board), learner.step
            found = validation if is_due else None
            on_progress(Progress(learner.step, done, told, speed, pace.waiting, pace.seconds_left, found))
        if board is not None and learner.step != kept:  # stopped, or the network was removed
            folder.save(learner, is_best=False)
            validation = None
    team.wait_for_everyone()  # who ends first ends the others, and the first one has to save
    now = learner.step - first
    return Result(run / state.NETWORK_FILE, learner.step, now, learner.seconds, validation, done >= 1, left_out)


def _check(recipe: TrainRecipe, manifest: Manifest, multiple_of: int, processes: int) -> None:
    """Refuse what cannot work before any work is done."""
    if not manifest.train:
        found = f"all {len(manifest.val):,} rows that were chosen have split 'val'"
        raise ConfigError(f"manifest {manifest.path}: nothing to train on: {found}")
    rows = [*manifest.train, *manifest.val]
    if absent := [row for row in rows if not row.path.exists() or (row.low_res and not row.low_res.exists())]:
        found = f"{len(absent):,} of {len(rows):,} pictures are not where the manifest {manifest.path} has them"
        raise ImageError(f"{found}; the first is '{absent[0].name}'")
    settings, sides = recipe.train, {"data": recipe.data.crop_px, "validation": recipe.validation.crop_px}
    for table, side in sides.items():
        if side % multiple_of:
            raise ConfigError(f"recipe: {table}.crop_px = {side}: this network takes multiples of {multiple_of}")
    if recipe.losses.adversarial and recipe.data.crop_px < discriminator.MIN_SIDE_PX:
        least = discriminator.MIN_SIDE_PX
        raise ConfigError(f"recipe: data.crop_px = {recipe.data.crop_px}: the discriminator takes {least} and more")
    if settings.batch % (processes * settings.accumulate):
        raise ConfigError(
            f"recipe: train.batch = {settings.batch} is not shared evenly by {processes} processes in "
            f"{settings.accumulate} parts each"
        )


def _mains(team: Accelerator, value: float) -> float:
    """What the main process has, in every process: they stop at the same step, at the same rate."""
    if team.num_processes == 1:
        return value
    mine = torch.tensor(float(value) if team.is_main_process else 0.0, device=team.device)
    return float(team.reduce(mine, "sum"))
