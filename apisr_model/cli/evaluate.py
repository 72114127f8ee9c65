"""`apisr-model evaluate`."""

import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from apisr_data.images import Rgb
    from apisr_model.evaluate.samples import Case, Sample
    from apisr_model.evaluate.scoring import Score
    from apisr_model.evaluate.systems import System
    from apisr_model.metrics import Metric
    from apisr_model.network import Network

SHOWN_NAMES = 20
"""Pictures and failures that are listed; the Parquet file lists all."""

SHOWN_PICTURES = 6
"""Whose places the page enlarges, spread evenly over all."""

Source = Annotated[
    Path,
    typer.Argument(help="A manifest, or a folder of low-resolution pictures, or of clips.", metavar="MANIFEST|FOLDER"),
]
Weights = Annotated[
    list[str] | None, typer.Option("-w", "--weights", help="A file, or a name of `weights list`; repeatable.")
]
Results = Annotated[list[str] | None, typer.Option(help="NAME=FOLDER: pictures that another system made; repeatable.")]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", help="Folder for scores.parquet, index.html and low_res/, the inputs that were made."
    ),
]
Scale = Annotated[int | None, typer.Option(help="Of the comparison; default: the networks', else 4.", min=1)]
MetricNames = Annotated[
    str | None,
    typer.Option("--metrics", help="psnr, ssim, line_f1, consistency, niqe; with pyiqa maniqa, clipiqa, lpips."),
]
RecipeName = Annotated[
    str | None,
    typer.Option(
        help="Of a manifest: spoil pictures as this training recipe does; default: the paper's way. Of a folder: take "
        "frames of its clips as this protocol does, such as evaluate_avc_reallq."
    ),
]
Where = Annotated[str | None, typer.Option(help="Of a manifest: SQL condition over its columns.")]
Images = Annotated[int | None, typer.Option(help="At most so many pictures, the first ones.", min=1)]
Seed = Annotated[int, typer.Option(help="Of what is drawn to spoil the pictures.", min=0)]
NiqeReference = Annotated[
    Path | None, typer.Option(help="Manifest whose training pictures NIQE compares with, in place of photographs.")
]
ChannelOrder = Annotated[
    Literal["trained", "published"] | None,
    typer.Option(help="Feed the weights as they were trained, or as their authors do; default: published."),
]
Device = Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where networks run.")]
Precision = Annotated[
    Literal["auto", "fp32", "bf16", "fp16"], typer.Option(help="Of the arithmetic; auto is fp32 on a CPU.")
]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say more of what happens.")]


