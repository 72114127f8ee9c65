"""Every codec in every container that takes it: the I-frames are those of a full decode, to the bit.

The reference is a plain PyAV loop over all packets (`clips.intra_frames`) that knows nothing of this project's code.
"""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from apisr_data import video
from tests.data import clips

X264 = {"preset": "veryfast"}
X265 = "log-level=none:keyint="
INTERLACED = 1 << 18 | 1 << 29  # AV_CODEC_FLAG_INTERLACED_DCT and _ME


def x264(parameters: str, **others: Any) -> dict[str, Any]:
    return {"codec": "libx264", "options": X264 | {"x264-params": parameters}, **others}


def x265(parameters: str, **others: Any) -> dict[str, Any]:
    return {"codec": "libx265", "options": {"preset": "ultrafast", "x265-params": X265 + parameters}, **others}


def vpx(codec: str) -> dict[str, Any]:
    options = {"deadline": "good", "cpu-used": "8", "auto-alt-ref": "1", "lag-in-frames": "16"}
    return {"codec": codec, "options": options, "gop_size": 15}


def mpeg(codec: str, **others: Any) -> dict[str, Any]:
    return {"codec": codec, "gop_size": 12, "max_b_frames": 2, **others}


# kind of stream: (how to make it, containers, method)
STREAMS: dict[str, tuple[dict[str, Any], str, str]] = {
    "h264 closed gop": (x264("keyint=20"), "mkv mp4 mov ts avi", "slice-types"),
    "h264 open gop": (x264("open-gop=1:keyint=15:scenecut=0:bframes=3"), "mkv ts", "slice-types"),
    "h264 non-idr i": (x264("keyint=50:min-keyint=25"), "mkv mp4 ts", "slice-types"),
    "h264 slices": (x264("keyint=50:min-keyint=25:slices=4"), "mp4 ts", "slice-types"),
    "h264 intra refresh": (x264("keyint=15:intra-refresh=1"), "mkv", "slice-types"),
    "h264 high 10": (x264("keyint=50:min-keyint=25", pixel_format="yuv420p10le"), "mkv", "slice-types"),
    "h264 4:4:4": (x264("keyint=20", pixel_format="yuv444p"), "mkv", "slice-types"),
    "h264 mbaff": (x264("keyint=50:min-keyint=25:interlaced=1"), "mkv ts", "slice-types"),
    "hevc closed gop": (x265("20:open-gop=0"), "mkv mp4 ts", "slice-types"),
    "hevc open gop": (x265("15:open-gop=1:scenecut=0:bframes=3"), "mkv mp4 ts", "slice-types"),
    "hevc non-irap i": (x265("50:min-keyint=40"), "mkv mp4 ts", "slice-types"),
    "hevc 10 bit": (x265("50:min-keyint=40", pixel_format="yuv420p10le"), "mkv ts", "slice-types"),
    "vp8": (vpx("libvpx"), "webm mkv", "headers"),
    "vp9": (vpx("libvpx-vp9"), "webm mkv mp4", "headers"),
    "av1": (
        {"codec": "libsvtav1", "options": {"preset": "12", "svtav1-params": "keyint=16"}},
        "mkv mp4 webm",
        "headers",
    ),
    "av1 forward key": (
        {"codec": "libsvtav1", "options": {"preset": "8", "svtav1-params": "keyint=16:irefresh-type=1"}},
        "mkv",
        "full-decode",
    ),
    "mpeg1": (mpeg("mpeg1video"), "mpg", "headers"),
    "mpeg2": (mpeg("mpeg2video"), "mkv mp4 ts mpg avi", "headers"),
    "mpeg2 interlaced": (mpeg("mpeg2video", flags=INTERLACED), "ts mpg", "headers"),
    "mpeg4": (mpeg("mpeg4"), "avi mkv mp4", "headers"),
    "mjpeg": ({"codec": "mjpeg", "pixel_format": "yuvj420p", "frames": 6}, "avi mov", "key-packets"),
    "prores": ({"codec": "prores_ks", "pixel_format": "yuv422p10le", "frames": 6}, "mov mkv", "key-packets"),
    "huffyuv": ({"codec": "huffyuv", "pixel_format": "yuv422p", "frames": 6}, "avi", "key-packets"),
    "ffv1": ({"codec": "ffv1", "gop_size": 4, "frames": 8}, "mkv", "full-decode"),
    "wmv2": ({"codec": "wmv2", "gop_size": 12, "frames": 30}, "avi", "full-decode"),
}
CELLS = [(kind, extension) for kind, (_, extensions, _) in STREAMS.items() for extension in extensions.split()]

