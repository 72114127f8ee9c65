"""The packets of a source's other streams on their way into the target, and what a damaged source lacks of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition, Stream

from apisr_model.upscale.video.recoded_sound import RecodedSound
from apisr_model.upscale.video.streams import describe, is_in_header

_INTERLEAVED_S = 60  # packets of one time lie closer together in any file
_TEXT_SUBTITLE = 1 << 17  # AV_CODEC_PROP_TEXT_SUB
_FAILURES = 100  # one after the other: then nothing more comes
_HOLE_S = Fraction(1, 2)  # sound has no gaps of its own
_FINEST_PARTS, _TICK_S = 1000, Fraction(1, 90_000)
_EARLY_S = 2.0  # as of pictures: a track may end a little before its stated end


@dataclass(frozen=True)
class Stretch:
    """What of the source the pictures cover, in seconds as the source counts."""

    origin: Fraction
    """Taken from every time stamp."""
    start: Fraction | None = None
    """Where a part starts; None: the whole is there."""
    end: Fraction | None = None


@dataclass
class _Seen:
    """How far a stream was read, s as the source counts."""

    end: Fraction | None = None
    holes: list[tuple[Fraction, Fraction]] = field(default_factory=list)


class Copies:
    """The packets of the streams in `targets` (source index -> target stream), ready to be muxed, in the file's order.

    Those of a target stream that is of another codec are coded anew. Of a part go the packets that begin within it, and
    the text subtitles that are still shown at its start. A source may step back at an edit, which no muxer takes: from
    one packet of a stream to the next the decoding time rises by `step` ticks at least.
    """

    def __init__(self, source: InputContainer, targets: Mapping[int, Stream], stretch: Stretch, *, step: int) -> None:
        self._source, self._targets, self._stretch, self._step = source, targets, stretch, step
        self._seen = {index: _Seen() for index in targets}
        self._recoded = {
            index: RecodedSound(stream, target, stretch.origin)
            for index, target in targets.items()
            if isinstance(stream := source.streams[index], AudioStream)
            and isinstance(target, AudioStream)
            and target.codec_context.codec.id != stream.codec_context.codec.id
        }

    def __iter__(self) -> Iterator["av.Packet[Any]"]:
        """Each packet once."""
        latest: dict[int, int] = {}
        stretch = self._stretch
        for packet in self._readable():
            stream = packet.stream
            if stretch.end is not None and due(packet) > stretch.end + _INTERLEAVED_S:
                break
            if not _is_within(packet, stretch, has_begun=stream.index in latest):
                continue
            self._look_at(packet)
            if stream.index in self._recoded:
                yield from self._recoded[stream.index].packets(packet)
                continue
            if not is_in_header(stream):
                _move_back(packet, stretch.origin)
            if stretch.start is not None and stream.type == "subtitle" and packet.pts is not None and packet.pts < 0:
                packet.duration = (packet.duration or 0) + packet.pts  # shown from before the part's start
                packet.pts = packet.dts = 0
            if packet.dts is not None:
                packet.dts = max(packet.dts, latest.get(stream.index, packet.dts - self._step) + self._step)
                packet.pts = packet.dts if packet.pts is None else max(packet.pts, packet.dts)
                latest[stream.index] = packet.dts
            packet.stream = self._targets[stream.index]
            yield packet
        for recoded in self._recoded.values():
            yield from recoded.packets(None)

    def lost(self, pictures_end: Fraction) -> list[str]:
        """A sentence on each stream that has holes, or ends long before its stated end and that of the pictures.

        All packets must have been read; `pictures_end` in s as the source counts. Told are seconds from its start.
        """
        told, zero = [], Fraction(self._source.start_time or 0, av.time_base)
        for index, seen in self._seen.items():
            stream = self._source.streams[index]
            faults = []
            if seen.holes:
                first, last = (float(s - zero) for s in seen.holes[0])
                more = f" and {len(seen.holes) - 1} more holes" if seen.holes[1:] else ""
                faults.append(f"a hole from {first:.1f} to {last:.1f} s{more}")
            stated = _stated_end(stream) if self._stretch.end is None else None
            if seen.end is None and stated is not None and stated > _EARLY_S and self._stretch.start is None:
                faults.append(f"nothing of its {float(stated - zero):.1f} s can be read")
            if seen.end is not None and stated is not None:
                short_s = min(stated, pictures_end) - seen.end
                if short_s > max(_EARLY_S, float(stated) / 20):
                    ends_s, stated_s = (float(s - zero) for s in (seen.end, stated))
                    faults.append(f"it ends at {ends_s:.1f} of {stated_s:.1f} s")
            if faults:
                told.append(f"{describe(stream)}: {', '.join(faults)}")
        return told

    def _look_at(self, packet: "av.Packet[Any]") -> None:
        seen, begin = self._seen[packet.stream.index], due(packet)
        if packet.stream.type == "audio" and seen.end is not None and begin - seen.end > _HOLE_S:
            seen.holes.append((seen.end, begin))
        end = begin + (packet.duration or 0) * packet.time_base
        seen.end = end if seen.end is None else max(seen.end, end)

    def _readable(self) -> Iterator["av.Packet[Any]"]:
        """The packets that can be read; damaged stretches are passed over."""
        failures = 0
        while self._targets and failures < _FAILURES:
            try:
                for packet in self._source.demux([self._source.streams[index] for index in self._targets]):
                    failures = 0
                    if packet.size:
                        yield packet
            except (av.InvalidDataError, av.EOFError, av.BlockingIOError):  # the last where a transport stream is lost
                failures += 1
            else:
                return


def due(packet: "av.Packet[Any]") -> Fraction:
    """When the packet is to be decoded, s."""
    ticks = packet.dts if packet.dts is not None else packet.pts
    return (ticks or 0) * Fraction(packet.time_base)


def _move_back(packet: "av.Packet[Any]", origin: Fraction) -> None:
    """Take `origin` from the packet's times, in finer units where its own are too coarse: of AVI's sound, 24 ms."""
    parts = (origin / packet.time_base).denominator
    if parts > _FINEST_PARTS:  # libav counts units in 32 bits; so fine, a tick more or less is nothing
        parts = max(1, round(packet.time_base / _TICK_S))
    packet.time_base /= parts
    ticks = round(origin / packet.time_base)
    packet.pts = None if packet.pts is None else packet.pts * parts - ticks
    packet.dts = None if packet.dts is None else packet.dts * parts - ticks
    packet.duration = (packet.duration or 0) * parts


def _stated_end(stream: Stream) -> Fraction | None:
    """Where the file says that the stream ends, s as it counts."""
    if stream.disposition & Disposition.attached_pic:
        return None
    if stream.duration and stream.time_base:
        return (stream.duration + (stream.start_time or 0)) * stream.time_base
    hours, _, rest = stream.metadata.get("DURATION", "").partition(":")  # of Matroska, 00:23:40.031000000
    minutes, _, seconds = rest.partition(":")
    try:
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    except ValueError:
        return None


def _is_within(packet: "av.Packet[Any]", stretch: Stretch, *, has_begun: bool) -> bool:
    stream = packet.stream
    if stretch.start is None or is_in_header(stream):
        return True
    ticks = packet.pts if packet.pts is not None else packet.dts
    if ticks is None:
        return False
    begin = ticks * packet.time_base
    if stretch.end is not None and begin >= stretch.end:
        return False
    if begin < stretch.start:
        is_text = stream.type == "subtitle" and stream.codec_context.codec.properties & _TEXT_SUBTITLE
        return bool(is_text) and begin + (packet.duration or 0) * packet.time_base > stretch.start
    return stream.type != "video" or has_begun or packet.is_keyframe
