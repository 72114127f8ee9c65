"""One stream's packets and its decoder, with every frame traced back to its packet."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import cast

import av
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet as AvPacket
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from apisr_data.video.packets import Packet

log = logging.getLogger(__name__)

# A demuxer that fails this often in a row without a packet has nothing more to say.
_DEMUX_FAILURES = 16

Decoded = tuple[Packet, VideoFrame]


OnPacket = Callable[[], None]
"""Called for every packet read: a sign of life in the hours between two I-frames of a film."""


def demux(
    container: InputContainer, stream: VideoStream, on_packet: OnPacket = lambda: None
) -> Iterator[AvPacket[VideoStream]]:
    """The stream's packets from where the container stands; a damaged stretch is passed over."""
    failures = 0
    while failures < _DEMUX_FAILURES:
        try:
            for packet in container.demux(stream):
                failures = 0
                on_packet()
                if packet.size:  # empty ones mark the end, or repeat the picture before
                    yield packet
        except av.FFmpegError as error:
            failures += 1
            log.warning("%s: cannot be read here: %s", container.name, error.strerror)
        else:
            return


class Decoder:
    """Decodes packets of one stream on one thread.

    Attributes:
        refused: packets that the decoder refused.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._context = stream.codec_context
        # A process for each video is faster than threads, and frames and errors come in the same order in every run.
        self._context.thread_type = "NONE"
        self._context.thread_count = 1
        self._context.copy_opaque = True
        self._latest: Packet | None = None
        self.refused = 0

    def decode(self, packet: AvPacket[VideoStream], row: Packet) -> list[Decoded]:
        """The frames that are ready now, which may be those of earlier packets."""
        packet.opaque = row  # PyAV finds it again by its address: `row` must be an object of its own
        self._latest = row
        try:
            return self._traced(self._context.decode(packet))
        except av.FFmpegError as error:
            self.refused += 1
            log.debug("packet %d is refused: %s", row.ordinal, error.strerror)
            return []

    def drain(self) -> list[Decoded]:
        """The frames that were held back; afterwards the decoder is as new, but knows its parameter sets."""
        try:
            return self._traced(self._context.decode(None))
        except av.FFmpegError as error:
            log.debug("the decoder cannot be drained: %s", error.strerror)
            return []
        finally:
            self._context.flush_buffers()

    def decode_alone(self, packet: AvPacket[VideoStream], row: Packet) -> list[Decoded]:
        """The frames of one packet, by a decoder that was drained before."""
        # Without this flag H.264 and HEVC hide an I-frame that is no random access point.
        self._context.flags |= Flags.output_corrupt
        return self.decode(packet, row) + self.drain()

    def _traced(self, frames: list[VideoFrame]) -> list[Decoded]:
        return [(cast(Packet, frame.opaque or self._latest), frame) for frame in frames]
