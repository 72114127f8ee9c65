"""Probing, scanning, frames again, windows, and files that are damaged or no videos at all."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from apisr_data import video
from apisr_data.errors import ColourError, VideoError
from tests.data import clips

X264 = {"preset": "veryfast", "x264-params": "keyint=12:bframes=2"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 frames of H.264 at 24 fps, 160x96, in Matroska."""
    return clips.make(tmp_path_factory.mktemp("video") / "clip.mkv", "libx264", options=X264)


def test_sample_has_the_iframes_that_its_notice_says(sample: Path) -> None:
    info = video.probe(sample)
    assert (info.codec, info.width, info.height, info.fps, info.field_order) == ("h264", 1280, 720, 24.0, "progressive")
    assert (info.time_base, info.sample_aspect_ratio, info.rotation) == (Fraction(1, 1000), 1, 0)
    frames = list(video.iframes(sample))
    assert len(frames) == 8
    assert all(frame.is_key_packet and frame.picture_type == "I" for frame in frames)
    assert frames[0].time_s == 0.0
    assert frames[1].time_s == pytest.approx(3.5)
    assert frames[0].rgb().shape == (720, 1280, 3)
    assert frames[0].rgb((64, 36)).shape == (36, 64, 3)
    assert frames[0].luma().shape == (720, 1280)


def test_scan_and_reader_see_the_same_packets(clip: Path) -> None:
    scan, reader = video.scan(clip), video.iframes(clip)
    frames = list(reader)
    assert list(scan.packets) == list(reader.scan.packets)
    assert scan.intra.tolist() == [frame.packet for frame in frames]
    assert [scan.packets[frame.packet].pts for frame in frames] == [frame.pts for frame in frames]
    assert scan.packets[-1].ordinal == len(scan.packets) - 1 == 47
    assert [packet.size for packet in scan.packets[:3]] == [packet.size for packet in clips.packets(clip)][:3]


def test_every_packet_is_in_the_histogram_of_sizes(clip: Path) -> None:
    scan = video.scan(clip)
    rows = scan.size_histogram()
    assert sum(row[2] for row in rows) == len(scan.packets)
    assert sum(row[3] for row in rows) == sum(packet.size for packet in scan.packets)
    for letter, bytes_from, count, total in rows:
        assert count * bytes_from <= total < count * bytes_from * 2**0.25 + count
        assert any(packet.picture_type == letter for packet in scan.packets)


def test_neighbours_are_the_packets_up_to_the_next_iframes(clip: Path) -> None:
    scan = video.scan(clip)
    letters = "".join(packet.picture_type for packet in scan.packets)
    intra = [number for number, letter in enumerate(letters) if letter == "I"]
    assert len(intra) >= 3
    sizes = [packet.size for packet in scan.packets]
    around = sizes[intra[0] + 1 : intra[1]] + sizes[intra[1] + 1 : intra[2]]
    assert scan.neighbour_bytes(intra[1]) == pytest.approx(sum(around) / len(around))
    first = sizes[1 : intra[1]]
    assert scan.neighbour_bytes(0) == pytest.approx(sum(first) / len(first))


def test_no_inter_packets_have_no_neighbours(tmp_path: Path) -> None:
    path = clips.make(tmp_path / "all.avi", "mjpeg", pixel_format="yuvj420p", frames=3)
    assert video.scan(path).neighbour_bytes(1) is None


def test_frame_at_by_pts_alone(clip: Path) -> None:
    for frame in video.iframes(clip):
        again = video.frame_at(clip, frame.pts)
        assert (again.packet, again.time_s) == (frame.packet, frame.time_s)
        np.testing.assert_array_equal(again.rgb(), frame.rgb())


def test_frames_without_pts_are_found_by_their_packet(tmp_path: Path) -> None:
    path = clips.make(tmp_path / "bare.h264", "libx264", options=X264, fps=25)
    frames = list(video.iframes(path))
    assert [(frame.pts, clips.planes(frame.decoded)) for frame in frames] == clips.intra_frames(path)
    assert {frame.pts for frame in frames} == {None}
    assert frames[1].time_s == frames[1].packet / 25
    for frame in frames:
        again = video.frame_at(path, None, packet=frame.packet)
        assert clips.planes(again.decoded) == clips.planes(frame.decoded)
        assert again.time_s == frame.time_s