Maker = Callable[[str, str], Path]


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """Makes each clip once: (kind, extension) -> path."""
    folder = tmp_path_factory.mktemp("codecs")

    def make(kind: str, extension: str) -> Path:
        path = folder / f"{kind}.{extension}".replace(":", "")
        return path if path.exists() else clips.make(path, **STREAMS[kind][0])

    return make


def assert_exact(path: Path, method: str | None = None) -> list[video.Frame]:
    """The fast path, a forced full decode, `frames_at` and `frame_at` all give what the reference decoder gives."""
    expected = clips.intra_frames(path)
    reader = video.iframes(path)
    frames = list(reader)
    assert [(frame.pts, clips.planes(frame.decoded)) for frame in frames] == expected
    assert method is None or reader.scan.method == method
    assert not any(frame.is_corrupt for frame in frames)
    exact = video.iframes(path, exact=True)
    assert [(frame.packet, frame.time_s, frame.is_corrupt) for frame in exact] == [
        (frame.packet, frame.time_s, frame.is_corrupt) for frame in frames
    ]
    assert exact.scan.method == "full-decode"
    again = video.frames_at(path, [frame.packet for frame in frames[1::2]])
    assert [(f.packet, clips.planes(f.decoded)) for f in again] == [
        (f.packet, clips.planes(f.decoded)) for f in frames[1::2]
    ]
    for frame in frames[-2:]:
        one = video.frame_at(path, frame.pts, packet=frame.packet, scan=reader.scan)
        assert (one.pts, one.packet, one.packet_bytes) == (frame.pts, frame.packet, frame.packet_bytes)
        assert clips.planes(one.decoded) == clips.planes(frame.decoded)
    return frames


@pytest.mark.parametrize(("kind", "extension"), CELLS, ids=[f"{kind}-{extension}" for kind, extension in CELLS])
def test_iframes_are_those_of_a_full_decode(stream: Maker, kind: str, extension: str) -> None:
    path = stream(kind, extension)
    frames = assert_exact(path, STREAMS[kind][2])
    assert frames
    scan = video.scan(path)
    assert {frame.packet for frame in frames} <= set(scan.intra.tolist())
    if STREAMS[kind][2] == "slice-types":
        assert "".join(packet.picture_type for packet in scan.packets).count("I") == len(frames)


def test_non_idr_iframes_are_more_than_key_packets(stream: Maker) -> None:
    reader = video.iframes(stream("h264 non-idr i", "mkv"))
    assert len(list(reader)) > reader.scan.key_packets


def test_intra_refresh_has_more_key_packets_than_iframes(stream: Maker) -> None:
    reader = video.iframes(stream("h264 intra refresh", "mkv"))
    assert len(list(reader)) < reader.scan.key_packets


@pytest.mark.parametrize(
    "cell",
    [
        ("h264 closed gop", "ts"),
        ("h264 open gop", "mkv"),
        ("h264 non-idr i", "ts"),
        ("hevc open gop", "ts"),
        ("mpeg2", "ts"),
        ("mpeg4", "avi"),
        ("vp9", "webm"),
    ],
    ids="-".join,
)
def test_stream_that_begins_inside_a_group_of_pictures(stream: Maker, tmp_path: Path, cell: tuple[str, str]) -> None:
    path = clips.remux([stream(*cell)], tmp_path / f"cut.{cell[1]}", keep=lambda number, _: number >= 5)
    assert_exact(path)


@pytest.mark.parametrize("cell", [("h264 open gop", "ts"), ("hevc open gop", "mkv")], ids="-".join)
def test_stream_that_begins_at_an_open_gop(stream: Maker, tmp_path: Path, cell: tuple[str, str]) -> None:
    second_key = [n for n, packet in enumerate(clips.packets(stream(*cell))) if packet.is_keyframe][1]
    path = clips.remux([stream(*cell)], tmp_path / f"cut.{cell[1]}", keep=lambda number, _: number >= second_key)
    assert_exact(path)


def test_stream_whose_size_and_parameter_sets_change(stream: Maker, tmp_path: Path) -> None:
    other = clips.make(tmp_path / "other.ts", size=(192, 112), frames=24, **x264("keyint=10:bframes=1:ref=2:cabac=0"))
    path = clips.remux([stream("h264 closed gop", "ts"), other, stream("h264 non-idr i", "ts")], tmp_path / "all.ts")
    frames = assert_exact(path, "slice-types")
    assert {(frame.decoded.width, frame.decoded.height) for frame in frames} == {(160, 96), (192, 112)}


