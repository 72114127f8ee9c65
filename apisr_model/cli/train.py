"""`apisr-model train`."""

import os
import shlex
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from apisr_data.terminal import Bars
    from apisr_model.architectures import State
    from apisr_model.data import Manifest
    from apisr_model.train.loop import Progress, Result
    from apisr_model.train.recipe import TrainRecipe
    from apisr_model.train.validation import Validation

DEFAULT_RECIPES = {"cuda": "train_pixel_x4"}
"""By the kind of device, where no recipe is named; train_quick elsewhere."""
_ABOUT = {
    "train_quick": "train_quick, a tiny network trained for about a minute, to look at; real ones want a GPU",
    "train_pixel_x4": "train_pixel_x4, the paper's first stage; train_gan_x4 with --init goes on from it",
}
_TARGETS = {
    "raw": "the pictures as they are",
    "pseudo_gt": "the pictures with their lines enhanced",
    "unsharp": "the pictures sharpened once",
}

ManifestPath = Annotated[Path, typer.Argument(help="What `apisr-data run --export` wrote.", metavar="MANIFEST")]
RecipeName = Annotated[
    str | None,
    typer.Option(
        help="A shipped recipe's name, or a TOML file; default: the resumed run's, else train_pixel_x4 on a CUDA GPU "
        "and train_quick elsewhere."
    ),
]
Run = Annotated[
    Path | None, typer.Option("-o", "--output", help="The run's folder; default: runs/RECIPE.", show_default=False)
]
Init = Annotated[
    str | None, typer.Option(help="Start from these weights: a file, or a name of `weights list`; what fits is taken.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where the run stopped; start where there is none.")]
Where = Annotated[
    str | None,
    typer.Option(help="SQL condition over the manifest's columns, such as \"title = 'X' AND time_s < 600\"."),
]
Set = Annotated[list[str] | None, typer.Option("--set", help="A recipe's setting, such as train.minutes=5.")]
Device = Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where the network is trained.")]
Workers = Annotated[
    int | None, typer.Option(help="Processes that make pairs; default: 0 on a CPU, else up to 8.", min=0)
]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say more of what happens.")]


def train(
    manifest: ManifestPath,
    recipe: RecipeName = None,
    output: Run = None,
    init: Init = None,
    resume: Resume = False,
    where: Where = None,
    set_: Set = None,
    device: Device = "auto",
    workers: Workers = None,
    verbose: Verbose = False,
) -> None:
    """Train a network on a manifest's pictures; it can be stopped at any time and resumed."""
    from apisr_data import terminal
    from apisr_model import checkpoint, cores
    from apisr_model.data import read_manifest
    from apisr_model.train import loop
    from apisr_model.train.state import FILE

    terminal.set_up_logging(is_verbose=verbose)
    began = time.monotonic()
    terminal.OUT.quiet = os.environ.get("RANK", "0") != "0"  # of several processes the first one talks
    place = checkpoint.find_device(device)
    usual = DEFAULT_RECIPES.get(place, "train_quick")
    run = output or Path("runs") / Path(recipe or usual).stem
    settings = _recipe(recipe, usual, set_ or [], run, resume=resume)
    rows = read_manifest(manifest, where)
    state = _init(init, settings) if init else None
    if init and resume and (run / FILE).exists():
        terminal.OUT.print(f"{run} has begun: it goes on, and --init is left out", markup=False)
    count = workers if workers is not None else 0 if place == "cpu" else min(8, max(1, cores.mine() - 1))
    _announce(settings, rows, place)
    with terminal.Bars() as bars, _interruption() as stopped:
        result = loop.train(
            run,
            rows,
            settings,
            device=place,
            workers=count,
            init=state,
            resume=resume,
            on_progress=_on(bars),
            should_stop=stopped.is_set,
        )
    _close(result, began)


def _recipe(name: str | None, usual: str, assignments: list[str], run: Path, *, resume: bool) -> "TrainRecipe":
    """The settings asked for; those that the run began with, where it is resumed and none are named; else `usual`."""
    from apisr_data.config import load_recipe_as, override, parse
    from apisr_data.errors import UsageError
    from apisr_data.terminal import OUT
    from apisr_model.train import state
    from apisr_model.train.recipe import TrainRecipe

    begun = run / state.FILE
    if begun.exists() and not resume:
        raise UsageError(f"{run} holds a run already: go on with --resume, or choose another folder with -o")
    if begun.exists() and name is None:
        began_with = parse(TrainRecipe, state.read(begun)["recipe"], str(begun))
        return override(began_with, assignments)
    if name is None:
        OUT.print(f"no --recipe: {_ABOUT[usual]}", markup=False)
    return override(load_recipe_as(TrainRecipe, name or usual, job="train"), assignments)


