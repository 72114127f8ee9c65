"""What a plain full decode shows is the reference."""

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from apisr_data import colour
from apisr_data.errors import ColourError, UsageError, VideoError
from apisr_model.upscale.video.source import Source
from tests.data.clips import drawing, make, packets, planes, remux


def decode(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [(frame.pts, planes(frame)) for frame in container.decode(stream)]


def shown(source):
    return [(frame.pts, planes(frame.decoded)) for frame in source.frames()]


def rewrite(path, target, change=lambda number, packet: packet, **options):
    """The packets of a video once more, each as `change(number, packet)` returns it."""
    with av.open(str(path)) as container, av.open(str(target), "w", **options) as output:
        origin = container.streams.video[0]
        stream = output.add_stream_from_template(origin)
        for number, packet in enumerate(p for p in container.demux(origin) if p.size):
            if changed := change(number, packet):
                changed.stream = stream
                output.mux(changed)
    return target


@pytest.mark.parametrize(
    ("name", "codec", "settings"),
    [
        ("a.mkv", "libx264", {}),
        ("a.mp4", "libx265", {"pixel_format": "yuv420p10le", "options": {"x265-params": "log-level=none"}}),
        ("a.mkv", "libvpx-vp9", {"options": {"cpu-used": "8", "deadline": "realtime"}}),
        ("a.ts", "mpeg2video", {"max_b_frames": 2}),
        ("a.avi", "mpeg4", {}),
    ],
)
def test_frames_are_those_of_a_full_decode(tmp_path, name, codec, settings):
    path = make(tmp_path / name, codec, frames=30, **settings)
    with Source(path) as source:
        frames = list(source.frames())
        assert [(frame.pts, planes(frame.decoded)) for frame in frames] == decode(path)
        assert source.frames_expected == pytest.approx(30, abs=1)
        assert (source.size, source.decode_errors, source.warnings) == ((160, 96), 0, [])
        assert source.bits == (10 if "pixel_format" in settings else 8)
        assert frames[0].rgb().dtype == (np.uint16 if source.bits == 10 else np.uint8)
        assert frames[0].luma().shape == (96, 160)
    for frame, after in pairwise(frames):
        assert frame.duration == after.pts - frame.pts
        assert frame.time_s == pytest.approx((frame.pts - source.info.start_time) * source.time_base)
    assert float(frames[-1].duration * source.time_base) == pytest.approx(1 / 24, abs=0.001)


def test_a_variable_rate_is_kept_exactly(tmp_path):
    steady = make(tmp_path / "steady.mkv", "libx264", frames=20, options={"bf": "0"})
    times = [n * 40 + 17 * (n // 3) + 500 * (n > 11) for n in range(20)]

    def at(number, packet):
        packet.pts = packet.dts = times[number]
        packet.time_base = Fraction(1, 1000)
        return packet

    with Source(rewrite(steady, tmp_path / "a.mkv", at)) as source:
        frames = list(source.frames())
    assert [frame.pts for frame in frames] == times
    assert [frame.duration for frame in frames[:-1]] == np.diff(times).tolist()


@pytest.mark.parametrize("size", [(161, 97), (2, 2), (33, 18)])
def test_odd_sizes_are_kept(tmp_path, size):
    path = make(
        tmp_path / "a.mkv", "ffv1", size=size, frames=3, draw=lambda _: np.full((size[1], size[0], 3), 99, np.uint8)
    )
    with Source(path) as source:
        assert source.size == size
        pictures = [frame.rgb() for frame in source.frames()]
    assert {picture.shape for picture in pictures} == {(size[1], size[0], 3)}
    assert np.abs(np.array(pictures).astype(int) - 99).max() <= 1


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_rotated_video_comes_upright_with_its_aspect_turned(tmp_path, turn):
    corner = np.full((48, 64, 3), 20, np.uint8)
    corner[:16, :16] = 220  # top left as coded
    flat = make(tmp_path / "flat.mp4", "libx264", size=(64, 48), frames=4, draw=lambda _: corner)
    path = tmp_path / "a.mp4"
    with av.open(str(flat)) as container, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(container.streams.video[0])
        stream.sample_aspect_ratio = Fraction(4, 3)
        for packet in (p for p in container.demux(video=0) if p.size):
            packet.stream = stream
            target.mux(packet)
    data = bytearray(path.read_bytes())
    track = data.index(b"tkhd") + 4
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[turn]
    matrix = [cos, sin, 0, -sin, cos, 0, 0, 0, 0x4000]  # 16.16, and 2.30 in the last column
    data[track + 40 : track + 76] = b"".join(int(v << 16).to_bytes(4, "big", signed=True) for v in matrix)
    path.write_bytes(data)
    with Source(path) as source:
        picture = next(source.frames()).rgb()
        ratio = source.sample_aspect_ratio
        assert source.info.rotation == turn
    upright = turn % 180 == 0
    assert source.size == ((64, 48) if upright else (48, 64)) == picture.shape[1::-1]
    assert ratio == (Fraction(4, 3) if upright else Fraction(3, 4))
    x, y = {90: (-1, 0), 180: (-1, -1), 270: (0, -1)}[turn]  # where the corner has gone, clockwise
    assert picture[y, x, 0] > 200 > 40 > picture[-1 - y, -1 - x, 0]


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("long")
    draw = drawing(96, 64)
    return make(folder / "long.mkv", "libx264", size=(96, 64), frames=240, gop_size=30, draw=draw, options={"bf": "3"})


@pytest.mark.parametrize(("start_s", "duration_s"), [(0, 1.0), (3.1, 0.5), (7.9, 10), (5.0, None), (None, 0.01)])
def test_a_part_holds_exactly_the_frames_of_its_time(long_clip, start_s, duration_s):
    with Source(long_clip) as whole:
        expected = shown(whole)
        time_base, begin = whole.time_base, whole.info.start_time
    start = start_s or 0
    end = start + duration_s if duration_s else 99
    expected = [item for item in expected if start <= (item[0] - begin) * time_base < end]
    with Source(long_clip, start_s=start_s, duration_s=duration_s) as part:
        assert shown(part) == expected
        assert shown(part) == expected
        assert part.frames_expected == pytest.approx(len(expected), abs=1)
        assert part.warnings == []


def test_a_part_of_a_file_without_an_index_is_exact_too(tmp_path, long_clip):
    path = remux([long_clip], tmp_path / "a.ts")
    reference = decode(path)
    with Source(path, start_s=4, duration_s=1) as part:
        begin = part.info.start_time
        assert shown(part) == [(pts, data) for pts, data in reference if 4 <= (pts - begin) / 90000 < 5]


def test_a_part_that_holds_nothing_is_refused(long_clip):
    with pytest.raises(UsageError, match=r"long\.mkv: nothing starts at 60 s; the video lasts 10\.0 s"):
        Source(long_clip, start_s=60)
    with pytest.raises(UsageError, match=r"no frame begins at 9\.97 s or later; the last one is shown until 10\.00 s"):
        Source(long_clip, start_s=9.97)
    with pytest.raises(UsageError, match="longer than 0 s"):
        Source(long_clip, duration_s=0)


def test_samples_are_spread_over_the_part(long_clip):
    with Source(long_clip, start_s=2, duration_s=6) as source:
        frames = dict(shown(source))
        runs = source.sample_frames(3, 0.25)
    assert [len(run) for run in runs] == [6, 6, 6]
    assert [run[0].time_s for run in runs] == pytest.approx([2.875, 4.875, 6.875], abs=0.03)
    assert all(planes(frame.decoded) == frames[frame.pts] for run in runs for frame in run)


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_a_video_that_starts_hours_late_lasts_as_long_and_is_sampled(tmp_path, long_clip, suffix):
    """As `ffmpeg -copyts` leaves it; libav's Matroska then tells its end for its duration."""
    with Source(remux([long_clip], tmp_path / f"late.{suffix}", shift=7_200_000)) as source:
        runs = source.sample_frames(3, 0.25)
        assert source.info.duration_s == pytest.approx(10, abs=0.1)
        assert source.frames_expected == pytest.approx(240, abs=2)
        assert [len(run) for run in runs] == [6, 6, 6]
        assert len(shown(source)) == 240
        assert source.warnings == []


def test_a_truncated_file_gives_what_can_be_decoded_and_says_so(tmp_path, long_clip):
    path = tmp_path / "cut.mkv"
    data = long_clip.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with Source(path) as source:
        frames = shown(source)
        assert source.is_cut_short
        assert any("cut short: it ends at" in warning for warning in source.lost)
    whole = dict(decode(long_clip))
    assert 60 < len(frames) < 200
    assert sum(whole[pts] == data for pts, data in frames) >= len(frames) - 1


def test_frames_that_are_shown_damaged_are_told(tmp_path, long_clip):
    def damage(number, packet):
        if number not in (40, 100):
            return packet
        data = bytes(packet)
        broken = av.Packet(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
        broken.pts, broken.dts, broken.time_base = packet.pts, packet.dts, packet.time_base
        return broken

    with Source(rewrite(long_clip, tmp_path / "a.mkv", damage)) as source:
        shown(source)
        assert any("frames as damaged" in warning for warning in source.warnings)


def test_damaged_packets_are_passed_over_and_counted(tmp_path, long_clip):
    def damage(number, packet):
        if number not in (40, 100):
            return packet
        broken = av.Packet(b"\xff" * packet.size)
        broken.pts, broken.dts, broken.time_base = packet.pts, packet.dts, packet.time_base
        return broken

    path = rewrite(long_clip, tmp_path / "a.mkv", damage)
    with Source(path) as source:
        first, again = shown(source), shown(source)
        assert source.decode_errors == 2
        assert "refused 2 damaged packets" in source.warnings[0]
    assert len(first) == 238
    assert [pts for pts, _ in first] == [pts for pts, _ in again]


def test_missing_time_stamps_come_from_the_frame_rate(tmp_path):
    path = make(tmp_path / "a.h264", "libx264", frames=24, fps=25, format_name="h264")
    with Source(path) as source:
        frames = list(source.frames())
        assert [frame.time_s for frame in frames] == pytest.approx([n / 25 for n in range(24)])
        assert "24 frames without a usable time stamp" in source.warnings[0]


def test_time_stamps_that_repeat_or_run_backwards_are_repaired(tmp_path):
    steady = make(tmp_path / "a.mkv", "libx264", frames=12, options={"bf": "0"})
    times = [0, 42, 84, 84, 60, 208, 250, 292, 292, 375, 417, 459]

    def at(number, packet):
        packet.pts, packet.dts = times[number], number  # the muxer looks at the dts
        return packet

    path = rewrite(steady, tmp_path / "b.mkv", at)
    with Source(path) as source:
        pts = [frame.pts for frame in source.frames()]
        assert any("without a usable time stamp" in warning for warning in source.warnings)
    assert np.all(np.diff(pts) > 0)
    assert pts == pytest.approx([0, 42, 84, 126, 168, 208, 250, 292, 334, 375, 417, 459], abs=2)


def test_a_change_of_size_is_scaled_to_the_first_and_told(tmp_path):
    small = make(tmp_path / "small.h264", "libx264", size=(96, 64), frames=12, format_name="h264", options={"bf": "0"})
    large = make(
        tmp_path / "large.h264", "libx264", size=(192, 128), frames=12, format_name="h264", options={"bf": "0"}
    )
    path = tmp_path / "both.h264"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    with Source(path) as source:
        sizes = {frame.rgb().shape for frame in source.frames()}
        assert any("changes its size or format at 0.5 s" in warning for warning in source.warnings)
    assert sizes == {(64, 96, 3)}


def test_hidden_frames_are_not_shown(tmp_path, long_clip):
    """An edit list that begins in the middle of a group of pictures."""
    path = remux([long_clip], tmp_path / "a.mp4", shift=-500)
    with Source(path) as source:
        frames = shown(source)
        assert next(source.frames()).time_s == 0
    assert frames == decode(path)
    assert len(frames) == sum(1 for _ in packets(path)) - 12


def test_an_untagged_sd_video_stays_bt601_when_it_grows(tmp_path):
    with Source(make(tmp_path / "a.mkv", "libx264", frames=2)) as source:
        frame = colour.to_frame(next(source.frames()).rgb(), source.colour, "yuv420p")
    assert source.colour.source == "guess"
    assert (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range) == (6, 6, 6, 1)


def test_hdr_is_refused_by_name(tmp_path):
    path = make(tmp_path / "a.mkv", "libx264", frames=2, options={"x264-params": "transfer=smpte2084"})
    with pytest.raises(ColourError, match=r"a\.mkv: .*smpte2084 \(PQ\)"):
        Source(path)


def test_transparency_is_flattened_and_told(tmp_path):
    with Source(make(tmp_path / "a.mkv", "ffv1", frames=2, pixel_format="yuva420p")) as source:
        assert "transparency" in source.warnings[0]
        assert next(source.frames()).rgb().shape == (96, 160, 3)


def test_transparency_that_lies_beside_the_pictures_is_told(tmp_path):
    with Source(make(tmp_path / "a.webm", "libvpx-vp9", frames=2, pixel_format="yuva420p")) as source:
        assert source.warnings == ["its transparency (vp9) is not kept: every pixel becomes opaque"]


def test_what_is_no_video_is_named(tmp_path):
    (tmp_path / "empty.mkv").touch()
    (tmp_path / "text.mkv").write_text("no video")
    for name, reason in (("empty.mkv", "empty"), ("text.mkv", "not a video"), ("none.mkv", "cannot be opened")):
        with pytest.raises(VideoError, match=rf"{name}: .*{reason}"):
            Source(tmp_path / name)


def test_full_range_jpeg_stays_full_range(tmp_path):
    path = make(tmp_path / "a.mkv", "mjpeg", frames=2, pixel_format="yuvj420p")
    with Source(path) as source:
        frame = colour.to_frame(next(source.frames()).rgb(), source.colour, "yuv420p")
        assert (source.colour.range, source.colour.siting) == ("full", "left")
    assert frame.color_range == 2


def test_cover_art_is_not_the_video(tmp_path, long_clip):
    path = tmp_path / "a.mp4"
    cover = make(tmp_path / "cover.mkv", "mjpeg", size=(400, 400), frames=1, pixel_format="yuvj420p")
    with av.open(str(long_clip)) as film, av.open(str(cover)) as art, av.open(str(path), "w") as target:
        streams = [(origin, target.add_stream_from_template(origin.streams.video[0])) for origin in (art, film)]
        streams[0][1].disposition = av.stream.Disposition.attached_pic
        for origin, stream in streams:
            for packet in (p for p in origin.demux(video=0) if p.size):
                packet.stream = stream
                target.mux(packet)
    with Source(path, duration_s=0.2) as source:
        assert source.size == (96, 64)


def test_closed_captions_are_missed_aloud(tmp_path):
    """A message of H.264 (SEI, ATSC A/53) with one pair of bytes before every picture."""
    said = b"\xb5\x00\x31GA94\x03" + bytes([0x41, 0xFF, 0xFC, 0x94, 0x20]) + b"\xff"
    message = b"\x06\x04" + bytes([len(said)]) + said + b"\x80"

    def captioned(_number, packet):
        made = av.Packet(len(message).to_bytes(4, "big") + message + bytes(packet))
        made.pts, made.dts, made.time_base, made.is_keyframe = packet.pts, packet.dts, packet.time_base, True
        return made

    plain = make(tmp_path / "plain.mkv", "libx264", frames=3, gop_size=1)
    rewrite(plain, tmp_path / "captioned.mkv", captioned)
    for name, is_told in (("plain", False), ("captioned", True)):
        with Source(tmp_path / f"{name}.mkv", deinterlace="off") as source:
            assert len(list(source.frames())) == 3
            assert any("closed captions" in warning for warning in source.warnings) == is_told
