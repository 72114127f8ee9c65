"""A video's stream as decoded frames in presentation order, each with a time stamp, from any place in the file."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import av
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from apisr_data.errors import VideoError
from apisr_data.video.decoder import demux
from apisr_data.video.probe import clockwise, describe, opened

log = logging.getLogger(__name__)

# Containers whose index leads to the key frame asked for. In MPEG-TS none of 17 seeks did; bare streams and AVI have no
# time stamps that would show where a seek has led.
_INDEXED = ("matroska", "webm", "mov", "mp4")
# A stream may show nothing for a while after a key packet (open GOP, intra refresh): then again from this much earlier.
_EARLIER_S = (0.0, 5.0, 30.0)
# Decoded frames wait in every thread: eight of 4K hold 100 MB.
_MOST_THREADS = 8
_DEFAULT_RATE = Fraction(25)
_GAP_S = 1.0
_MOST_EARLY = 16


@dataclass
class Damage:
    """What one pass over a stream had to put up with; a pass sets it back before it begins.

    Attributes:
        refused: packets that the decoder refused.
        corrupt: frames that the decoder shows and marks as damaged.
        restamped: frames without a time stamp, or with one that did not lie after the frame before.
        has_captions: frames carry closed captions (CEA-608, CEA-708) beside their pixels.
        resized_s: time of the first frame of another size or pixel format than the stream began with, s.
        gaps: stretches longer than a second without a frame, s from the stream's start; a variable rate has them too.
        end_s: end of the last frame, s from the stream's start.
        is_complete: the pass came to the end of the file.
    """

    refused: int = 0
    corrupt: int = 0
    restamped: int = 0
    has_captions: bool = False
    resized_s: float | None = None
    gaps: list[tuple[float, float]] = field(default_factory=list)
    end_s: float = 0.0
    is_complete: bool = False


class Timed(NamedTuple):
    """A picture and its time, in units of a time base."""

    picture: VideoFrame
    pts: int
    duration: int
    """What the file says of it; 0 where it is silent."""


class DecodedStream:
    """The video stream that `apisr_data.video.probe` chooses; equal where the file is the same and unchanged.

    Attributes:
        info: the stream, with the rotation of its first frame.
        frame_rate: frames per second, average; None where the file does not tell.
        has_times: its packets carry time stamps.
        has_alpha_apart: its transparency (VP8, VP9) lies beside the pictures, where no decoder here looks.
        is_seekable: decoding may begin in the middle and give the same frames.

    Raises:
        VideoError: the file cannot be read as a video, or none of its pictures can be decoded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with opened(path) as (container, stream):
            info = describe(path, container, stream)
            rate = stream.average_rate or stream.guessed_rate
            has_start = stream.start_time is not None
            self.has_alpha_apart = stream.metadata.get("alpha_mode") == "1"
        self.info = info
        self.frame_rate = Fraction(rate) if rate else None
        self.has_times = has_start
        self.is_seekable = has_start and any(name in _INDEXED for name in info.container.split(","))
        state = path.stat()
        self._identity = (path.absolute(), state.st_size, state.st_mtime_ns)
        self._shape: tuple[int, int, str] | None = None  # not known before the first frame
        first = next(self._pass(None, Damage(), threads=1), None)
        if first is None:
            raise VideoError(f"{path}: no picture of its {info.codec} stream could be decoded; damaged or cut off")
        picture = first.picture
        self._shape = (picture.width, picture.height, picture.format.name)
        self.info = replace(
            info,
            start_time=min(info.start_time, first.pts),
            rotation=clockwise(picture, path),
            width=picture.width,
            height=picture.height,
            pixel_format=picture.format.name,
            bit_depth=max(component.bits for component in picture.format.components),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DecodedStream) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def frames(
        self, from_s: float | None = None, damage: Damage | None = None, *, is_exact: bool = True
    ) -> Generator[Timed]:
        """Frames with pts that strictly increase, of one size and pixel format.

        From the file's start, or from a key frame at or before `from_s` seconds after the stream's start: the frames
        from `from_s` on are the same, or, where that need not be exact, nearly. Damaged packets are passed over, and
        noted in `damage`.
        """
        damage = Damage() if damage is None else damage
        if from_s is not None and from_s > 0 and (self.is_seekable if is_exact else self.has_times):
            for earlier_s in _EARLIER_S:
                frames = self._pass(from_s - earlier_s, damage)
                first = next(frames, None)
                if first is not None and self.time_s(first.pts) <= from_s:
                    yield from chain([first], frames)
                    return
        yield from self._pass(None, damage)

    def time_s(self, pts: int) -> float:
        """Seconds from the stream's start."""
        return float((pts - self.info.start_time) * self.info.time_base)

    @property
    def frame_units(self) -> int:
        """How long a frame lasts on average, in units of the time base."""
        return max(1, round(1 / ((self.frame_rate or _DEFAULT_RATE) * self.info.time_base)))

    def _pass(self, from_s: float | None, damage: Damage, *, threads: int = 0) -> Generator[Timed]:
        """As `frames`, wherever the seek leads; nothing where seeking fails."""
        vars(damage).update(vars(Damage()))
        previous: int | None = None
        decoded = self._decode(from_s, damage, threads or min(_MOST_THREADS, os.cpu_count() or 1))
        for picture in self._counted_back(decoded) if "matroska" in self.info.container else decoded:
            damage.corrupt += picture.is_corrupt
            damage.has_captions |= "A53_CC" in picture.side_data
            has_before, previous = previous is not None, self._stamp(picture, previous, damage)
            picture.pts = previous
            if has_before and self.time_s(previous) - damage.end_s > _GAP_S:
                damage.gaps.append((damage.end_s, self.time_s(previous)))
            damage.end_s = self.time_s(previous + max(picture.duration, self.frame_units))
            yield Timed(self._uniform(picture, damage), previous, picture.duration)
        damage.is_complete = True

    def _decode(self, from_s: float | None, damage: Damage, threads: int) -> Generator[VideoFrame]:
        with opened(self.path) as (container, stream):
            if from_s is not None and from_s > 0:
                try:
                    container.seek(round(from_s / self.info.time_base) + self.info.start_time, stream=stream)
                except av.FFmpegError as error:
                    log.debug("%s: no seeking to %.1f s: %s", self.path, from_s, error.strerror)
                    return
            stream.codec_context.thread_type = "AUTO" if threads > 1 else "NONE"
            stream.codec_context.thread_count = threads
            for packet in demux(container, stream):
                yield from _decoded(stream, packet, damage)
            yield from _decoded(stream, None, damage)

    def _counted_back(self, decoded: Generator[VideoFrame]) -> Generator[VideoFrame]:
        """The pictures; time stamps before zero, which libav does not read from Matroska, counted back from the first.

        Else these would take their places from there on, and all that follow would come late against the sound.
        """
        early = []
        for picture in decoded:
            early.append(picture)
            if picture.pts is not None or len(early) == _MOST_EARLY:
                break
        if early and early[-1].pts is not None:
            for number, picture in enumerate(reversed(early)):
                picture.pts = early[-1].pts - number * self.frame_units
        yield from early
        yield from decoded

    def _stamp(self, picture: VideoFrame, previous: int | None, damage: Damage) -> int:
        """The picture's pts; where it is absent or not after the one before, what the frame rate expects."""
        if picture.pts is not None and (previous is None or picture.pts > previous):
            return picture.pts
        damage.restamped += 1
        if previous is not None:
            return previous + self.frame_units
        return self.info.start_time if picture.dts is None else picture.dts

    def _uniform(self, picture: VideoFrame, damage: Damage) -> VideoFrame:
        """The picture in the size and pixel format in which the stream began: an output has one of each."""
        shape = (picture.width, picture.height, picture.format.name)
        if self._shape in (None, shape):
            return picture
        if damage.resized_s is None:
            damage.resized_s = damage.end_s
        return picture.reformat(self.info.width, self.info.height, self.info.pixel_format, interpolation="BICUBIC")


def _decoded(stream: VideoStream, packet: Packet[VideoStream] | None, damage: Damage) -> list[VideoFrame]:
    try:
        return stream.codec_context.decode(packet)
    except av.FFmpegError as error:
        damage.refused += 1
        log.debug("a packet is refused: %s", error.strerror)
        return []
