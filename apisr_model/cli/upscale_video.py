"""The video half of `apisr-model upscale`: forecast, progress and what was done."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apisr_data.terminal import Bars
    from apisr_model.network import Network
    from apisr_model.upscale.files import Job
    from apisr_model.upscale.video.options import Options


def run(network: "Network", job: "Job", options: "Options", bars: "Bars") -> tuple[str, tuple[str, ...]]:
    """Upscale one video: the forecast first, then frames, rate, time left and held frames.

    Returns what it became, and what a damaged source lacks.
    """
    from apisr_data.terminal import ERR
    from apisr_model.upscale.video.forecast import forecast
    from apisr_model.upscale.video.job import Progress, VideoJob

    follow = bars.follow(job.source.name, "frames")

    def show(progress: Progress) -> None:
        follow(progress.frames, max(progress.frames_expected or 0, progress.frames))
        bars.describe(f"{job.source.name} ({progress.held_share:.0%} held)")

    with VideoJob(network, job.source, job.target, options) as video:
        expected = forecast(video)
        for line in expected.lines():
            ERR.print(f"  {line}", markup=False)
        result = video.run(show)
    for note in result.notes:
        if note != expected.treatment:  # said before the work
            ERR.print(f"  {note}", markup=False)
    return result.sentence, result.lost


def preview(networks: "list[Network]", inputs: list[Path], pairs: int, output: Path | None, options: "Options") -> None:
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
    with Bars() as bars:
        made = write_preview(networks, source, pairs, target, options, on_progress=bars.follow("preview", "pictures"))
    OUT.print(f"{made.path}: {len(made.times_s)} frames before and after; open it in a browser", markup=False)
