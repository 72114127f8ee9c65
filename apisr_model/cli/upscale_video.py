"""The video half of `apisr-model upscale`: forecast, progress and what was done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from apisr_data.config import Matrix
    from apisr_data.terminal import Bars
    from apisr_model.network import Network
    from apisr_model.upscale.files import Job
    from apisr_model.upscale.upscaler import Finish


@dataclass(frozen=True)
class Flags:
    """What the command line says about videos."""

    finish: "Finish"
    tile_px: int | None = None
    start_s: float | None = None
    duration_s: float | None = None
    deinterlace: Literal["auto", "off"] = "auto"
    codec: str = "auto"
    crf: int | None = None
    encoder_options: Mapping[str, str] = field(default_factory=dict)
    hold: bool = True
    hold_threshold: float | None = None
    assume_matrix: "Matrix | None" = None
    drop: Sequence[str] = ()
    fresh: bool = False


def run(network: "Network", job: "Job", flags: Flags, bars: "Bars") -> str:
    """Upscale one video: the forecast first, then frames, rate, time left and held frames; returns what it became."""
    from apisr_data.terminal import ERR
    from apisr_model.upscale.video.encoders import Encoding
    from apisr_model.upscale.video.forecast import forecast
    from apisr_model.upscale.video.job import Progress, upscale_video

    encoding = Encoding(flags.codec, flags.crf, flags.encoder_options)
    expected = forecast(
        network,
        job.source,
        job.target,
        finish=flags.finish,
        tile=flags.tile_px,
        encoding=encoding,
        hold=flags.hold,
        hold_threshold=flags.hold_threshold,
        deinterlace=flags.deinterlace,
        assume_matrix=flags.assume_matrix,
        start_s=flags.start_s,
        duration_s=flags.duration_s,
        drop=flags.drop,
    )
    for line in expected.lines():
        ERR.print(f"  {line}", markup=False)
    before = 0

    def show(progress: Progress) -> None:
        nonlocal before
        if not before:
            bars.begin(job.source.name, max(progress.frames_expected or 0, progress.frames), "frames")
        bars.advance(progress.frames - before)
        bars.describe(f"{job.source.name} ({progress.held_share:.0%} held)")
        before = progress.frames

    result = upscale_video(
        network,
        job.source,
        job.target,
        finish=flags.finish,
        tile=flags.tile_px,
        encoding=encoding,
        hold=flags.hold,
        hold_threshold=expected.hold_threshold,
        deinterlace=flags.deinterlace,
        assume_matrix=flags.assume_matrix,
        start_s=flags.start_s,
        duration_s=flags.duration_s,
        drop=flags.drop,
        fresh=flags.fresh,
        on_progress=show,
    )
    for note in result.notes:
        if note == expected.treatment:
            continue  # said before the work
        ERR.print(f"  {note}", markup=False)
    return result.sentence


def preview(networks: "list[Network]", inputs: list[Path], pairs: int, output: Path | None, flags: Flags) -> None:
    """Write one page of `pairs` frames of a video before and after, each network's beside the others'."""
    from apisr_data.errors import UsageError
    from apisr_data.terminal import OUT, Bars
    from apisr_model.upscale.files import MARK
    from apisr_model.upscale.video.preview import write_preview

    if len(inputs) != 1 or not inputs[0].is_file():
        raise UsageError(f"--preview is of one video, not of {' '.join(map(str, inputs))}")
    source = inputs[0]
    name = f"{source.stem}{MARK}.preview.html"
    target = output or source.with_name(name)
    if target.is_dir():
        target /= name
    shown = 0
    with Bars() as bars:

        def show(done: int, total: int) -> None:
            nonlocal shown
            if not shown:
                bars.begin("preview", total, "pictures")
            bars.advance(done - shown)
            shown = done

        made = write_preview(
            networks,
            source,
            pairs,
            target,
            finish=flags.finish,
            tile=flags.tile_px,
            deinterlace=flags.deinterlace,
            assume_matrix=flags.assume_matrix,
            start_s=flags.start_s,
            duration_s=flags.duration_s,
            on_progress=show,
        )
    OUT.print(f"{made.path}: {len(made.times_s)} frames before and after; open it in a browser", markup=False)
