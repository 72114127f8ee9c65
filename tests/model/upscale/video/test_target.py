import errno
import os
import zlib
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest

from apisr_data.errors import UsageError, VideoError
from apisr_model.upscale.video import mux, segments
from apisr_model.upscale.video.encoders import Encoding
from apisr_model.upscale.video.source import Source
from apisr_model.upscale.video.target import Target
from tests.model.upscale.video import films
from tests.model.upscale.video.films import FAST, film, packets, shown, times, upscaled

UNEVEN = [0, 1001, 2002, 5005, 6006, 7000, 8008, 12012, 13013, 14014, 15015, 20020]
B_FRAMES = Encoding("h264", options={"preset": "medium"})


@pytest.fixture
def source(tmp_path):
    return film(tmp_path / "in.mkv", sounds=[("aac", "jpn")], script=True)


def part_of(path):
    return path.with_name(f".{path.name}.apisr-part")


@pytest.mark.parametrize(
    "encoding", [B_FRAMES, Encoding("hevc"), Encoding("av1"), Encoding("ffv1")], ids=lambda e: e.codec
)
def test_every_frame_keeps_its_time_in_mp4_exactly(tmp_path, encoding):
    film(tmp_path / "in.mp4", pts=UNEVEN, time_base=Fraction(1, 24000))
    made = upscaled(tmp_path / "in.mp4", tmp_path / "out.mp4", encoding)
    assert times(made) == times(tmp_path / "in.mp4") == [Fraction(pts, 24000) for pts in UNEVEN]


def test_every_frame_keeps_its_time_in_matroska_to_the_millisecond(tmp_path):
    film(tmp_path / "in.mp4", pts=UNEVEN, time_base=Fraction(1, 24000))
    made = times(upscaled(tmp_path / "in.mp4", tmp_path / "out.mkv", B_FRAMES))
    assert all(abs(time - Fraction(pts, 24000)) <= Fraction(1, 2000) for time, pts in zip(made, UNEVEN, strict=True))


def test_the_last_frame_keeps_its_duration(tmp_path):
    film(tmp_path / "in.mp4", pts=UNEVEN, time_base=Fraction(1, 24000))
    with (
        av.open(str(upscaled(tmp_path / "in.mp4", tmp_path / "out.mp4"))) as made,
        av.open(str(tmp_path / "in.mp4")) as was,
    ):
        assert made.streams.video[0].duration * made.streams.video[0].time_base == (
            was.streams.video[0].duration * was.streams.video[0].time_base
        )


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_segments_join_without_a_step_back_in_decoding_time(tmp_path, suffix):
    made = upscaled(film(tmp_path / "in.mp4", frames=40), tmp_path / f"out.{suffix}", B_FRAMES)
    with av.open(str(made)) as container:
        stamps = [(p.dts, p.pts) for p in container.demux(video=0) if p.size]
    if suffix == "mp4":  # Matroska stores none
        assert all(before[0] < after[0] for before, after in pairwise(stamps))
        assert all(dts <= pts for dts, pts in stamps)
    assert any(before[1] > after[1] for before, after in pairwise(stamps)), "no B-frames"
    assert times(made) == [Fraction(i * 512, 12288) for i in range(40)] if suffix == "mp4" else len(times(made)) == 40


@pytest.mark.parametrize(
    ("codec", "stop_at"),
    [("h264", 3), ("h264", 8), ("h264", 13), ("h264", 19), ("hevc", 13), ("av1", 13), ("ffv1", 13)],
)
def test_a_resumed_run_equals_an_uninterrupted_one(source, tmp_path, codec, stop_at):
    encoding = Encoding(codec)
    whole = upscaled(source, tmp_path / "whole.mkv", encoding)
    with pytest.raises(KeyboardInterrupt):
        upscaled(source, tmp_path / "out.mkv", encoding, stop_at=stop_at)
    assert not (tmp_path / "out.mkv").exists()
    assert part_of(tmp_path / "out.mkv").exists() == (stop_at >= 8)
    made = upscaled(source, tmp_path / "out.mkv", encoding)
    assert shown(made) == shown(whole)
    assert packets(made) == packets(whole)
    assert not part_of(made).exists()


