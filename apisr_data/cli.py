"""apisr-data: curate a super-resolution training set from anime videos. Parses, calls, prints."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from apisr_data.command import make_app
from apisr_data.command import run as run_command
from apisr_data.errors import ApisrError, QueryError, UsageError

if TYPE_CHECKING:  # every command imports what it needs, so that --help answers at once
    from apisr_data.config import Settings
    from apisr_data.dataset import Dataset
    from apisr_data.stages import Report
    from apisr_data.terminal import Bars

    S = TypeVar("S", bound=Settings)

app = make_app("Turn anime videos into a curated super-resolution training set.")

DatasetPath = Annotated[Path, typer.Argument(help="The dataset folder.", metavar="DATASET", show_default=False)]
Sources = Annotated[
    list[Path], typer.Argument(help="Videos, folders of videos, folders of pictures.", metavar="SOURCES...")
]
Into = Annotated[Path, typer.Option("-d", "--dataset", help="The dataset folder; made where there is none.")]
Workers = Annotated[int | None, typer.Option(help="Videos at a time, each in a process; default: one a core.", min=0)]
Titles = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="CSV: path (glob), title, episode, source, licence.")
]
Force = Annotated[bool, typer.Option("--force", help="Do it again where it is done already.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say more of what happens.")]
HangTimeout = Annotated[float, typer.Option(help="Seconds of a decoder's silence after which its video fails.", min=1)]
Exact = Annotated[bool | None, typer.Option("--exact/--fast", help="Decode every frame to find the I-frames.")]
AssumeMatrix = Annotated[
    Literal["bt601", "bt709", "bt2020"] | None,
    typer.Option(help="Colour matrix of untagged video, in place of the guess."),
]
Weights = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="ICNet's ck.pth; default: the one in the cache.")
]
Device = Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where ICNet runs.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="A recipe's setting, such as select.per_video=20.")]
RecipeName = Annotated[
    str | None,
    typer.Option(help="A shipped recipe's name, or a TOML file; else the dataset's settings, else defaults."),
]
Where = Annotated[
    str | None, typer.Option(help="SQL condition over the columns of frames, scores and videos; none lifts it.")
]
Overrides = Annotated[
    Path | None,
    typer.Option(
        exists=True, dir_okay=False, help="CSV: frame_id, is_kept, reason; wins over every rule, and is remembered."
    ),
]


class Form(StrEnum):
    """How `query` prints."""

    table = "table"
    csv = "csv"
    json = "json"


@app.command()
def run(
    sources: Sources,
    dataset: Into = Path("dataset"),
    recipe: RecipeName = None,
    export: Annotated[Path | None, typer.Option(help="Also export the training set to this folder.")] = None,
    set_: Set = None,
    titles: Titles = None,
    overrides: Overrides = None,
    weights: Weights = None,
    device: Device = "auto",
    workers: Workers = None,
    hang_timeout: HangTimeout = 120.0,
    force: Force = False,
    verbose: Verbose = False,
) -> None:
    """All stages: extract, score, dedup, select, rescale, and the manifest; one decode before selection."""
    from apisr_data import pipeline
    from apisr_data.config import Recipe, load_recipe, override
    from apisr_data.dataset import create_dataset, is_dataset, open_dataset

    _set_up(verbose)
    in_force = open_dataset(dataset).recipe() if is_dataset(dataset) else Recipe()
    settings = override(load_recipe(recipe) if recipe else in_force, set_ or [])
    opened = create_dataset(dataset)
    start = time.monotonic()
    with _writing(opened) as bars:
        reports = pipeline.run(
            opened,
            sources,
            settings,
            export_to=export,
            weights=weights,
            device=device,
            titles_csv=titles,
            overrides_csv=overrides,
            workers=_workers(workers),
            hang_timeout_s=hang_timeout,
            force=force,
            progress=bars,
        )
        failed = _show_all(reports)
    rows = opened.manifest().num_rows
    _close(start, f"{opened.table_path('manifest')}: {rows:,} images", f"apisr-data report {_quoted(dataset)}", failed)


@app.command()
def extract(
    sources: Sources,
    dataset: Into = Path("dataset"),
    exact: Exact = None,
    assume_matrix: AssumeMatrix = None,
    titles: Titles = None,
    workers: Workers = None,
    hang_timeout: HangTimeout = 120.0,
    force: Force = False,
    verbose: Verbose = False,
) -> None:
    """Find every I-frame: a row of facts and a thumbnail each; no full picture is written."""
    from apisr_data.config import Extract
    from apisr_data.dataset import create_dataset
    from apisr_data.stages import extract as stage

    _set_up(verbose)
    opened = create_dataset(dataset)
    settings = _in_force(opened, "extract", Extract, exact=exact, assume_matrix=assume_matrix)
    start = time.monotonic()
    with _writing(opened) as bars:
        report = stage.extract(
            opened,
            sources,
            settings,
            titles_csv=titles,
            workers=_workers(workers),
            hang_timeout_s=hang_timeout,
            force=force,
            progress=bars,
        )
    _close(start, str(dataset / "tables"), f"apisr-data score {_quoted(dataset)}", _show_all([report]))


@app.command()
def score(
    dataset: DatasetPath,
    scorer: Annotated[Literal["auto", "icnet", "detail"] | None, typer.Option(help="Complexity scorer.")] = None,
    weights: Weights = None,
    device: Device = "auto",
    workers: Workers = None,
    hang_timeout: HangTimeout = 120.0,
    force: Force = False,
    verbose: Verbose = False,
) -> None:
    """Measure every frame: complexity, sharpness, blockiness, and the height each title was drawn at."""
    from apisr_data.config import Score
    from apisr_data.dataset import open_dataset
    from apisr_data.stages import score as stage

    _set_up(verbose)
    opened = open_dataset(dataset)
    settings = _in_force(opened, "score", Score, scorer=scorer)
    start = time.monotonic()
    with _writing(opened) as bars:
        scoring = stage.plan(settings, weights=weights, device=device)
        report = stage.score(
            opened, scoring, workers=_workers(workers), hang_timeout_s=hang_timeout, force=force, progress=bars
        )
    _close(start, str(dataset / "tables" / "scores"), f"apisr-data dedup {_quoted(dataset)}", _show_all([report]))


@app.command()
def dedup(
    dataset: DatasetPath,
    distance: Annotated[int | None, typer.Option(help="Largest Hamming distance of perceptual hashes, 0..7.")] = None,
    verbose: Verbose = False,
) -> None:
    """Find frames that show the same picture, and openings and endings that repeat, across all videos."""
    from apisr_data.config import Dedup
    from apisr_data.dataset import open_dataset
    from apisr_data.stages import dedup as stage

    _set_up(verbose)
    opened = open_dataset(dataset)
    settings = _in_force(opened, "dedup", Dedup, phash_distance=distance)
    start = time.monotonic()
    with _writing(opened) as bars:
        report = stage.dedup(opened, settings, progress=bars)
    _close(start, str(opened.table_path("duplicates")), f"apisr-data select {_quoted(dataset)}", _show_all([report]))


@app.command()
def select(
    dataset: DatasetPath,
    policy: Annotated[
        Literal["diverse", "paper"] | None, typer.Option(help="The rules; see docs/selection.md.")
    ] = None,
    per_video: Annotated[int | None, typer.Option(help="Frames kept of one video.", min=1)] = None,
    partitions: Annotated[int | None, typer.Option(help="Stretches of a video that share the quota.", min=1)] = None,
    where: Where = None,
    overrides: Overrides = None,
    verbose: Verbose = False,
) -> None:
    """Choose the training frames; every frame gets a verdict and its reason. Decodes nothing."""
    from apisr_data.config import Select
    from apisr_data.dataset import open_dataset
    from apisr_data.stages import select as stage

    _set_up(verbose)
    opened = open_dataset(dataset)
    flags = {"policy": policy, "per_video": per_video, "partitions": partitions, "where": where}
    settings = _in_force(opened, "select", Select, **flags)
    start = time.monotonic()
    with _writing(opened):
        report = stage.select(opened, settings, overrides=overrides)
    _close(start, str(opened.table_path("selection")), f"apisr-data rescale {_quoted(dataset)}", _show_all([report]))


@app.command()
def rescale(
    dataset: DatasetPath,
    height: Annotated[str | None, typer.Option(help="Height in px, or native.")] = None,
    kernel: Annotated[
        Literal["lanczos", "area", "paper"] | None, typer.Option(help="Resampling kernel; paper is the authors'.")
    ] = None,
    below: Annotated[
        Literal["keep", "refuse"] | None, typer.Option(help="A frame below the height: keep its size, or refuse it.")
    ] = None,
    workers: Workers = None,
    hang_timeout: HangTimeout = 120.0,
    verbose: Verbose = False,
) -> None:
    """Decode the chosen frames again, cut borders, bring them to 720P, and write PNG files and the manifest."""
    from apisr_data.config import Export, Rescale
    from apisr_data.dataset import open_dataset
    from apisr_data.stages import export as export_stage
    from apisr_data.stages import rescale as stage

    _set_up(verbose)
    opened = open_dataset(dataset)
    if height is not None and height != "native" and not (height.isdigit() and int(height) >= 16):
        raise UsageError(f"--height {height}: give a height in px from 16, or native")
    wanted = int(height) if height and height.isdigit() else height
    settings = _in_force(opened, "rescale", Rescale, height=wanted, kernel=kernel, below=below)
    start = time.monotonic()
    with _writing(opened) as bars:
        report = stage.rescale(opened, settings, workers=_workers(workers), hang_timeout_s=hang_timeout, progress=bars)
        export_stage.write_manifest(opened, _in_force(opened, "export", Export))
    _close(start, str(opened.table_path("manifest")), f"apisr-data export {_quoted(dataset)} OUT", _show_all([report]))


@app.command()
def export(
    dataset: DatasetPath,
    out: Annotated[Path, typer.Argument(help="A new folder.", metavar="OUT")],
    format_: Annotated[
        Literal["folder", "webdataset", "huggingface", "basicsr"] | None,
        typer.Option("--format", help="Layout; see docs/export.md."),
    ] = None,
    tile: Annotated[int | None, typer.Option(help="Cut the most complex tiles of this side, px.")] = None,
    val_fraction: Annotated[float | None, typer.Option(help="Share of the images held out.", min=0, max=0.99)] = None,
    hold_out: Annotated[
        list[str] | None,
        typer.Option(help="Hold out this title, and no other; repeatable. --val-fraction undoes it.", metavar="TITLE"),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Lay the training set out for a trainer: pictures, manifest, splits and a card."""
    from apisr_data.config import Export
    from apisr_data.dataset import open_dataset
    from apisr_data.stages import export as stage

    _set_up(verbose)
    opened = open_dataset(dataset)
    titles = hold_out or (None if val_fraction is None else [])
    settings = _in_force(
        opened, "export", Export, format=format_, tile=tile, val_fraction=val_fraction, hold_out=titles
    )
    start = time.monotonic()
    with _writing(opened) as bars:
        report = stage.export(opened, out, settings, workers=_workers(None), progress=bars)
    _close(start, str(out), f"apisr-data publish {_quoted(dataset)} RECIPE.parquet", _show_all([report]))


