"""One video through a network: every frame keeps its time, every other stream is carried along."""

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from torch import nn

from apisr_model.network import Network
from apisr_model.upscale.upscaler import Finish, Pixels, Upscaler
from apisr_model.upscale.video import hold as holds
from apisr_model.upscale.video.encoders import Encoding
from apisr_model.upscale.video.overlap import overlap
from apisr_model.upscale.video.source import Source, SourceFrame
from apisr_model.upscale.video.target import Target

# An interruption loses the segment begun: four seconds of film. Each begins with a key frame.
SEGMENT_FRAMES = 96

# Short runs of frames, spread over the video, that tell of its coding noise and its share of held frames.
_SAMPLED_PLACES, _SAMPLED_S, _SAMPLED_PX = 8, 0.5, 1920 * 1080

_NETWORKS_OWN, _USUAL = Finish(), Encoding()


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
    """A sentence each on what the user should know: fields, damage, what was lost."""

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


def upscale_video(
    network: Network,
    source: Path,
    target: Path,
    *,
    finish: Finish = _NETWORKS_OWN,
    tile: int | None = None,
    encoding: Encoding = _USUAL,
    hold: bool = True,
    hold_threshold: float | None = None,
    deinterlace: Literal["auto", "off"] = "auto",
    assume_matrix: str | None = None,
    start_s: float | None = None,
    duration_s: float | None = None,
    drop: Collection[str] = (),
    fresh: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Upscale `source` into `target`; an interrupted run goes on where it stopped, and gives the same frames.

    Frames are decoded, computed and encoded at the same time, a few at once, so memory does not grow with length. A
    frame that repeats the drawing computed last within `hold_threshold` (levels of 8-bit samples; None: as the coding
    noise asks) is not computed again. Sides are rounded to even numbers. `drop` names streams to leave out; `fresh`
    discards what an interrupted run left; `on_progress` is called in this thread after each frame.

    Raises:
        VideoError: the source cannot be read, or its colour cannot be converted.
        ContainerError: the target cannot hold one of the source's streams; nothing was done.
        DeviceError, UsageError: the encoder is not here, or its options are wrong; nothing was done.
        ResourceError: memory ran out even for the smallest tile.
        OSError: the disk is full, say.
    """
    with Source(
        source, assume_matrix=assume_matrix, deinterlace=deinterlace, start_s=start_s, duration_s=duration_s
    ) as opened:
        size = even_size(Upscaler(network, finish).size(*opened.size))
        upscaler = Upscaler(network, replace(finish, scale=None, height=None, size=size), tile)
        threshold = hold_threshold if hold else None
        if hold and threshold is None:
            threshold = holds.threshold_for([frame.decoded for frame in run] for run in sampled_runs(opened))
        settings = (asdict(upscaler.finish), tile, threshold, opened.treatment, opened.colour, start_s, duration_s)
        fingerprint = _fingerprint(network, source, settings)
        with Target(
            opened,
            target,
            size,
            encoding,
            fingerprint=fingerprint,
            segment_frames=SEGMENT_FRAMES,
            fresh=fresh,
            drop=drop,
        ) as made:
            done = made.frames_done
            begun = time.monotonic()
            progress = Progress(done, opened.frames_expected, 0, 0, 0.0)

            def work(item: _Read) -> _Worked:
                nonlocal progress, begun
                if progress.computed + progress.held == 0:
                    begun = time.monotonic()  # decoding again what is done belongs to no rate
                picture = None if item.rgb is None else upscaler(item.rgb)
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

            overlap(_to_do(opened, threshold, done), work, lambda item: made.write(item.picture, item.frame))
            made.finish()
            return Result(
                path=target,
                size=size,
                frames=progress.frames,
                resumed=done,
                computed=progress.computed,
                held=progress.held,
                seconds=time.monotonic() - begun,
                hold_threshold=threshold,
                decode_errors=opened.decode_errors,
                notes=tuple(_notes(opened, made)),
            )


def even_size(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height as 4:2:0 video needs them: the nearest even numbers, at least 2."""
    width, height = (max(2, 2 * round(side / 2)) for side in size)
    return width, height


def sampled_runs(source: Source) -> list[list[SourceFrame]]:
    """Runs of frames spread over the video: of half a second, of 1080p 300 MB in all; shorter of larger pictures."""
    width, height = source.size
    seconds = _SAMPLED_S * min(1.0, _SAMPLED_PX / (width * height))
    return source.sample_frames(_SAMPLED_PLACES, max(seconds, float(3 / (source.frame_rate or 24))))


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


def _notes(source: Source, target: Target) -> Iterator[str]:
    yield source.treatment.sentence
    yield from source.warnings
    if target.loss:
        yield target.loss


def _fingerprint(network: Network, source: Path, settings: tuple[object, ...]) -> str:
    """Whatever changes a picture of the output; another fingerprint means another job."""
    stat = source.stat()
    described = [
        stat.st_size,
        stat.st_mtime_ns,
        network.architecture,
        dict(network.config),
        network.channel_order,
        str(network.dtype),
        _weights_of(network),
        settings,
    ]
    return hashlib.blake2b(json.dumps(described, default=str).encode(), digest_size=16).hexdigest()


def _weights_of(network: Network) -> str:
    """A digest of the weights, or the name of the file that they came from."""
    if not isinstance(network.module, nn.Module):
        return network.origin
    digest = hashlib.blake2b(digest_size=16)
    for key, tensor in sorted(network.module.state_dict().items()):
        digest.update(key.encode())
        digest.update(tensor.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()