def test_only_whole_segments_count_as_done(source, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        upscaled(source, tmp_path / "out.mkv", stop_at=13)
    with (
        Source(source, deinterlace="off") as opened,
        Target(opened, tmp_path / "out.mkv", (128, 96), FAST, fingerprint="the same", segment_frames=8) as made,
    ):
        assert made.frames_done == 8


def test_a_segment_that_was_damaged_meanwhile_is_made_again(source, tmp_path):
    whole = upscaled(source, tmp_path / "whole.mkv")
    with pytest.raises(KeyboardInterrupt):
        upscaled(source, tmp_path / "out.mkv", stop_at=18)
    second = sorted(part_of(tmp_path / "out.mkv").glob("*.segment"))[1]
    second.write_bytes(second.read_bytes()[:-1] + b"?")
    assert shown(upscaled(source, tmp_path / "out.mkv")) == shown(whole)


def test_what_a_killed_run_left_half_written_is_not_taken_for_whole(source, tmp_path):
    whole = upscaled(source, tmp_path / "whole.mkv")
    with pytest.raises(KeyboardInterrupt):
        upscaled(source, tmp_path / "out.mkv", stop_at=13)
    folder = part_of(tmp_path / "out.mkv")
    first = (folder / "000000.segment").read_bytes()
    (folder / "000001.segment").write_bytes(first[: len(first) // 2])
    (folder / "journal.json.tmp").write_text('{"segments": [', "utf-8")
    (folder / "joined.mkv").write_bytes(b"half a film")
    assert packets(upscaled(source, tmp_path / "out.mkv")) == packets(whole)
    assert not folder.exists()


def test_a_damaged_journal_starts_from_the_first_picture(source, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        upscaled(source, tmp_path / "out.mkv", stop_at=13)
    (part_of(tmp_path / "out.mkv") / "journal.json").write_text("{", "utf-8")
    assert len(shown(upscaled(source, tmp_path / "out.mkv"))) == 20


def test_an_unfinished_run_with_other_settings_is_not_thrown_away(source, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        upscaled(source, tmp_path / "out.mkv", stop_at=13)
    with pytest.raises(UsageError, match="8 pictures of an unfinished run with another source, network"):
        upscaled(source, tmp_path / "out.mkv", fingerprint="another")
    with pytest.raises(UsageError, match="8 pictures of an unfinished run"):
        upscaled(source, tmp_path / "out.mkv", B_FRAMES)
    assert len(shown(upscaled(source, tmp_path / "out.mkv", fingerprint="another", fresh=True))) == 20


def test_folders_on_the_way_to_the_target_are_made(source, tmp_path):
    assert len(times(upscaled(source, tmp_path / "new" / "season" / "out.mkv"))) == 20


def test_two_at_once_are_refused(source, tmp_path):
    with (
        Source(source, deinterlace="off") as opened,
        Target(opened, tmp_path / "out.mkv", (128, 96), FAST, fingerprint="the same", segment_frames=8),
        pytest.raises(UsageError, match=r"out\.mkv: another run is writing this video"),
    ):
        upscaled(source, tmp_path / "out.mkv")


def test_the_source_is_never_the_target(source):
    with pytest.raises(UsageError, match="is the source"):
        upscaled(source, source)


def test_what_lies_in_the_partial_folder_and_is_not_ours_stays(source, tmp_path):
    folder = part_of(tmp_path / "out.mkv")
    folder.mkdir()
    (folder / "notes.txt").write_text("mine", "utf-8")
    upscaled(source, tmp_path / "out.mkv")
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_name_as_long_as_a_file_system_takes_is_no_obstacle(source, tmp_path):
    assert len(times(upscaled(source, tmp_path / f"{'第' * 83}.mkv"))) == 20
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".ass", ".mkv", ".mkv"]


def test_a_full_disk_leaves_whole_segments_and_the_next_run_goes_on(source, tmp_path, monkeypatch):
    whole = upscaled(source, tmp_path / "whole.mkv")
    sync, syncs = os.fsync, []

    def full(descriptor):
        syncs.append(descriptor)
        if len(syncs) == 4:  # journal, segment, journal, then the second segment
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(segments.os, "fsync", full)
    with pytest.raises(OSError, match=r"000001\.segment") as caught:
        upscaled(source, tmp_path / "out.mkv")
    assert caught.value.errno == errno.ENOSPC
    assert not (tmp_path / "out.mkv").exists()
    assert sorted(p.name for p in part_of(tmp_path / "out.mkv").glob("*.segment")) == ["000000.segment"]
    monkeypatch.undo()
    assert shown(upscaled(source, tmp_path / "out.mkv")) == shown(whole)


def test_a_disk_that_fills_while_joining_keeps_what_is_encoded(source, tmp_path, monkeypatch):
    def full(*_):
        raise av.OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "joined.mkv")

    with monkeypatch.context() as broken:
        broken.setattr("apisr_model.upscale.video.mux._check", full)
        with pytest.raises(OSError, match=r"joined\.mkv") as caught:
            upscaled(source, tmp_path / "out.mkv")
    assert caught.value.errno == errno.ENOSPC
    with (
        Source(source, deinterlace="off") as opened,
        Target(opened, tmp_path / "out.mkv", (128, 96), FAST, fingerprint="the same", segment_frames=8) as made,
    ):
        assert made.frames_done == 20
        made.finish()
    assert len(shown(tmp_path / "out.mkv")) == 20


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_pictures_that_moved_against_the_sound_are_told(tmp_path, monkeypatch, caplog, suffix):
    source, pictures = film(tmp_path / "in.mp4", sounds=[("aac", "jpn")]), mux._pictures

    def late(part, stream, time_base, origin):
        return pictures(part, stream, time_base, origin - Fraction(1, 2))

    upscaled(source, tmp_path / f"out.{suffix}")
    assert "against sound" not in caplog.text
    monkeypatch.setattr(mux, "_pictures", late)
    upscaled(source, tmp_path / f"late.{suffix}")
    assert "the pictures are 0.500 s late against sound 1" in caplog.text


def test_a_source_that_changes_meanwhile_is_an_error(source, tmp_path):
    with (
        Source(source, deinterlace="off") as opened,
        Target(opened, tmp_path / "out.mkv", (128, 96), FAST, fingerprint="the same", segment_frames=8) as made,
    ):
        for frame in opened.frames():
            made.write(np.zeros((96, 128, 3), np.uint8), frame)
        os.utime(source, (1, 1))
        with pytest.raises(VideoError, match="changed or went away"):
            made.finish()


def test_a_held_picture_is_the_one_before(source, tmp_path):
    with (
        Source(source, deinterlace="off") as opened,
        Target(opened, tmp_path / "out.mkv", (128, 96), Encoding("ffv1"), fingerprint="", segment_frames=8) as made,
    ):
        for number, frame in enumerate(opened.frames()):
            made.write(None if number in (5, 8) else np.full((96, 128, 3), number * 10, np.uint8), frame)
        made.finish()
    pictures = [picture for _, picture in shown(tmp_path / "out.mkv")]
    assert pictures[5] == pictures[4] != pictures[6]
    assert pictures[8] == pictures[7]  # across the border of two segments


def test_ten_bits_survive_in_hevc(tmp_path):
    film(tmp_path / "in.mkv", codec="libx265", pixel_format="yuv420p10le")
    with av.open(str(upscaled(tmp_path / "in.mkv", tmp_path / "out.mkv", Encoding()))) as container:
        frame = next(container.decode(video=0))
        assert (container.streams.video[0].codec_context.codec.canonical_name, frame.format.name) == (
            "hevc",
            "yuv420p10le",
        )


@pytest.mark.parametrize(("codec", "suffix"), [("h264", "mp4"), ("hevc", "mkv"), ("av1", "mp4"), ("ffv1", "mkv")])
def test_colour_tags_survive_at_a_height_where_a_player_would_guess_others(tmp_path, codec, suffix):
    """FFV1 has no tags of its own: there Matroska's are what is read."""
    film(tmp_path / "in.mkv", colorspace=6, color_range=1, color_primaries=6, color_trc=6)
    with Source(tmp_path / "in.mkv", deinterlace="off") as opened:
        path, size = tmp_path / f"out.{suffix}", (1920, 1080)
        with Target(opened, path, size, Encoding(codec), fingerprint="", segment_frames=8) as made:
            frame = next(opened.frames())
            made.write(np.full((1080, 1920, 3), (200, 50, 50), np.uint8), frame)
            made.finish()
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        assert (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc) == (6, 1, 6, 6)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_tags_and_aspect_stand_in_the_bitstream_too(tmp_path, codec):
    film(tmp_path / "in.mp4", sample_aspect_ratio=Fraction(8, 9), colorspace=5, color_range=1, color_primaries=5,
         color_trc=6)  # fmt: skip
    made = upscaled(tmp_path / "in.mp4", tmp_path / "out.mp4", Encoding(codec))
    with av.open(str(made)) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(8, 9)
        bare = av.CodecContext.create(codec, "r")
        bare.extradata = container.streams.video[0].codec_context.extradata
        frame = (bare.decode(next(container.demux(video=0))) + bare.decode(None))[0]
    assert (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc) == (5, 1, 5, 6)
    assert bare.sample_aspect_ratio == Fraction(8, 9)


@pytest.mark.parametrize(
    ("codec", "suffix"), [("ffv1", "mkv"), ("av1", "mkv"), ("av1", "webm"), ("h264", "mkv"), ("av1", "mp4")]
)
@pytest.mark.parametrize("aspect", [Fraction(8, 9), Fraction(32, 27)], ids=str)
def test_the_aspect_ratio_stands_in_the_container(tmp_path, codec, suffix, aspect):
    """AV1 and FFV1 do not tell it themselves."""
    source = film(tmp_path / "in.mp4", sample_aspect_ratio=aspect, sounds=[("libopus", "jpn")])
    made = upscaled(source, tmp_path / f"out.{suffix}", Encoding(codec))
    with av.open(str(made)) as container:
        assert container.streams.video[0].sample_aspect_ratio == pytest.approx(aspect, rel=0.005)
    assert len(times(made)) == 20


def test_the_checksum_over_matroskas_tracks_is_right_with_an_aspect_ratio(tmp_path):
    source = film(tmp_path / "in.mkv", sample_aspect_ratio=Fraction(8, 9))
    data = upscaled(source, tmp_path / "out.mkv").read_bytes()
    tracks = bytes.fromhex("1654ae6b")
    at = data.index(tracks, data.index(tracks) + 1) + 4  # the table of contents names it first
    size_bytes = 9 - data[at].bit_length()
    start = at + size_bytes
    end = start + (int.from_bytes(data[at:start], "big") & ((1 << 7 * size_bytes) - 1))
    assert data[start : start + 2] == b"\xbf\x84"
    assert int.from_bytes(data[start + 2 : start + 6], "little") == zlib.crc32(data[start + 6 : end])


def test_the_aspect_ratio_is_written_beside_a_subtitle_header_of_megabytes(tmp_path, monkeypatch):
    styles = "Style: " + "x" * 1000 + ",Foo,16\n"
    monkeypatch.setattr(films, "_SCRIPT", films._SCRIPT.replace("\n[Events]", 2000 * styles + "\n[Events]"))
    source = film(tmp_path / "in.mkv", sample_aspect_ratio=Fraction(8, 9), script=True)
    with av.open(str(upscaled(source, tmp_path / "out.mkv"))) as made:
        assert made.streams.video[0].sample_aspect_ratio == pytest.approx(Fraction(8, 9), rel=0.005)


def test_room_for_the_aspect_ratio_is_gone_from_the_name(tmp_path):
    source = film(tmp_path / "in.mkv", sample_aspect_ratio=Fraction(8, 9), script=True, font=True, chapters=True)
    with av.open(str(upscaled(source, tmp_path / "out.mkv"))) as made, av.open(str(source)) as was:
        assert made.streams.video[0].metadata["title"] == "Bild"
        assert [s.type for s in made.streams] == [s.type for s in was.streams]


def test_chroma_in_full_stays(tmp_path):
    film(tmp_path / "in.mkv", codec="ffv1", pixel_format="yuv444p")
    with av.open(str(upscaled(tmp_path / "in.mkv", tmp_path / "out.mkv"))) as container:
        assert next(container.decode(video=0)).format.name == "yuv444p"


def test_hevc_in_mp4_is_tagged_as_apple_wants_it(tmp_path):
    with av.open(str(upscaled(film(tmp_path / "in.mkv"), tmp_path / "out.mp4", Encoding("hevc")))) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"