@app.command()
def publish(
    dataset: DatasetPath,
    recipe: Annotated[Path, typer.Argument(help="The Parquet file to write.", metavar="RECIPE.parquet")],
    verbose: Verbose = False,
) -> None:
    """Write the recipe of the training set without its pixels: which frame of which video, and what was done to it."""
    from apisr_data import replay as command
    from apisr_data.dataset import open_dataset
    from apisr_data.terminal import Bars

    _set_up(verbose)
    start = time.monotonic()
    with Bars() as bars:
        report = command.write_recipe(open_dataset(dataset), recipe, progress=bars)
    _close(start, str(recipe), f"apisr-data replay {_quoted(recipe)} VIDEOS... -o OUT", _show_all([report]))


@app.command()
def replay(
    recipe: Annotated[Path, typer.Argument(help="A recipe that `publish` wrote.", metavar="RECIPE.parquet")],
    videos: Annotated[list[Path], typer.Argument(help="Where the videos may be.", metavar="VIDEOS...")],
    out: Annotated[Path, typer.Option("-o", "--out", help="A new folder for the images.")],
    workers: Workers = None,
    hang_timeout: HangTimeout = 120.0,
    verbose: Verbose = False,
) -> None:
    """Rebuild a published training set, bit for bit, from the same videos."""
    from apisr_data import replay as command
    from apisr_data.terminal import Bars

    _set_up(verbose)
    start = time.monotonic()
    with Bars() as bars:
        report = command.replay(
            recipe, videos, out, workers=_workers(workers), hang_timeout_s=hang_timeout, progress=bars
        )
    _close(start, str(out), f"train on {_quoted(out / 'manifest.parquet')}", _show_all([report]))


