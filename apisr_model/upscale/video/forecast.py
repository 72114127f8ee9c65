"""What a job will take, measured before its first frame: real frames through network, decoder and encoder."""

import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import cast

import cv2

from apisr_data import cache
from apisr_data.colour import to_frame
from apisr_model.upscale.upscaler import Pixels, Upscaler
from apisr_model.upscale.video import hold as holds
from apisr_model.upscale.video.encoders import Coded
from apisr_model.upscale.video.job import VideoJob
from apisr_model.upscale.video.source import Source, SourceFrame
from apisr_model.weights import ENTRIES

LONG_S = 3600.0
"""Beyond this a forecast says what would be faster."""

_TIMED_FRAMES = 3
_BUDGET_S = 15.0  # for the timed frames together; slower networks are timed on a piece of each
_WARM_UP_PX, _SMALLEST_PIECE_PX = 64, 128
_DECODED_FRAMES, _ENCODED_FRAMES = 24, 8
_PREVIEW_PAIRS = 6
# From fast to slow: 320x180 to x4 on one CPU core 0.36, 0.46, 2.3 and 4.8 s; DAT was not measured here.
_SPEED = ("span", "compact", "grl", "rrdb", "DAT")


@dataclass(frozen=True)
class Forecast:
    """What is expected; times are seconds a frame."""

    source: Path
    network: str
    device: str
    architecture: str
    source_size: tuple[int, int]
    size: tuple[int, int]
    """Width and height of the output, px."""
    frames: int | None
    """Of the whole output."""
    frames_done: int
    """Frames of these that an interrupted run left."""
    held_share: float
    hold_threshold: float | None
    """Levels of 8-bit samples; None: nothing is held."""
    compute_s: float
    """One frame through the network and its finish."""
    decode_s: float
    encode_s: float
    treatment: str

    @property
    def frame_s(self) -> float:
        """Of a frame on average; on a CPU the three share its cores, beside a GPU the slowest counts."""
        compute_s = self.compute_s * (1 - self.held_share)
        parts = (compute_s, self.decode_s, self.encode_s)
        return sum(parts) if self.device == "cpu" else max(parts)

    @property
    def seconds(self) -> float | None:
        """Until the output is there; None where the source does not tell how many frames it has."""
        return None if self.frames is None else max(self.frames - self.frames_done, 0) * self.frame_s

    def lines(self) -> list[str]:
        """The forecast in words."""
        amount = "an unknown number of" if self.frames is None else f"about {self.frames:,}"
        (width, height), (to_width, to_height) = self.source_size, self.size
        lines = [
            f"{self.source.name}: {width}x{height} -> {to_width}x{to_height}, {amount} frames"
            + (f", {self.frames_done:,} of them there already" if self.frames_done else ""),
            f"network: {self.network} on {self.device}",
            f"fields: {self.treatment}",
            f"held drawings: {self.held_share:.0%} of the frames sampled"
            + (f", threshold {self.hold_threshold:g} levels" if self.hold_threshold is not None else " (--no-hold)"),
            f"one frame: {shown(self.compute_s)} network, {shown(self.decode_s)} decoder, "
            f"{shown(self.encode_s)} encoder",
        ]
        if self.seconds is None:
            return [*lines, f"expected: {1 / self.frame_s:.2f} frames a second"]
        lines.append(f"expected: {shown(self.seconds)}")
        if self.seconds > LONG_S:
            lines.append(f"sooner: {'; '.join(self._sooner())}")
        return lines

    def _sooner(self) -> Iterator[str]:
        yield f"see first what it gives (--preview {_PREVIEW_PAIRS})"
        yield "do a part (--start, --duration)"
        faster = faster_weights(self.architecture)
        if faster:
            yield f"take faster weights (--weights {' or '.join(faster[:2])})"


