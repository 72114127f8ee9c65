"""The video being written: pictures into segments, then segments and the source's other streams into one file."""

import hashlib
import json
import os
from collections.abc import Collection
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from apisr_data.colour import to_frame
from apisr_data.errors import UsageError, VideoError
from apisr_model.errors import DeviceError
from apisr_model.upscale.video.copies import Stretch
from apisr_model.upscale.video.encoders import Coded, Encoding, resolve
from apisr_model.upscale.video.mux import join
from apisr_model.upscale.video.segments import Part, SegmentFile, naming
from apisr_model.upscale.video.streams import plan

if TYPE_CHECKING:
    from apisr_model.upscale.video.source import Source, SourceFrame

_SEGMENT_FORMAT = 1


class Target:
    """Takes the pictures of `source` in order, and makes the file at `path` of them and the source's other streams.

    Pictures are encoded in segments of `segment_frames`, each by a fresh encoder; whole segments outlive a crash, and
    the next Target with the same `fingerprint` goes on after them. Use it in a `with` block, which lets go of the
    partial folder `.<name>.apisr-part/` however it ends. Where the encoder's pixel format shares chroma between pixels,
    an odd side of `size` gets one px more, which repeats the edge.

    Attributes:
        path: the file to be.
        size: width and height as coded, px.
        encoder: the encoder, settled.
        loss: what of the source's sample format the encoder cannot keep; None: nothing is lost.
        frames_done: frames in whole segments that an earlier run left.

    Raises:
        ContainerError: the container cannot hold a stream, and `drop` (indices or kinds) does not leave it out.
        DeviceError: the encoder is not here, or does not open.
        UsageError: an unknown option of the encoder; the output is the source; another process writes it; or an
            unfinished run with another fingerprint lies there and this one is not to start `fresh`.
    """

    def __init__(
        self,
        source: "Source",
        path: Path,
        size: tuple[int, int],
        encoding: Encoding,
        *,
        fingerprint: str,
        segment_frames: int,
        fresh: bool = False,
        drop: Collection[str] = (),
    ) -> None:
        self.path = path
        self._source = source
        self._segment_frames = segment_frames
        self._state = _state_of(source.info.path)
        if path.exists() and path.samefile(source.info.path):
            raise UsageError(f"{path}: is the source; give another output")
        rate = source.frame_rate or Fraction(source.info.fps or 24).limit_denominator(1001)
        chroma = _chroma(source.info.pixel_format, is_lossless=encoding.codec == "ffv1")
        self.encoder = resolve(
            encoding, bits=source.bits, size=size, frame_rate=rate, chroma=chroma, time_base=source.time_base
        )
        self.loss = self.encoder.loss
        self.size = self.encoder.coded_size(size)
        colour = source.colour.in_format(self.encoder.pixel_format)
        self._coded = Coded(
            size=self.size,
            time_base=source.time_base,
            frame_rate=rate,
            sample_aspect_ratio=source.sample_aspect_ratio,
            codes=colour.codes,
            siting=colour.siting,
        )
        self._plan = plan(source.info.path, source.info.stream_index, path, self.encoder, drop=drop)
        settings = [_SEGMENT_FORMAT, asdict(self.encoder), asdict(self._coded), segment_frames, av.library_versions]
        described = json.dumps([fingerprint, settings], default=str)
        self._part = Part(path, hashlib.blake2b(described.encode(), digest_size=16).hexdigest(), fresh=fresh)
        self.frames_done = self._part.frames
        self._picture: av.VideoFrame | None = None
        self._latest_pts: int | None = None
        self._latest_duration = 0
        self._file: SegmentFile | None = None
        self._context: VideoCodecContext | None = None
        self._in_segment = 0

    @property
    def settled(self) -> dict[str, int]:
        """What the run that began this video settled for all of it."""
        return dict(self._part.settled)

    def settle(self, **values: int) -> None:
        """Keep values for the runs that go on with this video."""
        self._part.settle(values)

    def write(self, rgb: NDArray[np.uint8] | NDArray[np.uint16] | None, frame: "SourceFrame") -> None:
        """Encode the picture at the frame's time; None is the picture before, again.

        The first call is for frame number `frames_done` and has a picture, whatever an earlier run wrote there.

        Raises:
            OSError: the disk is full, say; segments that are whole stay.
            DeviceError: the encoder failed.
        """
        if rgb is not None:
            below, right = self.size[1] - rgb.shape[0], self.size[0] - rgb.shape[1]
            padded: NDArray[Any] = np.pad(rgb, ((0, below), (0, right), (0, 0)), "edge") if below or right else rgb
            self._picture = to_frame(padded, self._source.colour, self.encoder.pixel_format)
        if self._picture is None:
            raise ValueError("the first frame after the start or a resumption needs its picture")
        if self._latest_pts is not None and frame.pts <= self._latest_pts:
            raise ValueError(f"pts {frame.pts} after {self._latest_pts}: frames must come in order")
        if self._context is None or self._file is None:
            self._context, self._file = self.encoder.opened(self._coded), self._part.begin()
        self._latest_pts = frame.pts
        self._latest_duration = frame.duration or round(1 / (self._coded.frame_rate * self._coded.time_base))
        self._picture.pts, self._picture.time_base = frame.pts, self._coded.time_base
        self._picture.duration = self._latest_duration
        self._encode(self._context, self._file, self._picture)
        self._in_segment += 1
        if self._in_segment == self._segment_frames:
            self._end_segment()

    def finish(self) -> list[str]:
        """End the last segment, join all with the source's streams, check the file, and put it in its place.

        Returns a sentence on each copied stream of which a damaged source has not all.

        Raises:
            VideoError: there was no picture, or the source changed meanwhile.
            ContainerError: what was written does not read back.
            OSError: the disk is full, say; what is encoded stays, and the next run only joins it.
        """
        self._end_segment()
        path = self._source.info.path
        if self._part.frames == 0:
            raise VideoError(f"{path}: no picture could be decoded")
        if _state_of(path) != self._state:
            raise VideoError(f"{path}: changed or went away while it was read; start again")
        joined = self._part.folder / f"joined{self.path.suffix}"
        with naming(joined):
            lost = join(self._part, self._plan, self.encoder, self._coded, self._stretch(), joined)
            _settle(joined)
        joined.replace(self.path)
        self._part.remove()
        return lost

    def close(self) -> None:
        """Let go of the partial folder; a segment begun is lost, whole ones stay unless `finish` has used them."""
        if self._file is not None:
            self._file.abandon()
        self._file = self._context = None
        self._part.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _end_segment(self) -> None:
        if self._context is None or self._file is None:
            return
        self._encode(self._context, self._file, None)
        if self._file.frames != self._in_segment:
            raise DeviceError(
                f"encoder {self.encoder.name} made {self._file.frames} packets of {self._in_segment} pictures; "
                f"choose another --codec"
            )
        self._part.add(self._file, self._latest_duration)
        self._context, self._file, self._in_segment = None, None, 0

    def _encode(self, context: VideoCodecContext, file: SegmentFile, picture: av.VideoFrame | None) -> None:
        try:
            packets = context.encode(picture)
        except av.FFmpegError as error:
            raise DeviceError(f"encoder {self.encoder.name} failed: {error}; whole segments are kept") from error
        for packet in packets:
            file.write(packet)

    def _stretch(self) -> Stretch:
        shown, tick = self._part.shown(), self._coded.time_base
        start, end = shown[0] * tick, (shown[-1] + self._part.segments[-1].last_duration) * tick
        if self._source.is_part:
            return Stretch(start, start, end)
        return Stretch(min(start, self._plan.origin))  # MP4 would not show what is before zero


def _state_of(path: Path) -> tuple[int, int] | None:
    """Size and time of the source; None where it is gone."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _chroma(pixel_format: str, *, is_lossless: bool) -> str:
    """The chroma worth coding: 4:4:4 stays; 4:2:2 only where nothing is to be lost.

    Few players take 4:2:2, and the 4:2:0 of a picture twice the size has no less chroma than the source had.
    """
    described = av.VideoFormat(pixel_format, 16, 16)
    if described.is_rgb or described.has_palette:
        return "444"
    if len(described.components) < 3:
        return "420"
    if described.chroma_width(16) == 16:
        return "444"
    return "422" if is_lossless and described.chroma_height(16) == 16 else "420"


def _settle(path: Path) -> None:
    """Wait until the disk has the file."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
