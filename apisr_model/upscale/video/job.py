"""One video through a network: every frame keeps its time, every other stream is carried along."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from torch import nn

from apisr_data.errors import FetchError
from apisr_model import weights
from apisr_model.errors import WeightsError
from apisr_model.network import Network
from apisr_model.upscale.upscaler import Pixels, Upscaler
from apisr_model.upscale.video import hold as holds
from apisr_model.upscale.video.options import Options
from apisr_model.upscale.video.overlap import overlap
from apisr_model.upscale.video.source import Source, SourceFrame
from apisr_model.upscale.video.target import Target

# An interruption loses the segment begun: four seconds of film. Each begins with a key frame.
SEGMENT_FRAMES = 96

# Short runs of frames, spread over the video, that tell of its coding noise and its share of held frames.
_SAMPLED_PLACES, _SAMPLED_S, _SAMPLED_PX = 8, 0.5, 1920 * 1080

_USUAL = Options()


@dataclass(frozen=True)
class Progress:
    """How far a job is."""

    frames: int
    """Frames of the output that are there, with those of an earlier, interrupted run."""
    frames_expected: int | None
    """All of them, as far as the source tells."""
    computed: int
    """Frames that went through the network in this run."""
    held: int
    """Frames of this run that repeat the picture before."""
    seconds: float
    """Since the first frame of this run."""

    @property
    def frames_per_s(self) -> float:
        """Output frames a second in this run, held ones with them."""
        return (self.computed + self.held) / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """At the rate so far; None while nobody can know."""
        if self.frames_expected is None or not self.frames_per_s:
            return None
        return max(self.frames_expected - self.frames, 0) / self.frames_per_s

    @property
    def held_share(self) -> float:
        """Held frames among those of this run, 0..1."""
        return self.held / max(self.computed + self.held, 1)


@dataclass(frozen=True)
class Result:
    """What was done."""

    path: Path
    size: tuple[int, int]
    """Width and height of the output, px."""
    frames: int
    """Frames of the whole output."""
    resumed: int
    """Frames of these that an earlier run left."""
    computed: int
    held: int
    seconds: float
    hold_threshold: float | None
    """Levels of 8-bit samples; None: nothing was held."""
    decode_errors: int
    notes: tuple[str, ...]
    """A sentence each on what the user should know: fields, damage, what the output cannot keep."""
    lost: tuple[str, ...] = ()
    """A sentence each on stretches of pictures, sound and subtitles that a damaged source does not hold any more."""

    @property
    def sentence(self) -> str:
        """What became of the frames."""
        parts = [f"{self.computed:,} computed", f"{self.held:,} held"]
        if self.resumed:
            parts.insert(0, f"{self.resumed:,} there already")
        width, height = self.size
        return f"{self.frames:,} frames of {width}x{height}: {', '.join(parts)}"


class _Read(NamedTuple):
    frame: SourceFrame
    rgb: Pixels | None
    """None: the picture before serves."""


class _Worked(NamedTuple):
    frame: SourceFrame
    picture: Pixels | None


class VideoJob:
    """One video, one network, one output, all opened: what cannot be done has been refused. Use it in a `with` block.

    Attributes:
        network, path, options: as given.
        source: the video.
        target: the video in the making; its `frames_done` are there already.
        upscaler: the network with its finish and tile size, settled when the job was begun.
        threshold: levels of 8-bit samples; None: nothing is held.

    Raises:
        VideoError: the source cannot be read, or its colour cannot be converted.
        ContainerError: the target cannot hold one of the source's streams.
        DeviceError, UsageError: the encoder is not here, its options are wrong, or another job's frames lie there.
    """

    def __init__(self, network: Network, source: Path, target: Path, options: Options = _USUAL) -> None:
        self.network, self.path, self.options = network, source, options
        with ExitStack() as opening:
            self.source = opening.enter_context(opened(source, options))
            self.threshold = self._threshold()
            self.target = opening.enter_context(
                Target(
                    self.source,
                    target,
                    Upscaler(network, options.finish).size(*self.source.size),
                    options.encoding,
                    fingerprint=self._fingerprint(),
                    segment_frames=SEGMENT_FRAMES,
                    fresh=options.fresh,
                    drop=options.drop,
                )
            )
            # Another tile size moves the seams, which a resumed video would show: what is free may have changed.
            self.upscaler = Upscaler(network, options.finish, self.target.settled.get("tile_px", options.tile))
            self.target.settle(tile_px=self.upscaler.settle_tile(*self.source.size))
            self._opened = opening.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._opened.close()

    @cached_property
    def sampled(self) -> list[list[SourceFrame]]:
        """Runs of frames spread over the video: of half a second, of 1080p 300 MB in all; shorter of larger pictures.

        `run` lets go of them.
        """
        width, height = self.source.size
        seconds = _SAMPLED_S * min(1.0, _SAMPLED_PX / (width * height))
        runs = self.source.sample_frames(_SAMPLED_PLACES, max(seconds, float(3 / (self.source.frame_rate or 24))))
        return [run for run in runs if run]

    def run(self, on_progress: Callable[[Progress], None] | None = None) -> Result:
        """Do it; `on_progress` is called in this thread after each frame.

        Frames are decoded, computed and encoded at the same time, a few at once, so memory does not grow with length.

        Raises:
            ResourceError: memory ran out even for the smallest tile.
            OSError: the disk is full, say.
        """
        vars(self).pop("sampled", None)
        done = self.target.frames_done
        begun = time.monotonic()
        progress = Progress(done, self.source.frames_expected, 0, 0, 0.0)

        def work(item: _Read) -> _Worked:
            nonlocal progress, begun
            if progress.computed + progress.held == 0:
                begun = time.monotonic()  # decoding again what is done belongs to no rate
            picture = None if item.rgb is None else self.upscaler(item.rgb)
            is_held = picture is None
            progress = replace(
                progress,
                frames=progress.frames + 1,
                computed=progress.computed + (not is_held),
                held=progress.held + is_held,
                seconds=time.monotonic() - begun,
            )
            if on_progress is not None:
                on_progress(progress)
            return _Worked(item.frame, picture)

        to_do = _to_do(self.source, self.threshold, done)
        overlap(to_do, work, lambda item: self.target.write(item.picture, item.frame))
        lost = self.target.finish()
        return Result(
            path=self.target.path,
            size=self.target.size,
            frames=progress.frames,
            resumed=done,
            computed=progress.computed,
            held=progress.held,
            seconds=time.monotonic() - begun,
            hold_threshold=self.threshold,
            decode_errors=self.source.decode_errors,
            notes=tuple(self._notes()),
            lost=(*self.source.lost, *lost),
        )

    def _threshold(self) -> float | None:
        if not self.options.hold:
            return None
        if self.options.hold_threshold is not None:
            return self.options.hold_threshold
        return holds.threshold_for([frame.decoded for frame in run] for run in self.sampled)

    def _notes(self) -> Iterator[str]:
        yield self.source.treatment.sentence
        yield from self.source.warnings
        if self.target.loss:
            yield self.target.loss

    def _fingerprint(self) -> str:
        """Whatever changes a picture of the output; another fingerprint means another job."""
        stat, options = self.path.stat(), self.options
        described = [
            stat.st_size,
            stat.st_mtime_ns,
            self.network.architecture,
            dict(self.network.config),
            self.network.channel_order,
            str(self.network.dtype),
            _weights_of(self.network),
            asdict(options.finish),
            options.tile,
            self.threshold,
            self.source.treatment,
            self.source.colour,
            options.start_s,
            options.duration_s,
        ]
        return hashlib.blake2b(json.dumps(described, default=str).encode(), digest_size=16).hexdigest()


def upscale_video(
    network: Network,
    source: Path,
    target: Path,
    options: Options = _USUAL,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Upscale `source` into `target`; an interrupted run goes on where it stopped, and gives the same frames.

    Raises:
        VideoError, ContainerError, DeviceError, UsageError, ResourceError, OSError: as `VideoJob` and its `run`.
    """
    with VideoJob(network, source, target, options) as job:
        return job.run(on_progress)


