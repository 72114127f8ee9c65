"""HEVC: slice types, leading pictures, parameter sets (ITU-T H.265, clauses 7.3 and 7.4)."""

from apisr_data.intra.bits import Bits
from apisr_data.intra.nal import ParameterSets, nal_units, unescape
from apisr_data.intra.verdict import UNKNOWN, B, P, Verdict, unusual

_RASL = (8, 9)
_FIRST_IRAP, _LAST_IRAP, _LAST_VCL = 16, 23, 31
_VPS, _SPS, _PPS = 32, 33, 34
_I = 2
_SLICE_BYTES = 32


class Hevc:
    """Classifies packets with start codes (TS) or with lengths (MP4, MKV); layers above the base are passed over."""

    def __init__(self, extradata: bytes) -> None:
        # Of each PPS: (output_flag_present_flag, num_extra_slice_header_bits).
        self._pps: dict[int, tuple[int, int]] = {}
        self._length_bytes = 0
        if extradata[:1] == b"\1" and len(extradata) > 22:
            self._length_bytes = (extradata[21] & 3) + 1
            units = set(_configured(extradata))
        else:
            units = {extradata[start:end].rstrip(b"\0") for start, end in nal_units(extradata, 0)}
        units = {unit for unit in units if len(unit) > 2 and _kind(unit[0]) in (_VPS, _SPS, _PPS)}
        self._learn(units)
        self._sets = ParameterSets(units)

    def classify(self, packet: bytes) -> Verdict:
        """What this packet's picture is."""
        try:
            return self._classify(packet)
        except (EOFError, LookupError):
            return unusual("a header that cannot be read")

    def _classify(self, packet: bytes) -> Verdict:
        sets: set[bytes] = set()
        picture: Verdict | None = None
        for start, end in nal_units(packet, self._length_bytes):
            kind = _kind(packet[start])
            if packet[start] & 1 or packet[start + 1] >> 3:
                continue  # nuh_layer_id is not 0
            if kind in (_VPS, _SPS, _PPS):
                sets.add(packet[start:end].rstrip(b"\0"))
            elif kind <= _LAST_VCL:
                if picture is None:
                    self._learn(sets)
                    picture = self._read_slice(kind, packet[start + 2 : start + _SLICE_BYTES])
                    if not picture.is_alone or picture.is_sync:
                        break  # every slice of a random access picture is an I slice
                else:
                    return unusual("several slices in an I-frame that is no random access point")
        return self._judge(sets, picture)

    def _judge(self, sets: set[bytes], picture: Verdict | None) -> Verdict:
        has_headers = (
            picture is not None and picture.is_alone and {_kind(unit[0]) for unit in sets} == {_VPS, _SPS, _PPS}
        )
        if not self._sets.follow(sets, is_complete=has_headers):
            return unusual("parameter sets change within a group of pictures")
        if picture is None or not picture.is_alone:
            return picture or UNKNOWN
        return Verdict(
            "I",
            is_alone=True,
            is_sync=picture.is_sync,
            has_headers=has_headers,
            names_others=not picture.is_sync,
        )

    def _read_slice(self, kind: int, data: bytes) -> Verdict:
        bits = Bits(unescape(data))
        if not bits.read(1):  # first_slice_segment_in_pic_flag
            return UNKNOWN
        is_random_access = _FIRST_IRAP <= kind <= _LAST_IRAP
        if is_random_access and bits.read(1):
            return unusual("earlier pictures are dropped at a random access point")
        has_output_flag, extra_bits = self._pps[bits.read_ue()]
        bits.read(extra_bits)
        slice_type = bits.read_ue()
        if slice_type != _I:
            return (B, P)[slice_type]
        if has_output_flag and not bits.read(1):
            return unusual("an I-frame that is not shown")
        if kind in _RASL:
            return unusual("an I-frame that is skipped when decoding begins at the random access point before it")
        return Verdict("I", is_alone=True, is_sync=is_random_access)

    def _learn(self, units: set[bytes]) -> None:
        for unit in units:
            if _kind(unit[0]) == _PPS:
                bits = Bits(unescape(unit[2:]))
                number, _ = bits.read_ue(), bits.read_ue()
                bits.read(1)
                self._pps[number] = bits.read(1), bits.read(3)


def _kind(first_byte: int) -> int:
    return first_byte >> 1 & 63


def _configured(extradata: bytes) -> list[bytes]:
    """The parameter sets of an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1)."""
    units, at = [], 23
    for _ in range(extradata[22]):
        count = int.from_bytes(extradata[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            size = int.from_bytes(extradata[at : at + 2], "big")
            units.append(extradata[at + 2 : at + 2 + size].rstrip(b"\0"))
            at += 2 + size
    return units
