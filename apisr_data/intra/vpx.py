"""VP8 and VP9: frame headers (RFC 6386, 9.1; VP9 bitstream specification 0.6, 6.2 and annex B)."""

from apisr_data.intra.bits import Bits
from apisr_data.intra.verdict import P, Verdict, unusual

_ALONE = Verdict("I", is_alone=True, is_sync=True, has_headers=True)
_HIDDEN = Verdict("I")
_HEADER_BYTES = 16
_SRGB = 7
_ALL_SLOTS = 255


class Vp8:
    """A frame's first byte tells its type and whether it is shown."""

    def __init__(self, extradata: bytes) -> None:
        del extradata

    def classify(self, packet: bytes) -> Verdict:
        """What this packet's picture is."""
        if packet[0] & 1:
            return P
        return _ALONE if packet[0] & 16 else unusual("a key frame that is not shown")


class Vp9:
    """Follows which of the eight reference slots hold an intra frame, since any of them may be shown again."""

    def __init__(self, extradata: bytes) -> None:
        del extradata
        self._intra_slots = 0

    def classify(self, packet: bytes) -> Verdict:
        """What this packet's picture is."""
        try:
            frames = [self._read_frame(frame) for frame in _frames(packet)]
        except EOFError:
            return unusual("a header that cannot be read")
        if len(frames) == 1:
            return frames[0]
        if any(frame.is_alone for frame in frames):
            return unusual("an I-frame that shares its packet")
        # Only the last frame of a superframe is shown.
        return next((frame for frame in frames if frame.unusual), frames[-1])

    def _read_frame(self, data: bytes) -> Verdict:
        bits = Bits(data[:_HEADER_BYTES])
        bits.read(2)
        profile = bits.read(1) | bits.read(1) << 1
        if profile == 3:
            bits.read(1)
        if bits.read(1):  # show_existing_frame
            return unusual("an I-frame that is shown again") if self._intra_slots >> bits.read(3) & 1 else P
        is_inter, is_shown, is_resilient = bits.read(1), bits.read(1), bits.read(1)
        if not is_inter:
            self._intra_slots = _ALL_SLOTS
            return _ALONE if is_shown else _HIDDEN
        is_intra_only = not is_shown and bool(bits.read(1))
        if not is_resilient:
            bits.read(2)  # reset_frame_context
        if is_intra_only:
            bits.read(24)  # frame_sync_code
            if profile > 0:
                _pass_colour(bits, profile)
            self._intra_slots |= bits.read(8)  # refresh_frame_flags
            return _HIDDEN
        self._intra_slots &= ~bits.read(8)
        return P


def _pass_colour(bits: Bits, profile: int) -> None:
    if profile >= 2:
        bits.read(1)
    if bits.read(3) != _SRGB:
        bits.read(1 if profile == 2 else 4)
    elif profile != 2:
        bits.read(1)


def _frames(packet: bytes) -> list[bytes]:
    """The frames of a packet: several where it ends with a superframe index."""
    marker = packet[-1]
    if marker & 0xE0 == 0xC0:
        count, size_bytes = (marker & 7) + 1, (marker >> 3 & 3) + 1
        index = packet[-(2 + count * size_bytes) :]
        if len(index) == 2 + count * size_bytes and index[0] == marker:
            frames, at = [], 0
            for number in range(count):
                size = int.from_bytes(index[1 + number * size_bytes : 1 + (number + 1) * size_bytes], "little")
                frames.append(packet[at : at + size])
                at += size
            return [frame for frame in frames if frame]
    return [packet]
