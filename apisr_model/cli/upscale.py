"""`apisr-model upscale`: pictures and videos through a network."""

import errno
import re
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from apisr_data.terminal import Bars
    from apisr_model.network import Network
    from apisr_model.upscale.files import Job, Plan
    from apisr_model.upscale.picture import Picture
    from apisr_model.upscale.upscaler import Upscaler

Inputs = Annotated[list[Path], typer.Argument(help="Pictures, videos, and folders of them.", metavar="INPUT...")]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", help="A file, or a folder that mirrors an input folder; default: NAME.apisr.EXT."),
]
Weights = Annotated[
    list[str] | None,
    typer.Option("-w", "--weights", help="A file, or a name of `weights list`; repeatable with --preview."),
]
Scale = Annotated[float | None, typer.Option(help="Output side over input side; default: the network's.")]
Height = Annotated[int | None, typer.Option(help="Height of the output in px; the width follows.", min=1)]
Strength = Annotated[float, typer.Option(help="1: the network's result; 0: a plain resize.", min=0, max=1)]
MatchColour = Annotated[bool, typer.Option("--match-colour", help="Keep the colour of large areas as in the input.")]
Tile = Annotated[str, typer.Option(help="Largest side of a tile in px, or auto: as memory and speed allow.")]
ChannelOrder = Annotated[
    Literal["trained", "published"] | None,
    typer.Option(help="Feed the weights as they were trained, or as their authors do; default: published."),
]
Device = Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where the network runs.")]
Precision = Annotated[
    Literal["auto", "fp32", "bf16", "fp16"], typer.Option(help="Of the arithmetic; auto is fp32 on a CPU.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Leave out inputs whose output is there and not older.")]
Force = Annotated[
    bool, typer.Option("--force", help="Overwrite outputs, finished videos too; start interrupted ones anew.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Fetch no weights.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say more of what happens.")]
PictureFormat = Annotated[
    str | None,
    typer.Option("--format", help="Of pictures: png, jpeg, webp, avif, tiff; default: the input's if lossless."),
]
Compare = Annotated[
    str | None,
    typer.Option(metavar="LABEL", help="Of pictures: also draw input, plain resize and result, so labelled, beside."),
]
Quality = Annotated[int | None, typer.Option(help="Of JPEG, WebP and AVIF, 0..100.", min=0, max=100)]
Start = Annotated[
    str | None, typer.Option(help="Of videos: begin there, at seconds or [H:]MM:SS; a part is NAME.90-110s.")
]
Duration = Annotated[str | None, typer.Option(help="Of videos: so much of it; seconds or [H:]MM:SS.")]
Preview = Annotated[int | None, typer.Option(help="Of a video: N frames before and after as one page.", min=1)]
Deinterlace = Annotated[
    Literal["auto", "off"], typer.Option(help="Of videos: undo telecine, deinterlace where the fields say so.")
]
Codec = Annotated[
    str, typer.Option(help="Of videos: h264, hevc, av1, ffv1 or an encoder's name; auto: h264, hevc for 10 bits.")
]
Crf = Annotated[int | None, typer.Option(help="Of videos: constant quality, lower is better.", min=0)]
EncoderOption = Annotated[
    list[str] | None, typer.Option("--encoder-option", help="Of videos: KEY=VALUE for the encoder; repeatable.")
]
Container = Annotated[
    Literal["mkv", "mp4", "mov"] | None, typer.Option(help="Of videos: default the input's, else mkv.")
]
Hold = Annotated[bool, typer.Option("--hold/--no-hold", help="Of videos: compute repeated drawings once.")]
HoldThreshold = Annotated[
    float | None, typer.Option(help="Of videos: difference below which a drawing is the one before.", min=0)
]
DropStreams = Annotated[
    str | None, typer.Option(help="Of videos: streams to leave out, by number or kind, as in 3,subtitle.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Of videos: discard what an interrupted run left.")]
