"""What a video file is, or why it is none."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
from av.container import InputContainer
from av.sidedata.sidedata import SideData
from av.stream import Discard, Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from apisr_data.errors import VideoError

# libavformat would show a text file as a film of its characters.
_NOT_VIDEO = frozenset(("tty", "bin", "xbin", "adf", "idf"))
# AVFieldOrder: the order in which fields are displayed decides (bt and tb are coded in the other order).
_FIELD_ORDERS = {1: "progressive", 2: "tff", 3: "bff", 4: "bff", 5: "tff"}
_PROBE_PACKETS = 600
_MATRIX = "9i"  # rows of three; the third column is no part of a plane's transformation


@dataclass(frozen=True)
class VideoInfo:
    """A video stream as its file describes it; None where the file is silent.

    Attributes:
        path: the file.
        container: container format, as libavformat names it.
        codec: codec, as libavcodec names it.
        profile: codec profile.
        pixel_format: decoded pixel format.
        bit_depth: bits a component.
        width: coded width, px.
        height: coded height, px.
        sample_aspect_ratio: width of a pixel over its height; 1 where not told.
        rotation: degrees clockwise that a player turns the picture by: 0, 90, 180 or 270.
        fps: average frame rate, 1/s.
        time_base: seconds in one unit of a pts.
        start_time: the first pts, in units of `time_base`.
        duration_s: duration of the stream, s.
        field_order: progressive, tff or bff.
        stream_index: index of the stream in its file.
        colorspace: AVColorSpace, 2 where not told.
        color_range: AVColorRange, 0 where not told.
        color_primaries: AVColorPrimaries, 2 where not told.
        color_trc: AVColorTransferCharacteristic, 2 where not told.
    """

    path: Path
    container: str
    codec: str
    profile: str | None
    pixel_format: str
    bit_depth: int
    width: int
    height: int
    sample_aspect_ratio: Fraction
    rotation: int
    fps: float | None
    time_base: Fraction
    start_time: int
    duration_s: float | None
    field_order: str | None
    stream_index: int
    colorspace: int
    color_range: int
    color_primaries: int
    color_trc: int


def probe(path: Path | str) -> VideoInfo:
    """What the file's video stream is; one frame is decoded, for what only a decoder knows.

    Of several video streams it is the one with the default disposition; of several of these, or without any, the one
    with the largest picture, and the first of those. Cover art is no video stream.

    Raises:
        VideoError: the file is empty, truncated before its header, not a video or audio only, or no decoder is known.
    """
    with opened(path) as (container, stream):
        info = describe(Path(path), container, stream)
        frame = _first_frame(container, stream)
    if frame is None:
        raise VideoError(f"{path}: no picture of its {info.codec} stream could be decoded; damaged or cut off")
    return replace(info, rotation=clockwise(frame, Path(path)))


@contextmanager
def opened(path: Path | str) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The opened file and its video stream, chosen as `probe` says.

    Raises:
        VideoError: the file is empty, truncated before its header, not a video or audio only, or no decoder is known.
    """
    path = Path(path)
    try:
        if path.stat().st_size == 0:
            raise VideoError(f"{path}: the file is empty")
        # A playlist must not reach out to the network.
        container = av.open(
            str(path.absolute()), "r", options={"protocol_whitelist": "file"}, metadata_errors="replace"
        )
    except (av.FFmpegError, OSError) as error:
        raise VideoError(f"{path}: {_reason(error)}") from error
    with container:
        stream = _video_stream(path, container)
        for other in container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        yield container, stream


def describe(path: Path, container: InputContainer, stream: VideoStream) -> VideoInfo:
    """The stream as its container describes it; the rotation, which only decoded frames tell, is left 0."""
    context = stream.codec_context
    pixel_format = context.format
    if pixel_format is None or not context.width or not context.height:
        raise VideoError(f"{path}: its {context.codec.canonical_name} stream has no picture size; damaged or cut off")
    ratio = stream.sample_aspect_ratio
    rate = stream.average_rate or stream.guessed_rate
    time_base = stream.time_base or Fraction(1, 1000)
    return VideoInfo(
        path=path,
        container=container.format.name,
        codec=context.codec.canonical_name,
        profile=context.profile,
        pixel_format=pixel_format.name,
        bit_depth=max(component.bits for component in pixel_format.components),
        width=context.width,
        height=context.height,
        sample_aspect_ratio=Fraction(ratio) if ratio else Fraction(1),
        rotation=0,
        fps=float(rate) if rate else None,
        time_base=time_base,
        start_time=stream.start_time or 0,
        duration_s=_duration_s(container, stream, time_base),
        field_order=_FIELD_ORDERS.get(context.field_order),
        stream_index=stream.index,
        colorspace=context.colorspace,
        color_range=context.color_range,
        color_primaries=context.color_primaries,
        color_trc=context.color_trc,
    )


def clockwise(frame: VideoFrame, path: Path) -> int:
    """Degrees clockwise, in quarter turns, by which a player turns the frame.

    Raises:
        VideoError: a player would mirror it.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if isinstance(matrix, SideData):
        a, b, _, c, d, *_ = struct.unpack(_MATRIX, bytes(matrix))
        if a * d < b * c:
            raise VideoError(f"{path}: is to be shown mirrored; convert it first, so that its pictures lie as shown")
    return -90 * round(frame.rotation / 90) % 360


def _reason(error: av.FFmpegError | OSError) -> str:
    if isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError)):
        return f"cannot be opened: {error.strerror}"
    return f"not a video that libav can read, or cut off before its header ({error.strerror})"


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    films = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not films:
        if container.streams.audio:
            raise VideoError(f"{path}: audio only, no video stream")
        kinds = sorted({str(s.type) for s in container.streams})
        raise VideoError(f"{path}: no video stream (found {', '.join(kinds) or 'no streams'})")
    if container.format.name in _NOT_VIDEO:
        raise VideoError(f"{path}: not a video (read as {container.format.long_name})")
    stream = max(films, key=_preference)  # the first of equals
    if stream.codec_context is None:
        raise VideoError(f"{path}: no decoder for its codec")
    return stream


def _preference(stream: VideoStream) -> tuple[bool, int]:
    context = stream.codec_context  # None without a decoder
    return bool(stream.disposition & Disposition.default), context.width * context.height if context else 0


def _first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame | None:
    context = stream.codec_context
    for packet in islice(container.demux(stream), _PROBE_PACKETS):
        with suppress(av.FFmpegError):
            frames = context.decode(packet) if packet.size else []
            if not frames and packet.is_keyframe:
                frames = context.decode(None)
                context.flush_buffers()
            if frames:
                return frames[0]
    return None


def _duration_s(container: InputContainer, stream: VideoStream, time_base: Fraction) -> float | None:
    if stream.duration:
        return float(stream.duration * time_base)
    if not container.duration:
        return None
    duration_s, start_s = container.duration / av.time_base, float((stream.start_time or 0) * time_base)
    writer = container.metadata.get("ENCODER") or container.metadata.get("encoder") or ""
    if "matroska" in container.format.name and writer.startswith("Lavf") and 0 < start_s < duration_s:
        return duration_s - start_s  # libav's Matroska counts from 0, wherever its first picture lies
    return duration_s
