"""A stream's I-frames by the fastest path that is exact for it.

An I-frame that stands alone (see `intra`) is decoded alone: its packet goes to a flushed decoder, which is then
drained. Where a stream begins in the middle of a group of pictures, everything up to the first place from which a
decoder can start is decoded in full, because only the decoder knows what it shows there. Where the stream does
something for which this is not exact, or a packet does not give the frame that its header promises, the file is
decoded in full from its start.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Set
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

from av.container import InputContainer
from av.packet import Packet as AvPacket
from av.video.stream import VideoStream

from apisr_data import colour, intra
from apisr_data.errors import VideoError
from apisr_data.video.decoder import Decoded, Decoder, OnPacket, demux
from apisr_data.video.frames import Frame, picture_type
from apisr_data.video.packets import Packet, Scan
from apisr_data.video.probe import clockwise, describe, opened

log = logging.getLogger(__name__)

FULL_DECODE = "full-decode"


class _UnusualError(Exception):
    """Only a full decode is exact for this stream."""


class IFrameReader(Iterator[Frame]):
    """A video's I-frames, one after the other; see `iframes`.

    With `wanted`, the frames of these packets only, and of whatever picture type; reading ends after the last of them.

    Attributes:
        scan: the stream, its packets, the method and the refused packets; complete once the reader is exhausted.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        exact: bool = False,
        assume_matrix: str | None = None,
        scan: Scan | None = None,
        wanted: Set[int] | None = None,
        on_packet: OnPacket = lambda: None,
    ) -> None:
        self._path = Path(path)
        self._wanted = wanted
        self._on_packet = on_packet
        self._given: set[int] = set()
        self._has_picture = self._has_picture_type = False
        self._stack = ExitStack()
        self._source = self._stack.enter_context(opened(path))
        info = describe(self._path, *self._source)
        self._colour = colour.describe(info, assume_matrix)
        method, self._classifier = classifier_of(self._source[1])
        if exact or (scan is not None and scan.method == FULL_DECODE):
            method, self._classifier = FULL_DECODE, None
        self.scan = Scan(info, method)
        self._frames = self._read()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Frame:
        return next(self._frames)

    def _read(self) -> Iterator[Frame]:
        with self._stack:
            if self._classifier is None:
                yield from self._read_everything(*self._source)
                return
            try:
                yield from self._read_intra(self._classifier, *self._source)
            except _UnusualError as reason:
                log.info("%s: decoded in full: %s", self._path, reason)
                self.scan = Scan(self.scan.info, FULL_DECODE)
                self.scan.unusual = str(reason)
            else:
                return
        with opened(self._path) as source:
            yield from self._read_everything(*source)

    def _read_intra(
        self, classifier: intra.Classifier, container: InputContainer, stream: VideoStream
    ) -> Iterator[Frame]:
        scan, decoder = self.scan, Decoder(stream)
        is_leading = True
        headers: tuple[AvPacket[VideoStream], Packet] | None = None
        for packet in demux(container, stream, self._on_packet):
            verdict = classifier.classify(bytes(packet))
            row = scan.note(packet, verdict)
            if scan.unusual:
                raise _UnusualError(scan.unusual)
            if self._wanted is not None and row.ordinal in self._wanted and not verdict.is_alone:
                raise _UnusualError(f"packet {row.ordinal} is wanted and cannot be decoded alone")
            has_true_mark = is_leading or not verdict.names_others
            if is_leading:
                frames = decoder.decode(packet, row)
                if verdict.is_sync:
                    frames += decoder.drain()
                    is_leading = not (packet.is_discard or _gives_intra(frames, row))
            elif not verdict.is_alone:
                continue
            elif packet.is_discard or (self._wanted is not None and row.ordinal not in self._wanted):
                headers = (packet, row) if verdict.has_headers else headers
                continue
            else:
                if headers is not None and not verdict.has_headers:
                    decoder.decode_alone(*headers)
                headers = None
                frames = decoder.decode_alone(packet, row)
                if not _gives_intra(frames, row):
                    raise _UnusualError(f"packet {row.ordinal} does not decode alone")
            yield from self._shown(frames, decoder, has_true_mark=has_true_mark)
            if self._is_done():
                return
        if is_leading:
            yield from self._shown(decoder.drain(), decoder)
            scan.method, scan.unusual = FULL_DECODE, "no place to start decoding from"
        self._finish()

    def _read_everything(self, container: InputContainer, stream: VideoStream) -> Iterator[Frame]:
        decoder = Decoder(stream)
        for packet in demux(container, stream, self._on_packet):
            row = self.scan.note(packet, intra.UNKNOWN)
            yield from self._shown(decoder.decode(packet, row), decoder)
            if self._is_done():
                return
        yield from self._shown(decoder.drain(), decoder)
        self._finish()

    def _shown(self, decoded: list[Decoded], decoder: Decoder, *, has_true_mark: bool = True) -> Iterator[Frame]:
        self.scan.decode_errors = decoder.refused
        self._has_picture = self._has_picture or bool(decoded)
        for row, frame in decoded:
            kind = picture_type(frame)
            self._has_picture_type = self._has_picture_type or kind != "?"
            self.scan.packets.settle(row.ordinal, kind)
            if not self._given:
                self.scan.info = replace(self.scan.info, rotation=clockwise(frame, self._path))
            if row.ordinal in self._given or not (kind == "I" if self._wanted is None else row.ordinal in self._wanted):
                continue
            self._given.add(row.ordinal)
            yield Frame(frame, row, self.scan.info, self._colour, has_true_mark=has_true_mark)

    def _is_done(self) -> bool:
        return self._wanted is not None and self._wanted <= self._given

    def _finish(self) -> None:
        codec = self.scan.info.codec
        if not self._has_picture:
            raise VideoError(f"{self._path}: no picture of its {codec} stream could be decoded; damaged or cut off")
        if self._wanted is None and not self._has_picture_type:  # as Cinepak's and QuickTime Animation's decoders
            raise VideoError(f"{self._path}: this codec ({codec}) does not mark I-frames; convert the video first")