AssumeMatrix = Annotated[
    Literal["bt601", "bt709", "bt2020"] | None, typer.Option(help="Of videos: colour matrix where none is tagged.")
]


def upscale(
    inputs: Inputs,
    output: Output = None,
    weights: Weights = None,
    scale: Scale = None,
    height: Height = None,
    strength: Strength = 1.0,
    match_colour: MatchColour = False,
    tile: Tile = "auto",
    channel_order: ChannelOrder = None,
    device: Device = "auto",
    precision: Precision = "auto",
    resume: Resume = False,
    force: Force = False,
    offline: Offline = False,
    picture_format: PictureFormat = None,
    quality: Quality = None,
    compare: Compare = None,
    start: Start = None,
    duration: Duration = None,
    preview: Preview = None,
    deinterlace: Deinterlace = "auto",
    codec: Codec = "auto",
    crf: Crf = None,
    encoder_option: EncoderOption = None,
    container: Container = None,
    hold: Hold = True,
    hold_threshold: HoldThreshold = None,
    assume_matrix: AssumeMatrix = None,
    drop_streams: DropStreams = None,
    fresh: Fresh = False,
    verbose: Verbose = False,
) -> None:
    """Upscale pictures and videos; inputs are never overwritten, and what is done is whole."""
    from apisr_data import terminal
    from apisr_data.errors import ApisrError, UsageError
    from apisr_model import checkpoint
    from apisr_model.cli import upscale_video, values
    from apisr_model.upscale import files
    from apisr_model.upscale.upscaler import Finish, Upscaler
    from apisr_model.upscale.video.encoders import Encoding
    from apisr_model.upscale.video.options import Options

    terminal.set_up_logging(is_verbose=verbose)
    began = time.monotonic()
    finish = Finish(scale=scale, height=height, strength=strength, match_colour=match_colour)
    tile_px = values.tile_px(tile)
    options = Options(
        finish=finish,
        tile=tile_px,
        encoding=Encoding(codec, crf, values.encoder_options(encoder_option or [])),
        hold=hold,
        hold_threshold=hold_threshold,
        deinterlace=deinterlace,
        assume_matrix=assume_matrix,
        start_s=values.seconds("--start", start),
        duration_s=values.seconds("--duration", duration),
        drop=tuple(filter(None, re.split(r"[\s,]+", drop_streams or ""))),
        fresh=fresh or force,
    )
    if preview is None and len(weights or []) > 1:
        raise UsageError("several --weights are for --preview, which shows them side by side; else give one")
    names: Sequence[str | None] = weights or [None]

    def load(name: str | None) -> "Network":
        _fetch(name, offline=offline)
        return checkpoint.load(name, device, precision=precision, channel_order=channel_order)

    if preview is not None:  # nothing but the page is written
        upscale_video.preview([load(name) for name in names], inputs, preview, output, options)
        return
    plan = files.plan(
        inputs,
        output,
        picture_format=picture_format,
        container=container,
        start_s=options.start_s,
        duration_s=options.duration_s,
        resume=resume,
        force=force,
    )
    _check_quality(plan, quality)
    lost: tuple[str, ...]
    written: list[Job] = []
    damaged: list[Job] = []
    failed: list[Exception] = list(plan.failed)
    for error in failed:
        terminal.ERR.print(f"  failed: {error}", style="red", markup=False)
    for job in plan.left:
        told = f"{job.target}: there already, maybe of other settings; --force makes it again"
        terminal.ERR.print(f"  {told}", markup=False)
    if plan.jobs:
        network = load(names[0])
        upscaler = Upscaler(network, finish, tile_px)
    for job in plan.jobs:
        try:
            with terminal.Bars() as bars:
                if job.kind == "picture":
                    told, lost = _upscale_picture(upscaler, job, quality, compare, bars), ()
                else:
                    told, lost = upscale_video.run(network, job, options, bars)
        except (ApisrError, OSError) as failure:
            if getattr(failure, "errno", None) == errno.ENOSPC or (isinstance(failure, UsageError) and plan.is_of_one):
                raise
            failed.append(failure)
            terminal.ERR.print(f"  failed: {failure}", style="red", markup=False)
        else:
            written.append(job)
            damaged += [job] if lost else []
            for sentence in lost:
                terminal.ERR.print(f"  damaged: {job.source}: {sentence}", style="red", markup=False)
            terminal.OUT.print(f"{job.target}: {told}", markup=False)
    _close(began, plan, written, failed, damaged, names[0])


