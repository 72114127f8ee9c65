"""What is to be upscaled and where each result goes, settled before any work: files, folders, pictures, videos."""

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from apisr_data.errors import InputError, UsageError
from apisr_model.upscale import picture
from apisr_model.upscale.kinds import PICTURE_SUFFIXES, SOUND_SUFFIXES, Kind, is_heic, is_video, kind_of
from apisr_model.upscale.picture_formats import FORMATS, Format, format_after, format_named

__all__ = ["MARK", "Job", "Plan", "is_video", "kind_of", "plan", "refuse_unwritable"]

MARK = ".apisr"
"""Before the suffix of what is written beside its input."""

_KEPT_CONTAINERS = frozenset(".mkv .mp4 .m4v .mov".split())  # of others, Matroska holds every stream
_LEAST_FREE_BYTES = 1 << 20


@dataclass(frozen=True)
class Job:
    """One input and its output; `format` is a picture's."""

    source: Path
    target: Path
    kind: Kind
    format: Format | None = None


@dataclass(frozen=True)
class Plan:
    """What is to be done, and what is not.

    Attributes:
        jobs: what is to be done.
        done: inputs whose output is there already, left out by `resume`.
        left: videos whose output is there already, though nobody asked to leave it: other settings may have made it.
        ignored: the number of files that are neither kind.
        failed: inputs that cannot be read.
    """

    jobs: tuple[Job, ...]
    done: tuple[Job, ...]
    left: tuple[Job, ...]
    ignored: int
    failed: tuple[InputError, ...]

    @property
    def is_of_one(self) -> bool:
        """Whether there is a single input."""
        return sum(map(len, (self.jobs, self.done, self.left, self.failed))) == 1


def plan(
    inputs: Sequence[Path],
    output: Path | None = None,
    *,
    picture_format: str | None = None,
    container: str | None = None,
    start_s: float | None = None,
    duration_s: float | None = None,
    resume: bool = False,
    force: bool = False,
) -> Plan:
    """Every picture and video at or under `inputs`, with its output.

    Without `output` that is NAME.apisr.EXT beside the input, and such pictures of an earlier run are written again;
    else the file `output`, or NAME.EXT in the folder `output`, which mirrors an input folder. A part of a video, from
    `start_s` on or of `duration_s`, is NAME.90-110s, so that it never meets the whole. A picture stays in its format
    where that loses nothing, and otherwise becomes a PNG; a video stays in Matroska, MP4 or QuickTime, and otherwise
    becomes Matroska. Folders are walked without hidden files, soundtracks, `output` and earlier results. `resume`
    leaves out inputs whose output is not older than they are: outputs get their name only when they are whole. A video
    that is there, hours of work, is left even without it. `force` overwrites it, and pictures not named as ours.

    Raises:
        UsageError: two inputs have one output, an output is an input, a picture is there already, an output cannot be
            written where it is to go, or `output` contradicts `picture_format` or `container`.
        ConfigError: no such picture format.
    """
    chosen = format_named(picture_format) if picture_format else None
    found, failed, ignored = _find(inputs, output)
    is_folder = _is_folder(output, inputs) if output else False
    part = _part_of(start_s, duration_s)
    jobs = []
    for source, below in found.items():
        job = _job(source, chosen, container)
        stem = source.stem + (part if job.kind == "video" else "")
        if output is None:
            target = source.with_name(f"{stem}{MARK}{job.target.suffix}")
        elif is_folder:
            target = output / below.with_name(f"{stem}{job.target.suffix}")
        else:
            target, job = output, _in_file(job, output, chosen, container)
        jobs.append(Job(source, target, job.kind, job.format))
    _refuse_clashes(jobs)
    done = [job for job in jobs if resume and _is_done(job)]
    left = [job for job in jobs if job not in done and not force and job.kind == "video" and job.target.is_file()]
    rest = [job for job in jobs if job not in done and job not in left]
    there = [job.target for job in rest if os.path.lexists(job.target) and not _is_ours(job.target)]
    if there and not (force or resume):
        raise UsageError(
            f"{there[0]}{f' and {len(there) - 1} more outputs are' if there[1:] else ' is'} there already; "
            "--resume leaves finished ones, --force overwrites, -o chooses another place"
        )
    for folder in dict.fromkeys(job.target.parent for job in rest):
        refuse_unwritable(folder)
    return Plan(tuple(rest), tuple(done), tuple(left), ignored, tuple(failed))


