"""Chosen frames of a video again, and every frame of a short stretch."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

import av

from apisr_data import colour
from apisr_data.errors import VideoError
from apisr_data.video.decoder import Decoder, OnPacket, demux
from apisr_data.video.frames import Frame, picture_type
from apisr_data.video.packets import Packet, Scan, row_of
from apisr_data.video.probe import describe, opened
from apisr_data.video.reader import FULL_DECODE, IFrameReader, classifier_of
from apisr_data.video.reader import scan as scan_packets

# After a seek, the packet is looked for among this many.
_SEEK_PACKETS = 1500
# Seeking may land too late (MPEG-TS): then again from this much earlier, s.
_EARLIER_S = (0.0, 5.0, 30.0)


def frame_at(
    path: Path | str,
    pts: int | None,
    *,
    assume_matrix: str | None = None,
    scan: Scan | None = None,
    packet: int | None = None,
) -> Frame:
    """One frame again, the same to the bit as `iframes` gave it.

    Args:
        path: the video.
        pts: the frame's raw pts; None where it has none.
        assume_matrix: as for `iframes`.
        scan: an earlier scan of this file: then the packet found by seeking is checked against it.
        packet: the packet's ordinal; decides, with `scan`, where the pts is absent or repeated.

    Raises:
        VideoError: the file cannot be read as a video, or has no such frame.
    """
    if packet is None:
        scan = scan or scan_packets(path)
        packet = next((row.ordinal for row in scan.packets if row.pts == pts), None)
        if packet is None:
            raise VideoError(f"{path}: no packet has pts {pts}; is it the same file?")
    if pts is not None and (frame := _by_seeking(path, pts, packet, scan, assume_matrix)):
        return frame
    return next(frames_at(path, [packet], assume_matrix=assume_matrix, scan=scan))


def frames_at(
    path: Path | str,
    packets: Iterable[int],
    *,
    assume_matrix: str | None = None,
    scan: Scan | None = None,
    on_packet: OnPacket = lambda: None,
) -> Iterator[Frame]:
    """The frames of several packets (ordinals) in one pass, in the order in which they are decoded.

    Raises:
        VideoError: the file cannot be read as a video, or a packet shows no frame.
    """
    wanted = frozenset(packets)
    seen = set()
    for frame in IFrameReader(path, assume_matrix=assume_matrix, scan=scan, wanted=wanted, on_packet=on_packet):
        seen.add(frame.packet)
        yield frame
    if missing := sorted(wanted - seen):
        raise VideoError(f"{path}: no frame comes from packet {missing[0]} ({len(missing)} such); is it the same file?")


def window(path: Path | str, start_s: float, seconds: float) -> Iterator[Frame]:
    """Every frame shown from `start_s` for `seconds`, in presentation order; decoded from the key frame before.

    Their `packet` counts from where decoding began, not from the start of the file.

    Raises:
        VideoError: the file cannot be read as a video.
        ColourError: its colour cannot be converted faithfully.
    """
    for earlier_s in (*_EARLIER_S, None):
        frames = _decode_from(path, None if earlier_s is None else start_s - earlier_s)
        first = next(frames, None)
        if first is not None and (first.time_s <= start_s or earlier_s is None):
            for frame in chain([first], frames):
                if frame.time_s >= start_s + seconds:
                    return
                if frame.time_s >= start_s:
                    yield frame
            return


def _decode_from(path: Path | str, time_s: float | None) -> Iterator[Frame]:
    """Every frame from the key frame before `time_s`, or from the file's start; none where seeking fails."""
    with opened(path) as (container, stream):
        info = describe(Path(path), container, stream)
        interpretation = colour.describe(info)
        if time_s is not None and time_s > 0:
            try:
                container.seek(round(time_s / info.time_base) + info.start_time, stream=stream)
            except av.FFmpegError:
                return
        decoder = Decoder(stream)
        for ordinal, packet in enumerate(demux(container, stream)):
            if time_s is not None and packet.pts is None and packet.dts is None:
                return  # nothing tells where seeking led to
            for row, frame in decoder.decode(packet, row_of(packet, ordinal, "?")):
                yield Frame(frame, row, info, interpretation)
        for row, frame in decoder.drain():
            yield Frame(frame, row, info, interpretation)


def _by_seeking(path: Path | str, pts: int, ordinal: int, scan: Scan | None, assume_matrix: str | None) -> Frame | None:
    """The I-frame with this pts, decoded alone after a seek; None where that cannot be shown to be the frame."""
    if scan is not None and scan.method == FULL_DECODE:
        return None
    with opened(path) as (container, stream):
        _, classifier = classifier_of(stream)
        info = describe(Path(path), container, stream)
        interpretation = colour.describe(info, assume_matrix)
        if classifier is None:
            return None
        decoder, packets = Decoder(stream), demux(container, stream)
        # The stream's first picture may bring headers that later ones rely on.
        first = next(packets, None)
        if first is None or not classifier.classify(bytes(first)).is_sync:
            return None
        decoder.decode_alone(first, row_of(first, 0, "I"))
        try:
            container.seek(pts, stream=stream)
        except av.FFmpegError:
            return None
        for packet in islice(demux(container, stream), _SEEK_PACKETS):
            verdict = classifier.classify(bytes(packet))
            if verdict.unusual:
                return None
            if packet.pts == pts:
                row = row_of(packet, ordinal, "I")
                has_headers = verdict.has_headers or bool(stream.codec_context.extradata)
                if not (verdict.is_alone and has_headers and _agrees(row, scan)):
                    return None
                for of, frame in decoder.decode_alone(packet, row):
                    if of.pts == pts and picture_type(frame) == "I":
                        return Frame(frame, row, info, interpretation, has_true_mark=not verdict.names_others)
                return None
    return None


def _agrees(row: Packet, scan: Scan | None) -> bool:
    """Whether the packet is the one that the scan saw under this ordinal."""
    if scan is None:
        return True
    seen = scan.packets[row.ordinal]
    return (seen.pts, seen.size, seen.is_discard) == (row.pts, row.size, row.is_discard)