def test_repeated_pts_are_told_apart_by_the_packet(tmp_path: Path, clip: Path) -> None:
    path = tmp_path / "twice.ts"
    one = clips.make(tmp_path / "one.ts", "libx264", frames=13, options={"x264-params": "keyint=6:bframes=0"})
    two = clips.make(
        tmp_path / "two.ts",
        "libx264",
        frames=13,
        options={"x264-params": "keyint=6:bframes=0"},
        draw=clips.drawing(160, 96, seed=9),
    )
    path.write_bytes(one.read_bytes() + two.read_bytes())
    scan = video.scan(path)
    frames = list(video.iframes(path))
    assert len({frame.pts for frame in frames}) < len(frames)
    for frame in frames:
        again = video.frame_at(path, frame.pts, packet=frame.packet, scan=scan)
        assert clips.planes(again.decoded) == clips.planes(frame.decoded)


def test_a_p_frame_is_given_when_its_packet_is_wanted(clip: Path) -> None:
    with av.open(str(clip)) as container:
        decoded = next(frame for frame in container.decode(video=0) if int(frame.pict_type) == 2)
        expected = decoded.pts, clips.planes(decoded)
    frame = video.frame_at(clip, expected[0])
    assert frame.picture_type == "P"
    assert (frame.pts, clips.planes(frame.decoded)) == expected


def test_a_frame_that_is_not_there_is_named(clip: Path) -> None:
    with pytest.raises(VideoError, match="no packet has pts 123456789"):
        video.frame_at(clip, 123456789)
    with pytest.raises(VideoError, match="packet 1000"):
        list(video.frames_at(clip, [1000]))


@pytest.mark.parametrize("extension", ["mkv", "mp4", "ts", "avi", "mpg"])
def test_window_gives_every_frame_of_the_stretch(tmp_path: Path, extension: str) -> None:
    codec = "mpeg2video" if extension == "mpg" else "libx264"
    path = clips.make(tmp_path / f"clip.{extension}", codec, frames=72, gop_size=12, max_b_frames=0)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        base, start = stream.time_base, stream.start_time
        shown = [(float((frame.pts - start) * base), clips.planes(frame)) for frame in container.decode(stream)]
    expected = [planes for time_s, planes in shown if 1.02 <= time_s < 1.52]
    frames = list(video.window(path, 1.02, 0.5))
    assert len(frames) == 12
    assert [clips.planes(frame.decoded) for frame in frames] == expected


def test_window_past_the_end_is_empty(clip: Path) -> None:
    assert list(video.window(clip, 100, 1)) == []


def test_displayed_size_follows_the_sample_aspect_ratio(tmp_path: Path) -> None:
    path = clips.make(tmp_path / "wide.mkv", "libx264", frames=3, sample_aspect_ratio=Fraction(4, 3))
    assert video.probe(path).sample_aspect_ratio == Fraction(4, 3)
    (frame,) = video.iframes(path)
    assert (frame.width, frame.height) == (213, 96)
    assert frame.rgb().shape == (96, 213, 3)
    assert frame.luma().shape == (96, 160)