def refuse_unwritable(folder: Path) -> None:
    """See before any work that files can be written into a folder, which need not be there yet.

    Raises:
        UsageError: they cannot.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise UsageError(f"{folder}: nothing can be written there, as {there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"{folder}: nothing can be written there: {there} is read-only; choose another -o")
    if shutil.disk_usage(there).free < _LEAST_FREE_BYTES:
        raise UsageError(f"{folder}: the disk is full; free some, or choose another -o")


def _find(inputs: Iterable[Path], output: Path | None) -> tuple[dict[Path, Path], list[InputError], int]:
    """Input files with their path below the folder that was given; what cannot be read; the number of other files."""
    found: dict[str, tuple[Path, Path]] = {}
    failed: list[InputError] = []
    ignored = 0
    for given in inputs:
        if not given.is_dir():
            if not given.is_file():
                failed.append(InputError(f"{given}: {'not a file' if given.exists() else 'No such file or folder'}"))
            elif is_heic(given):
                failed.append(InputError(f"{given}: is an HEIC picture, which is not read; save it as PNG or JPEG"))
            else:
                found.setdefault(_spelled(given), (given, Path(given.name)))
            continue
        for path in _walk(given, output):
            try:
                kind = kind_of(path)
            except OSError as error:
                failed.append(InputError(f"{path}: {error.strerror}"))
                continue
            if kind is None or (kind == "video" and path.suffix.lower() in SOUND_SUFFIXES):
                ignored += 1
            else:
                found.setdefault(_spelled(path), (path, path.relative_to(given)))
    return dict(found.values()), failed, ignored


def _spelled(path: Path) -> str:
    """The same for every way to write the path; what it points to does not matter, as the output has its name."""
    return os.path.normcase(path.parent.resolve() / path.name)


def _walk(folder: Path, output: Path | None) -> list[Path]:
    files = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if name[0] != "." and not (output and _same(Path(parent, name), output))
        )
        paths = (Path(parent, name) for name in sorted(names) if name[0] != ".")
        files += [path for path in paths if path.is_file() and not _is_ours(path)]
    return files


def _part_of(start_s: float | None, duration_s: float | None) -> str:
    """What the name of a part adds to the whole's: `.90-110s`, `.90s-end`; nothing for the whole."""
    if not start_s and duration_s is None:
        return ""
    start = start_s or 0.0
    return f".{_short(start)}s-end" if duration_s is None else f".{_short(start)}-{_short(start + duration_s)}s"


def _short(seconds: float) -> str:
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def _job(source: Path, chosen: Format | None, container: str | None) -> Job:
    """The input's kind, and an output beside it whose suffix is right."""
    name = picture.identify(source)
    try:
        is_picture = name is not None or kind_of(source) == "picture"
    except OSError:
        is_picture = source.suffix.lower() in PICTURE_SUFFIXES
    if not is_picture:
        suffix = source.suffix.lower() if source.suffix.lower() in _KEPT_CONTAINERS else ".mkv"
        return Job(source, source.with_suffix(f".{container.removeprefix('.')}" if container else suffix), "video")
    form = chosen or format_after(name or "")
    suffix = source.suffix if source.suffix.lower() in form.suffixes else form.suffixes[0]
    return Job(source, source.with_suffix(suffix), "picture", form)


def _in_file(job: Job, output: Path, chosen: Format | None, container: str | None) -> Job:
    """The same job with the picture format that the output's suffix names, unless one was asked for."""
    suffix = output.suffix.lower()
    asked = chosen.name.lower() if chosen else container
    is_another = (
        chosen is not None and suffix not in chosen.suffixes and any(suffix in known.suffixes for known in FORMATS)
        if job.kind == "picture"
        else container is not None and suffix in _KEPT_CONTAINERS and suffix.removeprefix(".") != container
    )
    if is_another:
        flag = "--format" if job.kind == "picture" else "--container"
        raise UsageError(f"-o {output} and {flag} {asked} contradict each other; give one of them")
    if job.kind == "video" or chosen:
        return job
    return Job(job.source, output, "picture", format_named(output.suffix))


def _is_folder(output: Path, inputs: Sequence[Path]) -> bool:
    """Whether -o means a folder: it is one, many things go there, or it has no suffix."""
    if output.is_dir() or any(path.is_dir() for path in inputs):
        return True
    if len(inputs) > 1 and output.suffix:
        raise UsageError(f"-o {output} is one file for {len(inputs)} inputs; give a folder")
    return not output.suffix


def _refuse_clashes(jobs: Iterable[Job]) -> None:
    jobs = list(jobs)
    sources = {_key(job.source): job.source for job in jobs}
    taken: dict[str, Job] = {}
    clashes = []
    for job in jobs:
        if (source := sources.get(_key(job.target))) is not None:
            clashes.append(f"{job.source}: its output would overwrite the input {source}")
        elif (other := taken.setdefault(_key(job.target), job)) is not job:
            clashes.append(f"{other.source} and {job.source} would both become {job.target}")
    if clashes:
        raise UsageError(f"{'; '.join(clashes)}: rename them, upscale them apart, or choose another -o")


def _key(path: Path) -> str:
    return os.path.normcase(os.path.realpath(path))


def _same(one: Path, other: Path) -> bool:
    return _key(one) == _key(other)


def _is_ours(path: Path) -> bool:
    return Path(path.stem).suffix == MARK


def _is_done(job: Job) -> bool:
    return job.target.is_file() and job.target.stat().st_mtime_ns >= job.source.stat().st_mtime_ns
