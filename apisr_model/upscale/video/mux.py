"""Segments and a source's other streams -> one file, and the proof that it holds every picture at its time."""

import logging
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from apisr_model.errors import ContainerError
from apisr_model.upscale.video import matroska
from apisr_model.upscale.video.copies import Copies, Stretch, due
from apisr_model.upscale.video.encoders import Coded, Encoder
from apisr_model.upscale.video.segments import Part
from apisr_model.upscale.video.streams import MP4, Plan, add_copied, add_recoded, is_in_header, open_source, tags

log = logging.getLogger(__name__)

# Statistics that a Matroska muxer left about packets that are no longer these.
_STATISTICS = ("BPS", "DURATION", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES", "_STATISTICS_", "ENCODER")
# What describes the old file as a file, and would be wrong of the new one.
_OF_THE_CONTAINER = ("major_brand", "minor_version", "compatible_brands", "encoder")
_ASPECT_ROUNDING = 0.01  # of a display size in whole pixels
_HEARD_S = 0.04  # sound that is off by less is not noticed


def join(part: Part, plan: Plan, encoder: Encoder, coded: Coded, stretch: Stretch, path: Path) -> list[str]:
    """Write the file: pictures and copied packets, interleaved by their time; returns what a damaged source lacks.

    Raises:
        ContainerError: what was written does not read back.
        OSError: the disk is full, say.
    """
    with open_source(plan.source) as source, _open_target(path, plan.format) as out:
        out.metadata.update({k: v for k, v in source.metadata.items() if k.lower() not in _OF_THE_CONTAINER})
        out.set_chapters(_chapters(source, stretch))
        copies: dict[int, Stream] = {}
        # What goes into the header comes last, as it does when the file is read: so indices agree.
        for stream in sorted(source.streams, key=is_in_header):
            if stream.index == plan.video_index:
                pictures = _add_video(out, stream, encoder, coded)
            elif stream.index in plan.recoded and isinstance(stream, AudioStream):
                copies[stream.index] = add_recoded(out, stream)
            elif stream.index in plan.copied and (copy := add_copied(out, source, stream)) is not None:
                copies[stream.index] = copy
        position = pictures.index
        has_display_size = coded.sample_aspect_ratio != 1 and plan.format in matroska.FORMATS
        if has_display_size:
            pictures.metadata["title"] = pictures.metadata.get("title", "") + matroska.ROOM
        encoded = _pictures(part, pictures, coded.time_base, stretch.origin)
        picture = next(encoded, None)
        begins = {position: part.shown()[0] * coded.time_base - stretch.origin}
        copied = Copies(source, copies, stretch, step=1 if plan.format in MP4 else 0)
        for packet in copied:
            while picture is not None and due(picture) <= due(packet):
                out.mux(picture)
                picture = next(encoded, None)
            if packet.stream.type == "audio" and packet.pts is not None:
                begins.setdefault(packet.stream.index, packet.pts * packet.time_base)
            out.mux(packet)
        while picture is not None:
            out.mux(picture)
            picture = next(encoded, None)
        lost = copied.lost((part.shown()[-1] + part.segments[-1].last_duration) * coded.time_base)
    if has_display_size:
        matroska.set_display_size(path, position, coded.size, coded.sample_aspect_ratio)
    _check(path, position, part.shown(), begins, coded)
    return lost


def _open_target(path: Path, container: str) -> OutputContainer:
    """A container to write, with the index of an MP4 at its front."""
    options = {"movflags": "+faststart"} if container in MP4 else {}
    return av.open(str(path.absolute()), "w", format=container, container_options=options)


def _add_video(out: OutputContainer, origin: Stream, encoder: Encoder, coded: Coded) -> VideoStream:
    """The stream for the new pictures, described and disposed as the source's."""
    stream = out.add_stream(encoder.name, rate=coded.frame_rate)
    assert isinstance(stream, VideoStream)
    encoder.set_up(stream.codec_context, coded)
    stream.time_base = coded.time_base
    if encoder.codec == "hevc" and out.format.name in MP4:
        stream.codec_context.codec_tag = "hvc1"  # Apple plays no other
    stream.disposition = origin.disposition
    stream.metadata.update({k: v for k, v in tags(origin).items() if not k.upper().startswith(_STATISTICS)})
    return stream


def _pictures(part: Part, stream: VideoStream, time_base: Fraction, origin: Fraction) -> Iterator["av.Packet[Any]"]:
    """The encoded packets, ready to be muxed."""
    ticks = round(origin / time_base)
    for packet in part.packets():
        packet.stream, packet.time_base = stream, time_base
        assert packet.pts is not None
        assert packet.dts is not None
        packet.pts, packet.dts = packet.pts - ticks, packet.dts - ticks
        yield packet


def _chapters(source: InputContainer, stretch: Stretch) -> list[Any]:
    """The source's chapters, moved by the origin; of a part, those that it touches, cut to it."""
    moved = []
    for chapter in source.chapters():
        time_base = Fraction(chapter["time_base"] or 1)
        first, last = (chapter[key] * time_base for key in ("start", "end"))
        if stretch.start is not None:
            first, last = max(first, stretch.start), last if stretch.end is None else min(last, stretch.end)
            if last <= first:
                continue
        start, end = (round((time - stretch.origin) / time_base) for time in (first, last))
        moved.append({**chapter, "start": start, "end": end})
    return moved


def _check(path: Path, position: int, shown: list[int], begins: Mapping[int, Fraction], coded: Coded) -> None:
    """See that the file holds every picture at its time, to one tick of its own clock, and in its shape.

    `begins` is where the pictures and each sound were to begin, s. A container may move all of them; where it moved one
    against another, a player still shows the file, so that is a warning.
    """
    found: list[int] = []
    first: dict[int, Fraction] = {}
    with open_source(path) as written:
        stream = written.streams[position]
        assert isinstance(stream, VideoStream)
        for packet in written.demux([written.streams[index] for index in begins]):
            if packet.size and packet.pts is not None:
                first.setdefault(packet.stream.index, packet.pts * packet.time_base)
                if packet.stream.index == position:
                    found.append(packet.pts)
        found.sort()
        tick = Fraction(stream.time_base or 1)
        aspect = stream.sample_aspect_ratio or Fraction(1)
    if abs(aspect / coded.sample_aspect_ratio - 1) > _ASPECT_ROUNDING:
        raise ContainerError(
            f"{path}: has pixels of {aspect}, not {coded.sample_aspect_ratio}; choose another container"
        )
    if len(found) != len(shown):
        raise ContainerError(f"{path}: holds {len(found)} pictures of {len(shown)}; choose another container")
    for pts, wanted in zip(found, shown, strict=True):
        drift = (pts - found[0]) * tick - (wanted - shown[0]) * coded.time_base
        if abs(drift) > tick:
            raise ContainerError(f"{path}: moved a picture by {float(drift):.4f} s; choose another container")
    moved = found[0] * tick - begins[position]
    for index in begins.keys() & first.keys() - {position}:
        late_s = float(moved - (first[index] - begins[index]))
        if abs(late_s) > _HEARD_S:
            log.warning("%s: the pictures are %.3f s late against sound %d", path, late_s, index)