def iframes(
    path: Path | str,
    *,
    exact: bool = False,
    assume_matrix: str | None = None,
    scan: Scan | None = None,
    on_packet: OnPacket = lambda: None,
) -> IFrameReader:
    """Exactly the I-frames that a full decode shows, in decoding order (presentation order where it decodes in full).

    Damaged packets never end it; the reader's `scan.decode_errors` counts those that the decoder refused.

    Args:
        path: the video.
        exact: decode everything, whatever the stream is.
        assume_matrix: colour matrix in place of a guess (see `colour.describe`).
        scan: an earlier scan of this file, whose method is then followed.
        on_packet: called for every packet read.

    Raises:
        VideoError: the file cannot be read as a video, or its codec's decoder does not say which frames are I-frames.
        ColourError: its colour cannot be converted faithfully.
    """
    return IFrameReader(path, exact=exact, assume_matrix=assume_matrix, scan=scan, on_packet=on_packet)


def scan(path: Path | str, *, on_packet: OnPacket = lambda: None) -> Scan:
    """Every packet of a video, and how its I-frames are found exactly; nothing is decoded but the first I-frame.

    Raises:
        VideoError: the file cannot be read as a video.
    """
    with opened(path) as (container, stream):
        method, classifier = classifier_of(stream)
        result = Scan(describe(Path(path), container, stream), method)
        decoder: Decoder | None = Decoder(stream)
        for packet in demux(container, stream, on_packet):
            verdict = classifier.classify(bytes(packet)) if classifier else intra.UNKNOWN
            row = result.note(packet, verdict)
            if decoder and (verdict.is_alone or packet.is_keyframe):
                for _, frame in decoder.decode_alone(packet, row):
                    result.info = replace(result.info, rotation=clockwise(frame, Path(path)))
                    decoder = None
        return result


def classifier_of(stream: VideoStream) -> tuple[str, intra.Classifier | None]:
    """The method that fits the stream's codec, and a fresh classifier; None where only a full decode is exact."""
    codec = stream.codec_context.codec
    return intra.classifier(codec.canonical_name, stream.codec_context.extradata or b"", is_intra_only=codec.intra_only)


def _gives_intra(frames: list[Decoded], row: Packet) -> bool:
    return any(of.ordinal == row.ordinal and picture_type(frame) == "I" for of, frame in frames)