def test_rotation_is_clockwise_and_applied(tmp_path: Path) -> None:
    path = tmp_path / "turned.mp4"
    upright = clips.make(tmp_path / "upright.mp4", "libx264", frames=3)
    with av.open(str(upright)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(-90)  # a quarter turn clockwise, as libav counts
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    (frame,), (straight,) = list(video.iframes(path)), list(video.iframes(upright))
    assert video.probe(path).rotation == video.scan(path).info.rotation == 90
    assert (frame.width, frame.height) == (96, 160)
    np.testing.assert_array_equal(frame.rgb(), np.rot90(straight.rgb(), -1))
    np.testing.assert_array_equal(frame.luma(), straight.luma())


@pytest.mark.parametrize("matrix", [(-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0)])
def test_a_mirrored_video_is_refused(tmp_path: Path, clip: Path, matrix: tuple[int, int, int, int]) -> None:
    path = clips.remux([clip], tmp_path / "mirrored.mp4")
    data = path.read_bytes()
    at = data.index(b"tkhd") + 4 + 40  # of its version 0: ISO/IEC 14496-12, 8.3.2
    a, b, c, d = (65536 * value for value in matrix)
    path.write_bytes(data[:at] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + data[at + 36 :])
    for read in (video.probe, video.scan, lambda path: list(video.iframes(path))):
        with pytest.raises(VideoError, match=r"mirrored\.mp4: is to be shown mirrored"):
            read(path)


def test_cover_art_is_not_the_video(tmp_path: Path, clip: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as target, av.open(str(clip)) as source:
        cover = target.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        film = target.add_stream_from_template(source.streams.video[0])
        picture = av.VideoFrame.from_ndarray(clips.drawing(64, 64)(0), "rgb24").reformat(format="yuvj420p")
        target.mux(cover.encode(picture))
        target.mux(cover.encode(None))
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = film
                target.mux(packet)
    assert (video.probe(path).codec, len(list(video.iframes(path)))) == ("h264", len(list(video.iframes(clip))))


SIZES = {"small": (64, 48), "large": (160, 96), "alike": (160, 96)}


@pytest.mark.parametrize(
    ("order", "default", "taken"),
    [
        ("small large", "small", 0),
        ("small large", "large", 1),
        ("small large", "", 1),
        ("large small", "large small", 0),
        ("small large alike", "", 1),
        ("small large alike", "small alike", 2),
    ],
)
def test_the_default_stream_is_taken_and_else_the_largest(tmp_path: Path, order: str, default: str, taken: int) -> None:
    path = tmp_path / "several.mkv"
    with av.open(str(path), "w", options={"default_mode": "passthrough"}) as target:
        for name in order.split():
            stream = target.add_stream("mpeg4", rate=24)
            stream.width, stream.height, stream.pix_fmt = *SIZES[name], "yuv420p"
            stream.disposition = Disposition.default if name in default.split() else Disposition(0)
        for stream, name in zip(target.streams.video, order.split(), strict=True):
            picture = av.VideoFrame.from_ndarray(clips.drawing(*SIZES[name])(0), "rgb24").reformat(format="yuv420p")
            target.mux(stream.encode(picture))
            target.mux(stream.encode(None))
    info = video.probe(path)
    assert (info.stream_index, (info.width, info.height)) == (taken, SIZES[order.split()[taken]])


def test_sound_alone_is_named(tmp_path: Path) -> None:
    path = tmp_path / "song.mkv"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        samples.sample_rate = 8000
        container.mux(sound.encode(samples))
    with pytest.raises(VideoError, match="audio only"):
        video.probe(path)


def test_hdr_is_refused_before_anything_is_decoded(tmp_path: Path) -> None:
    path = clips.make(tmp_path / "hdr.mkv", "libx264", frames=3, color_trc=16, colorspace=9, color_primaries=9)
    with pytest.raises(ColourError, match="smpte2084"):
        video.iframes(path)


BROKEN = {
    "empty.mkv": (b"", "empty"),
    "text.mkv": (b"hello world\n" * 500, "not a video"),
    "note.txt": (b"hello world\n" * 500, "not a video"),
    "zeros.mp4": (bytes(100_000), "not a video"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_video_is_named_with_the_reason(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    content, reason = BROKEN[name]
    path.write_bytes(content)
    for read in (video.probe, video.scan, video.iframes):
        with pytest.raises(VideoError, match=f"{name}: .*{reason}"):
            read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"gone\.mkv: cannot be opened"):
        video.probe(tmp_path / "gone.mkv")


@pytest.mark.parametrize("extension", ["mkv", "mp4", "ts"])
def test_a_file_cut_off_in_its_header_is_named(tmp_path: Path, extension: str) -> None:
    whole = clips.make(tmp_path / f"whole.{extension}", "libx264", frames=6)
    path = tmp_path / f"head.{extension}"
    path.write_bytes(whole.read_bytes()[:300])
    with pytest.raises(VideoError, match=path.name):
        list(video.iframes(path))


@pytest.mark.parametrize("extension", ["mkv", "ts"])
def test_a_truncated_file_gives_the_iframes_that_it_has(tmp_path: Path, extension: str) -> None:
    whole = clips.make(tmp_path / f"whole.{extension}", "libx264", options=X264)
    path = tmp_path / f"cut.{extension}"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    expected = clips.intra_frames(path)
    assert 1 < len(expected) < len(clips.intra_frames(whole))
    assert [(frame.pts, clips.planes(frame.decoded)) for frame in video.iframes(path)] == expected


def test_damaged_packets_do_not_end_the_run(tmp_path: Path) -> None:
    whole = clips.make(tmp_path / "whole.ts", "mpeg2video", gop_size=6, frames=60)
    content = bytearray(whole.read_bytes())
    rng = np.random.default_rng(3)
    for place in rng.integers(len(content) // 8, len(content), 12):
        content[place : place + 3] = rng.bytes(3)
    path = tmp_path / "damaged.ts"
    path.write_bytes(content)
    frames = list(video.iframes(path))
    expected = clips.intra_frames(path)
    assert [frame.pts for frame in frames] == [pts for pts, _ in expected]
    assert any(frame.is_corrupt for frame in frames)
    same = [clips.planes(f.decoded) == planes for f, (_, planes) in zip(frames, expected, strict=True)]
    assert all(same[n] for n, frame in enumerate(frames) if not frame.is_corrupt)


def test_refused_packets_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    whole = clips.make(tmp_path / "whole.avi", "mjpeg", pixel_format="yuvj420p", frames=5)
    middle = list(clips.packets(whole))[2]
    content = bytearray(whole.read_bytes())
    place = content.index(bytes(middle))
    content[place : place + middle.size] = bytes(middle.size)
    path = tmp_path / "damaged.avi"
    path.write_bytes(content)
    reader = video.iframes(path)
    assert [frame.packet for frame in reader] == [0, 1, 3, 4]
    assert reader.scan.decode_errors == 1
    assert reader.scan.method == "full-decode"


def test_a_video_almost_without_iframes_has_largest_packets(tmp_path: Path) -> None:
    options = {"x264-params": "intra-refresh=1:keyint=20"}
    path = clips.make(
        tmp_path / "refresh.mkv", "libx264", frames=120, fps=1, draw=clips.drawing(160, 96, 1000), options=options
    )
    (frame,) = video.iframes(path)
    scan = video.scan(path)
    chosen = video.largest_packets(scan, 30)
    assert len(chosen) == 4
    assert chosen[0] == frame.pts
    sizes = {packet.pts: packet.size for packet in scan.packets}
    assert sizes[chosen[1]] == max(size for pts, size in sizes.items() if 30_000 <= pts < 60_000)
    assert video.frame_at(path, chosen[1]).pts == chosen[1]


@pytest.mark.parametrize(("codec", "pixel_format"), [("qtrle", "rgb24"), ("cinepak", "rgb24"), ("cfhd", "yuv422p10le")])
def test_a_codec_that_does_not_mark_iframes_is_named(tmp_path: Path, codec: str, pixel_format: str) -> None:
    path = clips.make(tmp_path / "a.mov", codec, frames=5, pixel_format=pixel_format)
    with pytest.raises(VideoError, match=rf"a\.mov: this codec \({codec}\) does not mark I-frames"):
        list(video.iframes(path))
    assert [frame.packet for frame in video.frames_at(path, [1, 3])] == [1, 3]


@pytest.mark.parametrize(
    "name", ["[Group] Title - 01 (1080p).mkv", "動画 第1話 «ё».mkv", "100% 'quoted' \"name\".mkv", "a:b?c.mkv"]
)
def test_any_name_can_be_read(tmp_path: Path, clip: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(clip.read_bytes())
    assert video.probe(path).path == path
    assert len(list(video.iframes(str(path)))) == len(list(video.iframes(clip)))


def test_readers_side_by_side_do_not_mix_their_packets(clip: Path) -> None:
    expected = [frame.packet for frame in video.iframes(clip, exact=True)]
    one, two = video.iframes(clip, exact=True), video.iframes(clip, exact=True)
    assert [(a.packet, b.packet) for a, b in zip(one, two, strict=True)] == [(n, n) for n in expected]