@app.command()
def status(dataset: DatasetPath) -> None:
    """What is done, kept, filtered and failed, and why."""
    from apisr_data import status as command
    from apisr_data.dataset import open_dataset

    found = command.status(open_dataset(dataset))
    from apisr_data.terminal import OUT

    OUT.print(command.render(found))
    if found.failed:
        raise typer.Exit(1)


@app.command()
def report(
    dataset: DatasetPath,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The page to write; default: DATASET/report.html.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """One page to look at: what was kept and why, every frame, duplicates, videos; decide by a click or a key."""
    from apisr_data import report as command
    from apisr_data.dataset import open_dataset
    from apisr_data.terminal import ERR, OUT

    _set_up(verbose)
    start = time.monotonic()
    written = command.write_report(open_dataset(dataset), out)
    beside = f", its thumbnails in {written.pictures}" if written.pictures else ""
    decide = ", and download your decisions from it" if written.frames else ""
    OUT.print(f"{written.frames:,} frames; open the page in a browser{decide}{beside}", markup=False)
    behind = written.behind
    if behind and behind.state == "stale":
        ERR.print(f"warning: {behind.told}", style="yellow", markup=False)
    following = f"apisr-data select {_quoted(dataset)} --overrides overrides.csv"
    if behind and behind.stage == "extract":
        following = f"apisr-data extract VIDEOS... -d {_quoted(dataset)}"
    elif behind and behind.stage != "rescale":
        following = f"apisr-data {behind.stage} {_quoted(dataset)}"
    _close(start, str(written.path), following, False)


@app.command()
def audit(
    videos: Annotated[list[Path], typer.Argument(help="Videos, and folders of videos.", metavar="VIDEO...")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON: a list with one object a video.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Compare with a decode of every frame.")] = False,
    assume_matrix: AssumeMatrix = None,
    workers: Workers = None,
    hang_timeout: HangTimeout = 120.0,
    verbose: Verbose = False,
) -> None:
    """What a video is, how it was coded, and what extract would do with it; nothing is written."""
    from apisr_data import audit as command
    from apisr_data import engines, sources
    from apisr_data.terminal import ERR, OUT

    _set_up(verbose)
    found = sources.find(videos)
    jobs = [command.AuditJob(path, verify, assume_matrix) for path in sorted(found.videos)]
    errors: list[ApisrError] = list(found.errors)
    audits = []
    has_difference = False
    for outcome in engines.run(
        command.audit_job, jobs, workers=min(_workers(workers), len(jobs)), hang_timeout_s=hang_timeout
    ):
        if outcome.value is None:
            errors.append(outcome.error or ApisrError(f"{outcome.job.path}: no result"))
            continue
        audits.append(outcome.value)
        has_difference = has_difference or outcome.value.is_different
        if not json:
            OUT.print(command.render(outcome.value))
    if json:
        OUT.print("[" + ",\n".join(a.model_dump_json(indent=1) for a in audits) + "]", markup=False)
    for error in errors:
        ERR.print(f"failed: {error}", style="red", markup=False)
    if errors or has_difference:
        raise typer.Exit(1)


@app.command()
def query(
    dataset: DatasetPath,
    sql: Annotated[str, typer.Argument(help="One SELECT; 'SHOW TABLES' lists what there is.", metavar="SQL")],
    form: Annotated[Form, typer.Option("--format", help="How to print.")] = Form.table,
) -> None:
    """Ask the tables with SQL; reads only."""
    import duckdb

    from apisr_data import query as command
    from apisr_data.dataset import open_dataset
    from apisr_data.terminal import show_rows

    relation = command.query(open_dataset(dataset), sql)
    try:
        rows = relation.fetchall()
    except duckdb.Error as error:  # a query's own fault can show while its rows are made
        raise QueryError(str(error)) from None
    show_rows(relation.columns, rows, form.value)


def main() -> None:
    """Run the command."""
    run_command(app, kept="what was done is kept, and the same command goes on from there")


def _set_up(verbose: bool) -> None:
    from apisr_data.terminal import set_up_logging

    set_up_logging(is_verbose=verbose)


@contextmanager
def _writing(dataset: "Dataset") -> Iterator["Bars"]:
    from apisr_data.terminal import Bars

    with dataset.writing(), Bars() as bars:
        yield bars


def _in_force(dataset: "Dataset", stage: str, model: "type[S]", **flags: object) -> "S":
    """The settings that this dataset has for a stage, else the defaults, changed by the flags that were given."""
    from apisr_data.config import parse

    current: Settings = getattr(dataset.recipe(), stage)
    given = {key: None if value == "none" else value for key, value in flags.items() if value is not None}
    return parse(model, current.model_dump() | given, f"apisr-data {stage}")


def _workers(asked: int | None) -> int:
    import os

    return (
        asked
        if asked is not None
        else len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else (os.cpu_count() or 1)
    )


def _show_all(reports: "Iterator[Report] | list[Report]") -> bool:
    """Print each report as it comes; whether any input failed."""
    from apisr_data.terminal import show

    has_failures = False
    for report in reports:
        show(report)
        has_failures = has_failures or bool(report.failed)
    return has_failures


def _close(start: float, wrote: str, next_command: str, has_failures: bool) -> None:
    from apisr_data.terminal import OUT, seconds_since

    OUT.print(f"wrote {wrote} ({seconds_since(start)})\nnext: {next_command}", markup=False)
    if has_failures:
        raise typer.Exit(1)


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))


if __name__ == "__main__":
    main()