def _upscale_picture(upscaler: "Upscaler", job: "Job", quality: int | None, label: str | None, bars: "Bars") -> str:
    """Upscale one picture file and, where there is a `label`, draw before and after; returns what it became."""
    from apisr_data.errors import ImageError
    from apisr_model.upscale import picture, picture_formats
    from apisr_model.upscale.image import upscale_picture

    assert job.format is not None
    read = picture.read(job.source)
    size = upscaler.size(*read.size)
    try:
        picture_formats.check(job.format, size, quality)
    except ImageError as error:
        raise ImageError(f"{job.source}: {error}") from None
    result = upscale_picture(upscaler, read, bars.follow(job.source.name, "px"))
    picture_formats.write(result, job.target, job.format, quality)
    told = f"{read.size[0]}x{read.size[1]} -> {size[0]}x{size[1]}"
    return f"{told}; compared in {_compare(job, read, result, label)}" if label else told


def _compare(job: "Job", before: "Picture", after: "Picture", label: str) -> Path:
    """Write NAME.compare.apisr.png beside the output; named as ours, so that no later run takes it for an input."""
    from apisr_data.images import encode_png, write_bytes
    from apisr_model.upscale.compare import compare
    from apisr_model.upscale.files import MARK

    path = job.target.with_name(f"{job.target.stem.removesuffix(MARK)}.compare{MARK}.png")
    write_bytes(encode_png(compare(before.colour, {label: after.colour})), path)
    return path


def _close(
    began: float,
    plan: "Plan",
    written: "list[Job]",
    failed: list[Exception],
    damaged: "list[Job]",
    weights: str | None,
) -> None:
    """What was done, and what to try next."""
    from apisr_data.errors import InputError
    from apisr_data.terminal import ERR, OUT, seconds_since

    there = len(plan.done) + len(plan.left)
    if not (plan.jobs or there or failed):
        raise InputError(f"no picture and no video among {plan.ignored:,} files")
    counts = [f"{len(written):,} written", f"{there:,} there already", f"{len(failed):,} failed"]
    counts.append(f"{len(damaged):,} of a damaged input")
    shown = ", ".join(count for count in counts if not count.startswith("0 "))
    ERR.print(f"{shown or 'nothing written'} in {seconds_since(began)}", markup=False)
    if failed or damaged:
        raise typer.Exit(1)
    if plan.is_of_one and written:
        all_of_it = ["apisr-model", "upscale", str(written[0].source.parent), "-o", "OUT"]
        OUT.print(f"next: {shlex.join(all_of_it + (['--weights', weights] if weights else []))}", markup=False)
    elif written:
        OUT.print("next: apisr-model weights list")


def _fetch(name: str | None, *, offline: bool) -> None:
    """Have weights of the zoo on disk, with a bar where they are downloaded."""
    from apisr_data.terminal import Bars
    from apisr_model import weights

    with Bars() as bars:
        weights.resolve(name, offline=offline, progress=bars.follow(name or "weights", "bytes"))


def _check_quality(plan: "Plan", quality: int | None) -> None:
    """Refuse a quality before any work where a picture's format has none."""
    from apisr_model.upscale import picture_formats

    for form in {job.format for job in plan.jobs if job.format}:
        picture_formats.check(form, (1, 1), quality)