def evaluate(
    source: Source,
    weights: Weights = None,
    results: Results = None,
    output: Output = None,
    scale: Scale = None,
    metrics: MetricNames = None,
    recipe: RecipeName = None,
    where: Where = None,
    images: Images = None,
    seed: Seed = 0,
    niqe_reference: NiqeReference = None,
    channel_order: ChannelOrder = None,
    device: Device = "auto",
    precision: Precision = "auto",
    verbose: Verbose = False,
) -> None:
    """Score networks, and other systems' pictures, side by side with a bicubic enlargement."""
    from apisr_data import tables, terminal
    from apisr_data.images import encode_png, write_bytes
    from apisr_model import checkpoint
    from apisr_model.evaluate import files, page, scoring, systems
    from apisr_model.evaluate.choice import choose_metrics
    from apisr_model.evaluate.page import Shown

    terminal.set_up_logging(is_verbose=verbose)
    began = time.monotonic()
    place = checkpoint.find_device(device)
    folders = _folders(results or [])
    loaded = [checkpoint.load(w, place, precision=precision, channel_order=channel_order) for w in weights or []]
    common = systems.common_scale(loaded, scale)
    all_cases = _cases(source, common, recipe, where, seed)
    cases, names = all_cases[:images], [case.name for case in all_cases]
    others = [systems.results(name, folder, names) for name, folder in folders]
    compared = [systems.bicubic(common), *systems.networks(loaded), *others]
    _check_names(compared)
    asked = [name.strip() for name in (metrics or "").split(",") if name.strip()]
    chosen = choose_metrics(asked, has_reference=not source.is_dir(), niqe_reference=niqe_reference, device=place)
    if output:  # a place that cannot be written is told before the work
        output.mkdir(parents=True, exist_ok=True)
    _announce(compared, chosen, cases)
    scores = []
    shown: dict[str, Shown] = {}
    count = min(SHOWN_PICTURES if output else 0, len(cases))
    wanted = {cases[number * len(cases) // count].name for number in range(count)}
    stems = files.stems(names)

    def keep(case: "Case", sample: "Sample", system: "System", result: "Rgb") -> None:
        if case.name in wanted:
            shown.setdefault(case.name, Shown(sample)).results[system.name] = result
        if output and system is compared[0] and (sample.drawn or case.source):  # for other systems to be tried on
            write_bytes(encode_png(sample.low_res), output / "low_res" / f"{stems[case.name]}.png")

    with terminal.Bars() as bars:
        bars.begin("evaluate", len(cases) * len(compared), "results")
        for found in scoring.score(cases, compared, chosen, keep):
            scores.append(found)
            bars.advance(1)
    _show(scores, chosen)
    if output:
        tables.write(scoring.table(chosen).rows(scoring.rows(scores, compared)), output / "scores.parquet")
        means = scoring.summarize(scores, chosen)
        text = page.render(f"Evaluation of {source.name}", compared, chosen, means, shown, scores)
        write_bytes(text.encode(), output / "index.html")
    again = f"apisr-model evaluate {shlex.quote(str(source))}" + (f" --recipe {shlex.quote(recipe)}" if recipe else "")
    _close(began, output, again, loaded, scores)


def _folders(texts: Sequence[str]) -> list[tuple[str, Path]]:
    from apisr_data.errors import ConfigError, UsageError

    pairs = [text.partition("=") for text in texts]
    for text, (name, equals, folder) in zip(texts, pairs, strict=True):
        if not (name and equals and folder):
            raise UsageError(f"--results {text}: not NAME=FOLDER")
        if not Path(folder).is_dir():
            raise ConfigError(f"--results {text}: no such folder")
    return [(name, Path(folder)) for name, _, folder in pairs]


def _check_names(compared: "Sequence[System]") -> None:
    from apisr_data.errors import UsageError

    names = [system.name for system in compared]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise UsageError(f"two systems are called '{twice[0]}'; give one of them another name or file name")


def _cases(source: Path, scale: int, recipe: str | None, where: str | None, seed: int) -> "list[Case]":
    from apisr_data.config import load_recipe_as
    from apisr_data.errors import ConfigError, UsageError
    from apisr_data.terminal import Bars
    from apisr_model.data import read_manifest
    from apisr_model.degrade import Degradation, DegradationConfig
    from apisr_model.evaluate import protocol, samples
    from apisr_model.train.recipe import TrainRecipe

    if source.is_dir():
        if where:
            raise UsageError("--where is for a manifest; a folder has no columns")
        if recipe is None:
            return samples.from_folder(source)
        taken = load_recipe_as(protocol.Protocol, recipe, job="evaluate")
        with Bars() as bars:
            return protocol.from_clips(source, taken, bars.follow("look", "clips"))
    held_out = read_manifest(source, where).val
    if not held_out:
        raise ConfigError(f"manifest {source}: no row has split 'val'; export with a larger --val-fraction")
    config = load_recipe_as(TrainRecipe, recipe, job="train").degradation if recipe else DegradationConfig()
    return samples.from_manifest(held_out, Degradation(config, scale), scale, seed=seed)


def _announce(compared: "Sequence[System]", chosen: "Sequence[Metric]", cases: "Sequence[Case]") -> None:
    """What the figures are of: systems, variants, licences, pictures."""
    from apisr_data.terminal import OUT

    for system in compared:
        OUT.print(f"{system.name}: {system.about}", markup=False)
    for metric in chosen:
        licence = f" ({metric.licence})" if metric.licence else ""
        OUT.print(f"{metric.name}: {metric.about}{licence}", markup=False)
    names = ", ".join(case.name for case in cases[:SHOWN_NAMES])
    more = f" and {len(cases) - SHOWN_NAMES:,} more" if len(cases) > SHOWN_NAMES else ""
    OUT.print(f"{len(cases):,} picture{'s' if len(cases) != 1 else ''}: {names}{more}", markup=False)


def _show(scores: "Sequence[Score]", chosen: "Sequence[Metric]") -> None:
    """The table of means, and what they leave out."""
    from apisr_data.terminal import ERR, show_rows
    from apisr_model.evaluate.page import figure
    from apisr_model.evaluate.scoring import counted_images, summarize

    heads = [f"{metric.name} {metric.arrow}" for metric in chosen]
    rows = [(s.system, *map(figure, s.means.values())) for s in summarize(scores, chosen)]
    show_rows(["system", *heads], rows, "table")
    pictures = len({score.image for score in scores})
    for metric in chosen:
        if (counted := len(counted_images(scores, metric.name))) < pictures:
            told = f"{metric.name}: over {counted:,} of {pictures:,} pictures, those on which every system has a value"
            ERR.print(f"  {told}", style="yellow", markup=False)
    failed: dict[tuple[str, str], list[str]] = {}
    for score in scores:
        if score.error:  # what cannot be read fails for every system alike
            failed.setdefault((score.image, score.error), []).append(score.system)
    for (image, error), systems in list(failed.items())[:SHOWN_NAMES]:
        ERR.print(f"  failed: {image}, {', '.join(systems)}: {error}", style="red", markup=False)
    if len(failed) > SHOWN_NAMES:
        ERR.print(f"  and {len(failed) - SHOWN_NAMES:,} more failed", style="red", markup=False)


def _close(
    began: float, output: Path | None, again: str, loaded: "Sequence[Network]", scores: "Sequence[Score]"
) -> None:
    from apisr_data.terminal import OUT, seconds_since

    if output:
        pictures = f" and the inputs in {output / 'low_res'}" if (output / "low_res").is_dir() else ""
        OUT.print(
            f"wrote {output / 'index.html'}, {output / 'scores.parquet'}{pictures} ({seconds_since(began)})",
            markup=False,
        )
    if any(score.error for score in scores):
        raise typer.Exit(1)
    if not output:
        OUT.print(f"next: {again} -o FOLDER keeps every picture's scores", markup=False)
    elif loaded:
        OUT.print(f"next: apisr-model upscale PICTURE --weights {shlex.quote(loaded[0].origin)}", markup=False)
    else:
        OUT.print(f"next: {again} --weights NAME (weights list shows names)", markup=False)
