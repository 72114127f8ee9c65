"""AV1: the first bits of each frame header (AV1 bitstream specification, 5.3, 5.5 and 5.9)."""

from apisr_data.intra.bits import Bits
from apisr_data.intra.verdict import UNKNOWN, P, Verdict, unusual

_SEQUENCE_HEADER, _FRAME_HEADER, _FRAME = 1, 3, 6
_KEY, _INTRA_ONLY = 0, 2


class Av1:
    """Classifies temporal units.

    A shown key frame stands alone and cannot be shown again. Any other intra frame needs what came before it, or may
    be shown by a later packet.
    """

    def __init__(self, extradata: bytes) -> None:
        self._is_still = False
        for kind, payload in _units(extradata[4:]):
            if kind == _SEQUENCE_HEADER:
                self._is_still = _is_reduced_still(payload)

    def classify(self, packet: bytes) -> Verdict:
        """What this packet's picture is."""
        has_headers = False
        frames: list[Verdict] = []
        try:
            for kind, payload in _units(packet):
                if kind == _SEQUENCE_HEADER:
                    has_headers = True
                    self._is_still = _is_reduced_still(payload)
                elif kind in (_FRAME_HEADER, _FRAME):
                    frames.append(self._read_frame(payload))
        except (EOFError, IndexError):
            return unusual("a header that cannot be read")
        if problem := next((frame for frame in frames if frame.unusual), None):
            return problem
        if any(frame.is_alone for frame in frames):
            if len(frames) > 1:
                return unusual("an I-frame that shares its packet")
            return Verdict("I", is_alone=True, is_sync=True, has_headers=has_headers)
        return P if frames else UNKNOWN

    def _read_frame(self, payload: bytes) -> Verdict:
        if self._is_still:
            return Verdict("I", is_alone=True)
        bits = Bits(payload[:2])
        if bits.read(1):  # show_existing_frame
            return P
        kind, is_shown = bits.read(2), bits.read(1)
        if kind == _INTRA_ONLY:
            return unusual("an intra-only frame")
        if kind != _KEY:
            return P
        return Verdict("I", is_alone=True) if is_shown else unusual("a key frame that a later packet shows")


def _is_reduced_still(payload: bytes) -> bool:
    return bool(payload[0] >> 3 & 1)


def _units(data: bytes) -> list[tuple[int, bytes]]:
    """Type and first bytes of each open bitstream unit."""
    units, at = [], 0
    while at < len(data):
        header = data[at]
        kind, has_extension, has_size = header >> 3 & 15, header >> 2 & 1, header >> 1 & 1
        at += 1 + has_extension
        size = len(data) - at
        if has_size:
            size = shift = 0
            while True:
                byte = data[at]
                at += 1
                size |= (byte & 127) << shift
                shift += 7
                if byte < 128 or shift >= 56:
                    break
        units.append((kind, data[at : at + min(size, 16)]))
        at += size
    return units
