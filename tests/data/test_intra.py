"""The parsers of packet headers, on headers made by hand where no encoder makes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apisr_data import intra
from apisr_data.intra.bits import Bits
from apisr_data.intra.nal import nal_units, unescape


def ue(value: int) -> str:
    """Unsigned Exp-Golomb code as a string of bits, from its definition in H.264 9.1."""
    code = bin(value + 1)[2:]
    return "0" * (len(code) - 1) + code


def pack(bits: str) -> bytes:
    bits = bits.replace(" ", "") + "1"  # the stop bit
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")


def annex_b(*units: bytes) -> bytes:
    return b"".join(b"\0\0\0\1" + unit for unit in units)


def verdicts(codec: str, packets: list[bytes], extradata: bytes = b"") -> list[intra.Verdict]:
    _, classifier = intra.classifier(codec, extradata, is_intra_only=False)
    assert classifier is not None
    return [classifier.classify(packet) for packet in packets]


# H.264: a Main profile sequence parameter set whose pictures may be fields, frame_num of 4 bits, order count type 2.
INTERLACED_SPS = bytes([0x67, 77, 0, 30]) + pack(ue(0) + ue(0) + ue(2) + ue(1) + "0" + ue(9) + ue(5) + "01100")
PROGRESSIVE_SPS = bytes([0x67, 77, 0, 30]) + pack(ue(0) + ue(0) + ue(2) + ue(1) + "0" + ue(9) + ue(5) + "1100")
PPS = bytes([0x68]) + pack(ue(0) + ue(0) + "00" + ue(0))


def h264_slice(slice_type: int, *, first_macroblock: int = 0, field: str = "", nal: int = 0x41) -> bytes:
    return bytes([nal]) + pack(ue(first_macroblock) + ue(slice_type) + ue(0) + "0000" + field + "1010" * 8)


@given(st.lists(st.integers(0, 2**20), min_size=1, max_size=8))
def test_exp_golomb_codes_read_back(values: list[int]) -> None:
    bits = Bits(pack("".join(map(ue, values))))
    assert [bits.read_ue() for _ in values] == values


@pytest.mark.parametrize(("code", "value"), [(0, 0), (1, 1), (2, -1), (3, 2), (4, -2)])
def test_signed_codes_follow_the_table_of_the_standard(code: int, value: int) -> None:
    assert Bits(pack(ue(code))).read_se() == value


def test_a_header_that_ends_early_is_an_eof_error() -> None:
    with pytest.raises(EOFError):
        Bits(b"\0").read_ue()
    with pytest.raises(EOFError):
        Bits(b"\xff").read(9)


@given(st.lists(st.binary(min_size=2, max_size=40).filter(lambda b: b"\0\0" not in b and b[-1:] != b"\0"), max_size=5))
def test_units_with_lengths_and_with_start_codes_are_the_same(units: list[bytes]) -> None:
    with_codes = annex_b(*units)
    with_lengths = b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)
    assert [with_lengths[a:b] for a, b in nal_units(with_lengths, 4)] == units
    assert [with_codes[a:b].rstrip(b"\0") for a, b in nal_units(with_codes, 0)] == units


def test_start_codes_are_found_where_lengths_were_promised() -> None:
    packet = annex_b(b"\x41abc")
    assert [packet[a:b] for a, b in nal_units(packet, 4)] == [b"\x41abc"]


def test_emulation_prevention_is_undone() -> None:
    assert unescape(bytes([1, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 2])) == bytes([1, 0, 0, 1, 0, 0, 0, 0, 2])


def test_h264_slice_types_of_progressive_frames() -> None:
    idr = annex_b(PROGRESSIVE_SPS, PPS, h264_slice(7, nal=0x65))
    found = verdicts("h264", [idr, *(annex_b(h264_slice(kind)) for kind in (5, 0, 6, 1, 2, 4))])
    assert [v.picture_type for v in found] == ["I", "P", "P", "B", "B", "I", "?"]
    assert [v.is_alone for v in found] == [True, False, False, False, False, True, False]
    assert [v.is_sync for v in found] == [True, *[False] * 6]
    assert found[0].has_headers
    assert not found[5].has_headers


@pytest.mark.parametrize(("field", "is_unusual"), [("0", False), ("1 0", True), ("1 1", True)])
def test_h264_field_pictures_are_left_to_a_full_decode(field: str, is_unusual: bool) -> None:
    packet = annex_b(INTERLACED_SPS, PPS, h264_slice(7, field=field, nal=0x65))
    (found,) = verdicts("h264", [packet])
    assert bool(found.unusual) is is_unusual
    assert found.is_alone is not is_unusual


def test_h264_recovery_point_is_a_place_to_start_decoding() -> None:
    headers = annex_b(PROGRESSIVE_SPS, PPS)
    here, later = (bytes([6, 6, 1]) + pack(ue(count) + "1000")[:1] for count in (0, 2))
    found = verdicts("h264", [headers + annex_b(sei, h264_slice(7)) for sei in (here, later)])
    assert [v.is_sync for v in found] == [True, False]


@pytest.mark.parametrize(
    ("slices", "reason"),
    [
        ([h264_slice(2, nal=0x65), h264_slice(0, first_macroblock=30)], "I slices and others"),
        ([h264_slice(2, nal=0x65), h264_slice(2)], "several pictures"),
        ([bytes([0x42]) + pack(ue(0))], "data partitioning"),
    ],
)
def test_h264_pictures_that_are_not_plain_i_frames_are_left_to_a_full_decode(slices: list[bytes], reason: str) -> None:
    (found,) = verdicts("h264", [annex_b(PROGRESSIVE_SPS, PPS, *slices)])
    assert reason in found.unusual


def test_h264_new_parameter_sets_beside_a_p_frame_are_left_to_a_full_decode() -> None:
    first = annex_b(PROGRESSIVE_SPS, PPS, h264_slice(7, nal=0x65))
    repeated = annex_b(PPS, h264_slice(5))
    changed = annex_b(bytes([0x68]) + pack(ue(0) + ue(0) + "10" + ue(0)), h264_slice(5))
    found = verdicts("h264", [first, repeated, changed])
    assert [bool(v.unusual) for v in found] == [False, False, True]


def test_h264_slice_without_its_parameter_sets_is_left_to_a_full_decode() -> None:
    (found,) = verdicts("h264", [annex_b(h264_slice(7, nal=0x65))])
    assert found.unusual


def vp9_frame(*fields: str) -> bytes:
    """A frame header of profile 0: frame_marker, profile, then the fields (VP9 specification, 6.2)."""
    return pack("1000" + "".join(fields)) + bytes(8)


SHOW_EXISTING, KEY, INTER = "1", "00", "01"
SYNC_CODE = "010010011000001101000010"


def test_vp9_hidden_intra_frame_is_an_i_frame_when_it_is_shown() -> None:
    key = vp9_frame(KEY, "10", SYNC_CODE)
    overwrite = vp9_frame(INTER, "1000", "11111111")
    intra_only = vp9_frame(INTER, "00100", SYNC_CODE, "00000100")
    found = verdicts(
        "vp9", [key, overwrite, vp9_frame(SHOW_EXISTING, "010"), intra_only, vp9_frame(SHOW_EXISTING, "010")]
    )
    assert [v.is_alone for v in found] == [True, False, False, False, False]
    assert [v.picture_type for v in found[:4]] == ["I", "P", "P", "I"]
    assert [bool(v.unusual) for v in found] == [False, False, False, False, True]


def test_vp9_key_frame_that_is_shown_twice_is_left_to_a_full_decode() -> None:
    found = verdicts("vp9", [vp9_frame(KEY, "10", SYNC_CODE), vp9_frame(SHOW_EXISTING, "000")])
    assert [bool(v.unusual) for v in found] == [False, True]


def test_vp9_superframe_is_what_its_last_frame_is() -> None:
    hidden = vp9_frame(INTER, "00000", "00000001")
    shown = vp9_frame(INTER, "1000", "00000000")
    index = bytes([0b11000001, len(hidden), len(shown), 0b11000001])
    key = vp9_frame(KEY, "10", SYNC_CODE)
    with_key = bytes([0b11000001, len(key), len(shown), 0b11000001])
    found = verdicts("vp9", [hidden + shown + index, key + shown + with_key])
    assert found[0].picture_type == "P"
    assert "shares its packet" in found[1].unusual


def test_vp8_first_byte_tells_key_frames() -> None:
    found = verdicts("vp8", [bytes([0b10000]), bytes([0b10001]), bytes([0])])
    assert [v.is_alone for v in found] == [True, False, False]
    assert found[2].unusual


def obu(kind: int, payload: bytes) -> bytes:
    return bytes([kind << 3 | 2, len(payload)]) + payload


@pytest.mark.parametrize(
    ("header", "is_alone", "is_unusual"),
    [
        ("0 00 1", True, False),  # a shown key frame
        ("0 00 0", False, True),  # a hidden one, which a later packet shows
        ("0 10 1", False, True),  # intra-only
        ("0 01 1", False, False),  # inter
        ("0 11 1", False, False),  # switch
        ("1 000", False, False),  # show_existing_frame
    ],
)
def test_av1_frame_headers(header: str, is_alone: bool, is_unusual: bool) -> None:
    packet = obu(2, b"") + obu(1, bytes([0, 0, 0])) + obu(6, pack(header) + bytes(50))
    (found,) = verdicts("av1", [packet])
    assert (found.is_alone, bool(found.unusual)) == (is_alone, is_unusual)


def mpeg2_picture(kind: int, structure: int, *, sequence: bool = False, matrix: bool = False) -> bytes:
    header = b"\0\0\1\xb3" + bytes(8) if sequence else b""
    header += b"\0\0\1\x00" + bytes([0, kind << 3, 0, 0])
    header += b"\0\0\1\xb5" + bytes([0x8F, 0xFF, 0xF0 | structure, 0x80, 0])
    header += b"\0\0\1\xb5\x38" + bytes(4) if matrix else b""
    return header + b"\0\0\1\x01" + bytes(20)


def test_mpeg2_picture_types_and_field_pictures() -> None:
    found = verdicts("mpeg2video", [mpeg2_picture(kind, 3, sequence=kind == 1) for kind in (1, 2, 3)])
    assert [(v.picture_type, v.is_alone) for v in found] == [("I", True), ("P", False), ("B", False)]
    assert all(v.unusual for v in verdicts("mpeg2video", [mpeg2_picture(1, 1), mpeg2_picture(2, 2)]))


def test_mpeg2_matrix_beside_a_p_frame_is_left_to_a_full_decode() -> None:
    packets = [mpeg2_picture(1, 3, sequence=True, matrix=True), mpeg2_picture(2, 3, matrix=True)]
    assert [bool(v.unusual) for v in verdicts("mpeg2video", packets)] == [False, True]


def mpeg4_plane(kind: int) -> bytes:
    return b"\0\0\1\xb6" + bytes([kind << 6, 1, 2, 3])


def test_mpeg4_packed_pictures_are_what_the_first_is() -> None:
    packets = [mpeg4_plane(0), mpeg4_plane(1) + mpeg4_plane(2), mpeg4_plane(2), mpeg4_plane(3)]
    found = verdicts("mpeg4", packets)
    assert [v.picture_type for v in found] == ["I", "P", "B", "P"]
    assert "shares its packet" in verdicts("mpeg4", [mpeg4_plane(1) + mpeg4_plane(0)])[0].unusual


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp8", "vp9", "av1", "mpeg1video", "mpeg2video", "mpeg4"])
@given(packets=st.lists(st.binary(min_size=1, max_size=60), max_size=4), extradata=st.binary(max_size=60))
def test_any_bytes_get_a_verdict(codec: str, packets: list[bytes], extradata: bytes) -> None:
    _, classifier = intra.classifier(codec, extradata, is_intra_only=False)
    if classifier is not None:  # a configuration that cannot be read leaves the stream to a full decode
        assert all(isinstance(classifier.classify(packet), intra.Verdict) for packet in packets)


def test_intra_only_codecs_need_no_parser_and_unknown_ones_a_full_decode() -> None:
    assert intra.classifier("prores", b"", is_intra_only=True)[0] == "key-packets"
    assert intra.classifier("vc1", b"", is_intra_only=False) == ("full-decode", None)