@pytest.mark.parametrize("cell", [("h264 open gop", "mkv"), ("hevc open gop", "mp4"), ("mpeg4", "mp4")], ids="-".join)
def test_packets_that_an_edit_list_hides_give_no_frames(stream: Maker, tmp_path: Path, cell: tuple[str, str]) -> None:
    source = stream(*cell)
    first = next(clips.packets(source))
    path = clips.remux(
        [source],
        tmp_path / "edited.mp4",
        shift=-round(6 / (24 * first.time_base)),
        options={"avoid_negative_ts": "disabled", "use_editlist": "1"},
    )
    frames = assert_exact(path)
    scan = video.scan(path)
    assert scan.packets[0].is_discard
    assert 0 not in {frame.packet for frame in frames}


def test_packed_bitstream_of_divx(tmp_path: Path) -> None:
    """A P or I picture and the B picture before it in one packet, then a packet that only says «not coded»."""
    source = clips.make(tmp_path / "plain.avi", "mpeg4", gop_size=12, max_b_frames=1)
    path = tmp_path / "packed.avi"
    not_coded = b"\0\0\1\xb6" + int("0101000001001111", 2).to_bytes(2, "big")
    with av.open(str(source)) as container, av.open(str(path), "w") as target:
        origin = container.streams.video[0]
        copy = target.add_stream_from_template(origin)
        pictures = [bytes(packet) for packet in container.demux(origin) if packet.size]
        kinds = [picture[picture.find(b"\0\0\1\xb6") + 4] >> 6 for picture in pictures]
        packed: list[tuple[bytes, bool]] = []
        for picture, kind in zip(pictures, kinds, strict=True):
            if kind == 2:
                packed[-1:] = [(packed[-1][0] + picture, packed[-1][1]), (not_coded, False)]
            else:
                plane = picture.find(b"\0\0\1\xb6")
                mark = b"\0\0\1\xb2DivX503b1393p" if kind == 0 else b""
                packed.append((picture[:plane] + mark + picture[plane:], kind == 0))
        for number, (data, is_key) in enumerate(packed):
            packet = av.Packet(data)
            packet.pts = packet.dts = number
            packet.is_keyframe, packet.stream, packet.time_base = is_key, copy, Fraction(1, 24)
            target.mux(packet)
    assert len(assert_exact(path, "headers")) > 2


def golomb(value: int) -> str:
    code = bin(value + 1)[2:]
    return "0" * (len(code) - 1) + code


def unit(header: int, bits: str, samples: bytes = b"") -> bytes:
    """A NAL unit with a start code: header byte, bits, then samples from the next whole byte, then the stop bit."""
    if samples:
        bits = bits.ljust(-(-len(bits) // 8) * 8, "0") + "".join(f"{byte:08b}" for byte in samples)
    bits += "1"
    bits = bits.ljust(-(-len(bits) // 8) * 8, "0")
    payload = bytes([header]) + int(bits, 2).to_bytes(len(bits) // 8, "big")
    assert all(bytes([0, 0, n]) not in payload for n in range(4))
    return b"\0\0\0\1" + payload


def field(kind: str, number: int, is_bottom: bool, is_first: bool) -> bytes:
    """One field of 16x16 px: I with a single I_PCM macroblock, or P with a single skipped one."""
    is_idr = is_first and not is_bottom
    header = golomb(0) + golomb(7 if kind == "I" else 5) + golomb(0) + f"{number % 16:04b}" + "1" + str(int(is_bottom))
    header += golomb(0) + "00" if is_idr else ("00" if kind == "P" else "") + "0"
    header += golomb(0)
    if kind == "P":
        return unit(0x61, header + golomb(1))
    level = 16 + 8 * (number % 20) + 4 * is_bottom
    return unit(0x65 if is_idr else 0x61, header + golomb(25), bytes([level] * 256 + [100] * 64 + [150] * 64))


def test_field_pictures_are_decoded_in_full(tmp_path: Path) -> None:
    """PAFF, which no encoder here makes: pairs of fields II, IP and PP, written by hand (H.264, 7.3)."""
    sps = bytes([77, 0, 30])
    bits = golomb(0) + golomb(0) + golomb(2) + golomb(1) + "0" + golomb(0) + golomb(0) + "00100"
    stream = unit(0x67, "".join(f"{byte:08b}" for byte in sps) + bits)
    stream += unit(0x68, golomb(0) + golomb(0) + "00" + golomb(0) + golomb(0) + golomb(0) + "000" + "111" + "000")
    pairs = ["II", "PP", "IP", "PP", "II", "PP", "PP", "IP"]
    for number, pair in enumerate(pairs):
        stream += field(pair[0], number, False, number == 0) + field(pair[1], number, True, number == 0)
    path = tmp_path / "paff.h264"
    path.write_bytes(stream)
    assert len(assert_exact(path, "full-decode")) == 4
    assert "PAFF" in video.scan(path).unusual
