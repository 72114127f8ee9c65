"""MPEG-1, MPEG-2 and MPEG-4 Part 2: picture headers (ISO/IEC 11172-2, 13818-2 and 14496-2, clause 6.2)."""

from apisr_data.intra.verdict import UNKNOWN, B, P, Verdict, unusual

_START = b"\0\0\1"
_PICTURE, _SEQUENCE, _EXTENSION, _LAST_SLICE = 0x00, 0xB3, 0xB5, 0xAF
_QUANT_MATRIX, _PICTURE_CODING = 3, 8
_WHOLE_FRAME = 3
_OBJECT_LAYER_FIRST, _OBJECT_LAYER_LAST, _OBJECT_PLANE = 0x20, 0x2F, 0xB6


class MpegVideo:
    """MPEG-1 and MPEG-2: one frame, or one field, a packet."""

    def __init__(self, extradata: bytes) -> None:
        del extradata

    def classify(self, packet: bytes) -> Verdict:
        """What this packet's picture is."""
        try:
            return self._classify(packet)
        except IndexError:
            return unusual("a header that cannot be read")

    def _classify(self, packet: bytes) -> Verdict:
        kind = 0
        has_headers = has_matrix = False
        at = packet.find(_START)
        while at >= 0:
            code = packet[at + 3]
            if code == _PICTURE:
                kind = packet[at + 5] >> 3 & 7
            elif code == _SEQUENCE:
                has_headers = True
            elif code == _EXTENSION:
                extension = packet[at + 4] >> 4
                has_matrix = has_matrix or extension == _QUANT_MATRIX
                if extension == _PICTURE_CODING and packet[at + 6] & 3 != _WHOLE_FRAME:
                    return unusual("field pictures")
            elif code <= _LAST_SLICE:
                break
            at = packet.find(_START, at + 4)
        if has_matrix and not (kind == 1 and has_headers):
            return unusual("a quantiser matrix that later pictures may rely on")
        if kind == 1:
            return Verdict("I", is_alone=True, is_sync=True, has_headers=has_headers)
        return {2: P, 3: B}.get(kind, UNKNOWN)


class Mpeg4:
    """MPEG-4 Part 2, also with several pictures in one packet (the packed bitstream of DivX)."""

    def __init__(self, extradata: bytes) -> None:
        del extradata

    def classify(self, packet: bytes) -> Verdict:
        """What this packet's picture is."""
        kinds: list[int] = []
        has_headers = False
        at = packet.find(_START)
        while 0 <= at < len(packet) - 4:
            code = packet[at + 3]
            if code == _OBJECT_PLANE:
                kinds.append(packet[at + 4] >> 6)
            elif _OBJECT_LAYER_FIRST <= code <= _OBJECT_LAYER_LAST:
                has_headers = True
            at = packet.find(_START, at + 4)
        if not kinds:
            return UNKNOWN
        if 0 in kinds[1:]:
            return unusual("an I-frame that shares its packet")
        if kinds[0] == 0:
            return Verdict("I", is_alone=True, is_sync=True, has_headers=has_headers)
        if has_headers:
            return unusual("headers that come with a P-frame")
        return {1: P, 2: B, 3: P}[kinds[0]]
