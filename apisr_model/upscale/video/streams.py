"""Which streams of a source go along with its new pictures, and how: packets as they are wherever a container can.

What a container can hold is asked of libavformat itself, by having it write a header into memory; there is no table
of ours that could grow stale.
"""

import io
import logging
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.container import InputContainer, OutputContainer
from av.stream import AttachmentStream, Disposition, Stream

from apisr_data.errors import UsageError, VideoError
from apisr_model.errors import ContainerError
from apisr_model.upscale.video import recoded_sound
from apisr_model.upscale.video.encoders import Encoder

log = logging.getLogger(__name__)

# Suffix -> libav's format, for containers that keep a time stamp for every picture and tell of all their streams.
# libav's own choice for .m4v is an iPod's subset of MP4.
CONTAINERS = {".mkv": "matroska", ".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".webm": "webm"}
MP4 = ("mp4", "mov")
KINDS = ("video", "audio", "subtitle", "attachment", "data")
_HOLD_COVER_ART = ("matroska", "mp4")
_TS_DISCONT = 0x0200  # AVFMT_TS_DISCONT


@dataclass(frozen=True)
class Plan:
    """What `finish` will write beside the pictures."""

    source: Path
    video_index: int
    format: str
    """libav's name of the target's container."""
    copied: tuple[int, ...]
    """Indices of the source's streams that go along, `video_index` not among them."""
    recoded: tuple[int, ...]
    """Those of them that are sound of a codec which no container holds: coded anew."""
    origin: Fraction
    """Seconds that all time stamps are moved back by: a transport stream counts from an arbitrary moment."""


def plan(source: Path, video_index: int, target: Path, encoder: Encoder, *, drop: Collection[str] = ()) -> Plan:
    """Which streams of `source` go along into `target`.

    `drop` holds indices of streams and kinds (`KINDS`) that the user leaves out. A stream that another container would
    hold is for the user to decide on. One that none of ours holds stops nothing: sound is coded anew, anything else is
    left out, and the log says it.

    Raises:
        ContainerError: the target's container cannot hold a stream, the encoder's codec or time stamps; the message
            names the stream and the remedy.
        UsageError: `drop` names no stream.
    """
    container = CONTAINERS.get(target.suffix.lower())
    if container is None:
        raise ContainerError(
            f"{target}: '{target.suffix}' is no container that keeps every picture's time stamp; "
            f"write {', '.join(CONTAINERS)} (.mkv holds nearly everything)"
        )
    if not _holds_codec(encoder, container):
        raise ContainerError(
            f"{target}: {target.suffix} cannot hold {encoder.codec} video; write .mkv or choose another --codec"
        )
    with open_source(source) as opened:
        _refuse_to_drop(opened, drop, video_index)
        copied = [
            stream
            for stream in opened.streams
            if stream.index != video_index and not _is_dropped(stream, drop) and not _is_chapter_track(opened, stream)
        ]
        misfits = [stream for stream in copied if not _holds_stream(opened, stream, container)]
        others = _other_suffixes(opened, target)
        homeless = [s for s in misfits if not any(_holds_stream(opened, s, CONTAINERS[other]) for other in others)]
        copied = [stream for stream in copied if stream not in homeless]
        if len(misfits) > len(homeless):
            misfits = [stream for stream in misfits if stream not in homeless]
            raise ContainerError(f"{target}: {_misfit_message(opened, copied, misfits, target)}")
        recoded = [
            stream for stream in homeless if isinstance(stream, AudioStream) and stream.codec_context is not None
        ]
        for stream in homeless:
            fate = f"becomes {recoded_sound.ENCODERS[container]}" if stream in recoded else "is left out"
            log.warning("%s: %s cannot be copied into any container; it %s", source, describe(stream), fate)
        starts_anywhere = opened.format.flags & _TS_DISCONT and opened.start_time
        origin = Fraction(opened.start_time, av.time_base) if starts_anywhere else Fraction(0)
        again = tuple(stream.index for stream in recoded)
        return Plan(source, video_index, container, (*(s.index for s in copied), *again), again, origin)


def open_source(path: Path) -> InputContainer:
    """The source with all of its streams.

    Raises:
        VideoError: it cannot be opened.
    """
    try:
        return av.open(str(path.absolute()), "r", options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        raise VideoError(f"{path}: cannot be opened: {error.strerror}") from error


def add_recoded(out: OutputContainer, stream: AudioStream) -> AudioStream:
    """The stream that `recoded_sound` fills in place of a source's."""
    target = out.add_stream(recoded_sound.ENCODERS[out.format.name], rate=stream.codec_context.sample_rate)
    assert isinstance(target, AudioStream)
    recoded_sound.set_up(target, stream)
    target.disposition = stream.disposition
    target.metadata.update(tags(stream))
    return target


def add_copied(out: OutputContainer, source: InputContainer, stream: Stream) -> Stream | None:
    """The counterpart of a source's stream; None where all of it goes into the header (cover art in Matroska).

    Raises:
        ValueError, av.FFmpegError: the container does not know the codec.
    """
    if stream.disposition & Disposition.attached_pic and out.format.name == "matroska":
        name = stream.metadata.get("filename") or f"cover.{_picture_suffix(stream)}"
        mimetype = stream.metadata.get("mimetype") or f"image/{_picture_suffix(stream).replace('jpg', 'jpeg')}"
        added = out.add_attachment(name, mimetype, _attached_picture(source, stream))
        added.metadata.update({k: v for k, v in tags(stream).items() if k not in ("filename", "mimetype")})
        return None
    copy = out.add_stream_from_template(stream, opaque=True)
    copy.disposition = stream.disposition
    copy.metadata.update(tags(stream))
    return None if isinstance(stream, AttachmentStream) else copy


def tags(stream: Stream) -> dict[str, str]:
    """The stream's tags; its title stands where libav's muxers look for it, whichever container it comes from."""
    found = dict(stream.metadata)
    if name := found.pop("name", None):  # so libav calls the title of MP4's tracks, and writes only the other
        found.setdefault("title", name)
    return found


def is_in_header(stream: Stream) -> bool:
    """Whether the stream is no succession of packets in time: a font, cover art."""
    return isinstance(stream, AttachmentStream) or bool(stream.disposition & Disposition.attached_pic)


def describe(stream: Stream) -> str:
    """A stream in words: index, kind, codec, language, title or file name."""
    words = [str(stream.type), _codec_name(stream)]
    words += [stream.metadata[key] for key in ("language", "title", "filename") if stream.metadata.get(key)]
    return f"stream {stream.index} ({', '.join(words)})"


def _codec_name(stream: Stream) -> str:
    """The codec as libav calls it."""
    context: CodecContext | None = stream.codec_context  # None where libav has no decoder
    if context is not None:
        return context.codec.canonical_name
    return stream.metadata.get("mimetype") or getattr(stream, "name", None) or "unknown codec"


def _is_dropped(stream: Stream, drop: Collection[str]) -> bool:
    return str(stream.index) in drop or stream.type in drop


def _refuse_to_drop(source: InputContainer, drop: Collection[str], video_index: int) -> None:
    known = [str(stream.index) for stream in source.streams if stream.index != video_index]
    for name in drop:
        if name == str(video_index):
            raise UsageError(f"{source.name}: stream {name} is the video that is upscaled; it cannot be left out")
        if name not in (*known, *KINDS):
            listed = ", ".join((*known, *KINDS))
            raise UsageError(f"{source.name}: there is no stream '{name}' to leave out; known: {listed}")


def _is_chapter_track(source: InputContainer, stream: Stream) -> bool:
    """Whether it is the text track in which MP4 keeps its chapters; they are written anew from the chapters."""
    is_text = stream.type == "data" and _codec_name(stream) == "bin_data"
    return is_text and "mp4" in source.format.name and bool(source.chapters())


def _holds_codec(encoder: Encoder, container: str) -> bool:
    try:
        av.open(io.BytesIO(), "w", format=container).add_stream(encoder.name, rate=24)
    except ValueError:
        return False
    return True


def _holds_stream(source: InputContainer, stream: Stream, container: str) -> bool:
    """Whether libavformat writes a header with this stream in it."""
    if stream.disposition & Disposition.attached_pic and container not in _HOLD_COVER_ART:
        return False  # QuickTime's muxer takes it and writes nothing of it
    try:
        out = av.open(io.BytesIO(), "w", format=container)
        add_copied(out, source, stream)
        out.start_encoding()
    except (ValueError, av.FFmpegError):
        return False
    with suppress(av.FFmpegError):  # the end of a file without packets does not matter
        out.close()
    return True


def _other_suffixes(source: InputContainer, target: Path) -> list[str]:
    """Of containers other than the target's in which a stream of the source may be at home."""
    container = CONTAINERS[target.suffix.lower()]
    suffixes = dict.fromkeys((".mkv", Path(source.name).suffix.lower()))
    return [suffix for suffix in suffixes if CONTAINERS.get(suffix, container) != container]


def _misfit_message(source: InputContainer, copied: list[Stream], misfits: list[Stream], target: Path) -> str:
    what = " and ".join(describe(stream) for stream in misfits)
    others = _other_suffixes(source, target)
    fitting = [s for s in others if all(_holds_stream(source, stream, CONTAINERS[s]) for stream in copied)]
    write = f"write {' or '.join(fitting)}, or " if fitting else ""
    indices = ",".join(str(stream.index) for stream in misfits)
    return f"{target.suffix} cannot hold {what}; {write}do without, with --drop-streams {indices}"


def _picture_suffix(stream: Stream) -> str:
    return {"mjpeg": "jpg"}.get(_codec_name(stream), _codec_name(stream))


def _attached_picture(source: InputContainer, stream: Stream) -> bytes:
    """The file that cover art was; libav hands it out as the stream's only packet."""
    with open_source(Path(source.name)) as again:
        for packet in again.demux(again.streams[stream.index]):
            if packet.size:
                return bytes(packet)
    raise VideoError(f"{source.name}: the picture of {describe(stream)} cannot be read")
