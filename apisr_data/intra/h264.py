"""H.264: slice types, field pictures, parameter sets (ITU-T H.264, clauses 7.3 and 7.4)."""

from typing import NamedTuple

from apisr_data.intra.bits import Bits
from apisr_data.intra.nal import ParameterSets, nal_units, unescape
from apisr_data.intra.verdict import UNKNOWN, B, P, Verdict, unusual

_SLICE, _PARTITION_A, _IDR, _SEI, _SPS, _PPS = 1, 2, 5, 6, 7, 8
_RECOVERY_POINT = 6
_I = 2
_OTHERS = {0: P, 1: B, 3: P, 4: UNKNOWN}  # 3 is SP; 4 is SI, which libav does not call I
# Profiles whose sequence parameter sets tell the chroma format (7.3.2.1.1).
_HIGH_PROFILES = frozenset((44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244))
# field_pic_flag stands within the first 15 bytes of a slice.
_SLICE_BYTES = 32


class _Sps(NamedTuple):
    frame_num_bits: int
    has_fields: bool
    has_separate_planes: bool


class _Slice(NamedTuple):
    first_macroblock: int
    type: int
    is_field: bool


class H264:
    """Classifies packets with start codes (TS, PS, AVI) or with lengths (MP4, MKV)."""

    def __init__(self, extradata: bytes) -> None:
        self._sps: dict[int, _Sps] = {}
        self._pps: dict[int, int] = {}
        self._length_bytes = 0
        if extradata[:1] == b"\1" and len(extradata) > 6:
            self._length_bytes = (extradata[4] & 3) + 1
            units = set(_configured(extradata))
        else:
            units = {extradata[start:end].rstrip(b"\0") for start, end in nal_units(extradata, 0)}
        units = {unit for unit in units if unit and unit[0] & 31 in (_SPS, _PPS)}
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
        slices: list[_Slice] = []
        is_sync = False
        for start, end in nal_units(packet, self._length_bytes):
            kind = packet[start] & 31
            if kind in (_SLICE, _IDR):
                if not slices:
                    self._learn(sets)
                slices.append(self._read_slice(packet[start + 1 : start + _SLICE_BYTES]))
                is_sync = is_sync or kind == _IDR
                if slices[0].type != _I or slices[-1].is_field:
                    break
            elif kind in (_SPS, _PPS):
                sets.add(packet[start:end].rstrip(b"\0"))
            elif kind == _SEI:
                is_sync = is_sync or _is_recovery_point(unescape(packet[start + 1 : end]))
            elif kind == _PARTITION_A:
                return unusual("data partitioning")
        return self._judge(sets, slices, is_sync=is_sync)

    def _judge(self, sets: set[bytes], slices: list[_Slice], *, is_sync: bool) -> Verdict:
        is_intra = bool(slices) and slices[0].type == _I
        has_headers = is_intra and {unit[0] & 31 for unit in sets} == {_SPS, _PPS}
        if not self._sets.follow(sets, is_complete=has_headers):
            return unusual("parameter sets change within a group of pictures")
        if not slices:
            return UNKNOWN
        if slices[-1].is_field:
            return unusual("field pictures (PAFF)")
        if not is_intra:
            return _OTHERS[slices[0].type]
        if any(part.type != _I for part in slices):
            return unusual("I slices and others in one picture")
        if sum(part.first_macroblock == 0 for part in slices) != 1:
            return unusual("several pictures in one packet")
        return Verdict("I", is_alone=True, is_sync=is_sync, has_headers=has_headers)

    def _read_slice(self, data: bytes) -> _Slice:
        bits = Bits(unescape(data))
        first_macroblock, slice_type = bits.read_ue(), bits.read_ue() % 5
        sps = self._sps[self._pps[bits.read_ue()]]
        is_field = False
        if sps.has_fields:
            bits.read(2 * sps.has_separate_planes + sps.frame_num_bits)
            is_field = bool(bits.read(1))
        return _Slice(first_macroblock, slice_type, is_field)

    def _learn(self, units: set[bytes]) -> None:
        for unit in units:
            payload = unescape(unit[1:])
            if unit[0] & 31 == _SPS:
                number, sps = _read_sps(payload)
                self._sps[number] = sps
            else:
                bits = Bits(payload)
                self._pps[bits.read_ue()] = bits.read_ue()


def _configured(extradata: bytes) -> list[bytes]:
    """The parameter sets of an AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1)."""
    units, at = [], 5
    for mask in (31, 255):
        count = extradata[at] & mask if at < len(extradata) else 0
        at += 1
        for _ in range(count):
            size = int.from_bytes(extradata[at : at + 2], "big")
            units.append(extradata[at + 2 : at + 2 + size].rstrip(b"\0"))
            at += 2 + size
    return units


def _read_sps(payload: bytes) -> tuple[int, _Sps]:
    profile = payload[0]
    bits = Bits(payload[3:])
    number = bits.read_ue()
    has_separate_planes = False
    if profile in _HIGH_PROFILES:
        chroma_format = bits.read_ue()
        has_separate_planes = chroma_format == 3 and bool(bits.read(1))
        bits.read_ue(), bits.read_ue(), bits.read(1)  # bit depths, qpprime_y_zero_transform_bypass_flag
        if bits.read(1):
            for index in range(12 if chroma_format == 3 else 8):
                if bits.read(1):
                    _pass_scaling_list(bits, 16 if index < 6 else 64)
    frame_num_bits = bits.read_ue() + 4
    order_type = bits.read_ue()
    if order_type == 0:
        bits.read_ue()
    elif order_type == 1:
        bits.read(1), bits.read_se(), bits.read_se()
        for _ in range(bits.read_ue()):
            bits.read_se()
    bits.read_ue(), bits.read(1), bits.read_ue(), bits.read_ue()  # references, gaps, width, height
    return number, _Sps(frame_num_bits, not bits.read(1), has_separate_planes)


def _pass_scaling_list(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.read_se()) % 256
        last = following or last


def _is_recovery_point(payload: bytes) -> bool:
    """Whether the SEI says that decoding may begin at this very picture (D.1.8, recovery_frame_cnt = 0)."""
    at = 0
    while at + 2 < len(payload):
        kind = size = 0
        while payload[at] == 255:
            kind, at = kind + 255, at + 1
        kind, at = kind + payload[at], at + 1
        while payload[at] == 255:
            size, at = size + 255, at + 1
        size, at = size + payload[at], at + 1
        if kind == _RECOVERY_POINT:
            return bool(payload[at] >> 7)  # ue(0) is the single bit 1
        at += size
    return False