def opened(source: Path, options: Options) -> Source:
    """The video, or the part of it, that the options mean."""
    return Source(
        source,
        assume_matrix=options.assume_matrix,
        deinterlace=options.deinterlace,
        start_s=options.start_s,
        duration_s=options.duration_s,
    )


def _to_do(source: Source, threshold: float | None, done: int) -> Iterator[_Read]:
    """The frames after the first `done`, with RGB where it has to be computed.

    All are decoded and compared from the first, so that holds and filters are in the state of an uninterrupted run.
    """
    decision = holds.Holds(threshold)
    computed: SourceFrame | None = None
    for number, frame in enumerate(source.frames()):
        is_held = decision.is_held(frame.decoded)
        if number <= done:  # the first of this run may repeat a picture that the run before computed
            computed = computed if is_held and computed is not None else frame
        if number == done:
            assert computed is not None
            yield _Read(frame, computed.rgb())
            computed = None
        elif number > done:
            yield _Read(frame, None if is_held else frame.rgb())


def _weights_of(network: Network) -> str:
    """A digest of the weights, or of the file that they came from."""
    digest = hashlib.blake2b(digest_size=16)
    if isinstance(network.module, nn.Module):
        for key, tensor in sorted(network.module.state_dict().items()):
            digest.update(key.encode())
            digest.update(tensor.detach().cpu().float().numpy().tobytes())
        return digest.hexdigest()
    try:
        path, _ = weights.resolve(network.origin, offline=True)
    except (WeightsError, FetchError):  # a function of the caller's
        return network.origin
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: digest).hexdigest()
