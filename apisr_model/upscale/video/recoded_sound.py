"""Sound of a codec that no container of ours holds, coded anew without loss."""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

# Container -> encoder; Opus, the one that loses a little, is all that WebM takes.
ENCODERS = {"matroska": "flac", "mp4": "flac", "mov": "pcm_s16le", "webm": "libopus"}
_GAP_S = Fraction(1, 20)  # time stamps of old containers are that far off
_LONGEST_GAP_S = 600  # beyond it the time stamp is damaged
_SILENCE_SAMPLES = 4096


class RecodedSound:
    """Packets of one stream in, packets of another out, with silence where the source has a gap."""

    def __init__(self, stream: AudioStream, target: AudioStream, origin: Fraction) -> None:
        """`origin`: seconds taken from every time stamp."""
        self._decoder, self._target, self._origin = stream.codec_context, target, origin
        self._next: int | None = None  # sample

    def packets(self, packet: "av.Packet[Any] | None") -> Iterator["av.Packet[Any]"]:
        """What comes of a packet; of None, all that still waits."""
        frames: list[AudioFrame] = []
        with suppress(av.FFmpegError):  # what is damaged leaves a gap
            frames = self._decoder.decode(packet)
        for frame in frames:
            yield from self._encoded(frame)
        if packet is None:
            yield from self._target.encode(None)

    def _encoded(self, frame: AudioFrame) -> Iterator["av.Packet[Any]"]:
        rate = frame.sample_rate
        begin = self._next or 0
        if frame.pts is not None and frame.time_base is not None:
            begin = round((frame.pts * frame.time_base - self._origin) * rate)
        if self._next is None:
            self._next = begin
        if _GAP_S < Fraction(begin - self._next, rate) < _LONGEST_GAP_S:
            while self._next < begin:
                yield from self._stamped(_silence(frame, min(begin - self._next, _SILENCE_SAMPLES)))
        yield from self._stamped(frame)

    def _stamped(self, frame: AudioFrame) -> Iterator["av.Packet[Any]"]:
        assert self._next is not None
        frame.pts, frame.time_base = self._next, Fraction(1, frame.sample_rate)
        self._next += frame.samples
        yield from self._target.encode(frame)


def set_up(target: AudioStream, stream: AudioStream) -> None:
    """Give the new stream the shape of the old one: its channels, rate and, where they are whole numbers, its bits."""
    old, new = stream.codec_context, target.codec_context
    rates = new.codec.audio_rates or [old.sample_rate]
    new.layout, new.sample_rate = old.layout, old.sample_rate if old.sample_rate in rates else max(rates)
    has_more_bits = old.format.name.startswith("s32")
    offered = [f.name for f in new.codec.audio_formats or [] if f.name.startswith("s32" if has_more_bits else "s16")]
    new.format = offered[0] if offered else new.format
    new.time_base = target.time_base = Fraction(1, new.sample_rate)


def _silence(like: AudioFrame, samples: int) -> AudioFrame:
    made = AudioFrame(like.format.name, like.layout.name, samples)
    made.sample_rate = like.sample_rate
    for plane in made.planes:
        fill = 128 if like.format.name.startswith("u8") else 0
        plane.update(np.full(plane.buffer_size, fill, np.uint8).tobytes())
    return made