def forecast(job: VideoJob) -> Forecast:
    """Measure what the job will take; a few seconds to half a minute. What will not work, opening the job has refused.

    Raises:
        VideoError, DeviceError, ResourceError: as the job's `run`.
    """
    source, network = job.source, job.network
    pictures = [run[0].rgb() for run in job.sampled[:: max(1, len(job.sampled) // _TIMED_FRAMES)]][:_TIMED_FRAMES]
    return Forecast(
        source=job.path,
        network=network.origin or network.architecture,
        device=network.device,
        architecture=network.architecture,
        source_size=source.size,
        size=job.target.size,
        frames=source.frames_expected,
        frames_done=job.target.frames_done,
        held_share=_held_share(job.sampled, job.threshold),
        hold_threshold=job.threshold,
        compute_s=compute_seconds(job.upscaler, pictures),
        decode_s=_decode_seconds(source, job.threshold),
        encode_s=_encode_seconds(job),
        treatment=source.treatment.sentence,
    )


def compute_seconds(upscaler: Upscaler, pictures: list[Pixels]) -> float:
    """Seconds that one picture takes, median, after a warm-up; of a slow network on a piece of each, by its area."""
    if not pictures:
        return 0.0
    height, width = pictures[0].shape[:2]
    pieces = Upscaler(upscaler.network, replace(upscaler.finish, size=None))

    def seconds(run: Upscaler, picture: Pixels) -> float:
        begun = time.monotonic()
        run(picture)
        return float((time.monotonic() - begun) * width * height / (picture.shape[0] * picture.shape[1]))

    def middle(picture: Pixels, side: int) -> Pixels:
        top, left = max(0, (height - side) // 2), max(0, (width - side) // 2)
        return picture[top : top + side, left : left + side]

    seconds(pieces, middle(pictures[0], _WARM_UP_PX))
    rough_s = seconds(pieces, middle(pictures[0], _SMALLEST_PIECE_PX))
    affordable_s = _BUDGET_S / len(pictures)
    if rough_s > affordable_s:
        side = max(_SMALLEST_PIECE_PX, int((width * height * affordable_s / rough_s) ** 0.5))
        return statistics.median([seconds(pieces, middle(picture, side)) for picture in pictures])
    return statistics.median([seconds(upscaler, picture) for picture in pictures])


def faster_weights(architecture: str) -> list[str]:
    """Names of the zoo whose architecture is faster than that one: the fastest first, those on disk before the rest."""
    known = _SPEED.index(architecture) if architecture in _SPEED else len(_SPEED)
    faster = [e for e in ENTRIES.values() if e.architecture in _SPEED[:known]]
    faster.sort(key=lambda e: (cache.find(e.file) is None, _SPEED.index(e.architecture)))
    return [entry.name for entry in faster]


def shown(seconds: float) -> str:
    """A duration as people say it."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours = round(seconds / 3600)
    return f"{minutes // 60} h {minutes % 60} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def _held_share(runs: list[list[SourceFrame]], threshold: float | None) -> float:
    """Held frames among those that have a frame before them in their run, 0..1."""
    held = followed = 0
    for run in runs:
        decision = holds.Holds(threshold)
        held += sum(decision.is_held(frame.decoded) for frame in run)
        followed += len(run) - 1
    return held / followed if followed else 0.0


def _decode_seconds(source: Source, threshold: float | None) -> float:
    """Seconds to decode a frame and compare it with the one computed last; opening and the first frame apart."""
    decision = holds.Holds(threshold)
    with closing(source.frames()) as frames:
        if next(frames, None) is None:
            return 0.0
        begun = time.monotonic()
        count = sum(1 for frame in islice(frames, _DECODED_FRAMES) if decision.is_held(frame.decoded) in (True, False))
        return (time.monotonic() - begun) / max(count, 1)


def _encode_seconds(job: VideoJob) -> float:
    """Seconds to convert and encode a frame, on plainly enlarged ones."""
    source, size, encoder = job.source, job.target.size, job.target.encoder
    rate = source.frame_rate
    middle = job.sampled[len(job.sampled) // 2][:_ENCODED_FRAMES] if job.sampled else []
    pictures = [cast(Pixels, cv2.resize(frame.rgb(), size)) for frame in middle]
    if rate is None or not pictures:
        return 0.0
    begun = time.monotonic()
    context = encoder.opened(Coded(size, time_base=1 / rate, frame_rate=rate))
    for number, picture in enumerate(pictures):
        frame = to_frame(picture, source.colour, encoder.pixel_format)
        frame.pts, frame.time_base = number, 1 / rate
        context.encode(frame)
    context.encode(None)
    return (time.monotonic() - begun) / len(pictures)
