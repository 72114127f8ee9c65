"""One video, or a part of it, through a network."""

from pathlib import Path

from apisr_data.errors import UsageError
from apisr_model.demo.jobs import Report, Update
from apisr_model.demo.limits import Limits
from apisr_model.demo.pictures import Upscaled
from apisr_model.network import Network
from apisr_model.upscale import files
from apisr_model.upscale.video.forecast import shown
from apisr_model.upscale.video.job import Progress, VideoJob
from apisr_model.upscale.video.options import Options

_TRIAL_S = 20.0
"""Of frames, after which their rate tells whether a job can end in time."""


def upscale(source: Path, network: Network, options: Options, limits: Limits, report: Report) -> Upscaled:
    """Upscale `source` into NAME.apisr.EXT beside it, as `apisr-model upscale` does.

    Raises:
        VideoError, ContainerError, ResourceError, JobError, OSError: it cannot be read, computed or written, or is to
            stop.
        UsageError: at the rate of its first frames it would take longer than a job may.
    """
    job = files.plan([source], start_s=options.start_s, duration_s=options.duration_s).jobs[0]
    report(Update("reading"))
    with VideoJob(network, source, job.target, options) as video:
        report(Update("upscaling", 0.0))

        def show(progress: Progress) -> None:
            left_s = progress.seconds_left
            if progress.seconds > _TRIAL_S and left_s and progress.seconds + left_s > limits.max_minutes * 60:
                raise UsageError(
                    f"this would take {shown(progress.seconds + left_s)}, and a job may take {limits.max_minutes:g} "
                    "min here; choose a shorter part or faster weights"
                )
            report(_update(progress))

        result = video.run(show)
    notes = "".join(f" {note[0].upper()}{note[1:]}." for note in (*result.notes, *result.lost))
    return Upscaled(result.path, f"{result.sentence}.{notes}")


def _update(progress: Progress) -> Update:
    expected, left_s = progress.frames_expected, progress.seconds_left
    if expected is not None and progress.frames >= expected:
        return Update("joining")
    told = f"{progress.frames:,} of {'an unknown number of' if expected is None else f'{expected:,}'} frames"
    told += f", {progress.frames_per_s:.1f} a second, {progress.held_share:.0%} held"
    told += "" if left_s is None else f", {shown(left_s)} left"
    return Update("upscaling", None if expected is None else progress.frames / expected, told)