def _init(name: str, settings: "TrainRecipe") -> "State":
    """The weights to start from, which must have learned from channels in the order in which they go on."""
    from apisr_data.errors import UsageError
    from apisr_model import checkpoint, weights

    path, entry = weights.resolve(name)
    state, metadata = checkpoint.read(path)
    published, trained = checkpoint.channel_orders(metadata, entry)
    if (found := trained or published) != settings.network.channel_order:
        raise UsageError(
            f"--init {name} learned from {found.upper()}, and this run feeds {settings.network.channel_order.upper()}: "
            f"add --set network.channel_order={found} to go on in its order"
        )
    return state


def _announce(settings: "TrainRecipe", rows: "Manifest", device: str) -> None:
    from apisr_data.terminal import ERR, OUT

    network, train = settings.network, settings.train
    ends = [
        f"{train.iterations:,} steps" if train.iterations else "",
        f"{train.minutes:g} min" if train.minutes else "",
    ]
    pictures = f"{len(rows.train):,} pictures to train, {len(rows.val):,} to validate"
    work = f"{train.batch:,} crops of {settings.data.crop_px} px a step, for {' or '.join(filter(None, ends))}"
    OUT.print(f"{network.architecture} {network.scale}x on {device}: {pictures}; {work}", markup=False)
    losses, learned = settings.losses, []
    learned += ["L1"] if losses.pixel else []
    learned += ["perceptual"] if losses.perceptual else []
    learned += ["adversarial"] if losses.adversarial else []
    OUT.print(f"learns from {' + '.join(learned)}, towards {_TARGETS[settings.target.kind]}", markup=False)
    if not rows.val:
        ERR.print("  warning: no row has split 'val', so nothing tells how good the network is", style="yellow")


@contextmanager
def _interruption() -> Iterator[Event]:
    """An event that the first Ctrl-C or SIGTERM sets: the run stops between two steps. A second one breaks it off."""
    stopped = Event()
    first = 0.0
    patience_s = 20 if "RANK" in os.environ else 0  # a launcher of several processes passes the same signal on again
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def stop(_number: int, _frame: object) -> None:
        nonlocal first
        if not stopped.is_set():
            first = time.monotonic()
            stopped.set()
        elif time.monotonic() - first > patience_s:
            raise KeyboardInterrupt

    for number in before:
        signal.signal(number, stop)
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _on(bars: "Bars") -> "Callable[[Progress], None]":
    """Hundredths of the run as a bar; a line a validation, and a warning where colours drift."""
    from apisr_data.terminal import ERR, OUT
    from apisr_model.train.validation import MOST_DRIFT

    follow = bars.follow("train", "%")

    def progress(now: "Progress") -> None:
        follow(100 * now.fraction, 100)
        if now.validation:
            loss = ", ".join(f"{name} {value:.4f}" for name, value in now.told.items() if "gradient" not in name)
            speed = f"{now.samples_per_s:,.0f} crops/s" + (f", {now.waiting:.0%} waiting" if now.waiting > 0.1 else "")
            told = f"step {now.step:,}: {loss}, {_told(now.validation)}"
            OUT.print(f"{told}; {speed}, {now.seconds_left:,.0f} s left", markup=False)
            if max(map(abs, now.validation.drift)) > MOST_DRIFT:
                drift = ", ".join(f"{levels:+.1f}" for levels in now.validation.drift)
                warning = f"the mean colour of the output strays by {drift} levels of 255 (red, green, blue)"
                ERR.print(f"  warning: step {now.step:,}: {warning}", style="yellow")

    return progress


def _told(found: "Validation") -> str:
    pictures = f"{found.images} held-out picture{'s' if found.images != 1 else ''}"
    told = f"{found.psnr:.2f} dB on {pictures} ({found.psnr - found.bicubic_psnr:+.2f} over bicubic)"
    if found.metric == "psnr" and found.value == found.psnr:
        return told
    name = "dB to the enhanced lines" if found.metric == "psnr" else found.metric
    return f"{told}, {found.value:.4g} {name} (bicubic {found.bicubic_value:.4g})"


def _close(result: "Result", began: float) -> None:
    from apisr_data.terminal import OUT, seconds_since
    from apisr_model.train.board import FOLDER

    if not result.step:
        OUT.print("stopped before the first step: nothing was written", markup=False)
        raise KeyboardInterrupt
    nothing = "the run was done already" if result.is_finished else "no step further"
    did = f"{result.steps_now:,} steps" if result.steps_now else nothing
    found = f", {_told(result.validation)}" if result.validation else ""
    OUT.print(f"wrote {result.network}: step {result.step:,}, {did}{found} ({seconds_since(began)})", markup=False)
    OUT.print(f"curves: tensorboard --logdir {shlex.quote(str(result.network.parent / FOLDER))}", markup=False)
    if not result.is_finished:
        raise KeyboardInterrupt
    OUT.print(f"next: apisr-model upscale PICTURE --weights {shlex.quote(str(result.network))}", markup=False)
