"""Fields are woven by `tests.data.fields`; the film before weaving is the reference."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.codec.context import Flags

from apisr_data import interlacing
from apisr_model.upscale.video.source import Source
from tests.data.clips import planes
from tests.data.fields import draw_mover, draw_pan, film, interlace, luma_plane, telecine, weave, write


def lumas(frames):
    return [luma_plane(frame.decoded) for frame in frames]


def combed(pictures):
    return sum(int(interlacing.comb_blocks(picture).sum()) for picture in pictures)


def assert_same(pictures, expected):
    assert len(pictures) == len(expected)
    assert [n for n, (a, b) in enumerate(zip(pictures, expected, strict=True)) if not np.array_equal(a, b)] == []


@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize("hold", [1, 2, 3])
def test_telecine_returns_to_the_very_frames_of_the_film(tmp_path, hold, order):
    drawn = film(draw_pan, 48, hold)
    path = write(
        tmp_path / "a.mp4", telecine(drawn, order), codec="libx264", options={"qp": "0", "preset": "ultrafast"}
    )
    with Source(path) as source:
        frames = list(source.frames())
        assert (source.treatment.kind, source.treatment.field_order) == ("telecine", order)
        assert "29.97 -> 23.976 frames/s" in source.treatment.sentence
        assert (source.frame_rate, source.frames_expected) == (Fraction(24000, 1001), 48)
    assert_same(lumas(frames), drawn)
    assert combed(lumas(frames)) == 0
    assert [frame.pts * source.time_base for frame in frames] == [n * Fraction(1001, 24000) for n in range(48)]
    assert all(frame.duration * source.time_base == Fraction(1001, 24000) for frame in frames)


@pytest.mark.parametrize("start", [2, 3])
def test_telecine_may_begin_anywhere_in_its_cycle(tmp_path, start):
    drawn = film(draw_pan, 48)
    with Source(write(tmp_path / "a.mkv", telecine(drawn)[start:])) as source:
        pictures = lumas(source.frames())
    assert combed(pictures) == 0
    inside = pictures[1:-3]  # at the ends, fields are left over
    first = next(n for n, picture in enumerate(drawn) if np.array_equal(picture, inside[0]))
    assert first <= 4
    assert_same(inside, drawn[first : first + len(inside)])


def test_coded_telecine_of_ten_bits_returns_too(tmp_path):
    drawn, path = film(draw_pan, 48), tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=Fraction(30000, 1001), options={"x265-params": "log-level=none"})
        stream.width, stream.height, stream.pix_fmt = drawn[0].shape[1], drawn[0].shape[0], "yuv420p10le"
        for luma in telecine(drawn):
            frame = av.VideoFrame.from_ndarray(luma, "gray").reformat(format="yuv420p10le")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with Source(path) as source:
        frames = list(source.frames())
    assert source.treatment.kind == "telecine"
    assert {frame.decoded.format.name for frame in frames} == {"yuv420p10le"}
    grey = [frame.rgb()[..., 1] / 257 for frame in frames]
    nearest = [int(np.argmin([np.abs(picture - other).mean() for other in drawn])) for picture in grey]
    assert nearest == list(range(48))


def test_where_nothing_repeats_nothing_is_dropped(tmp_path):
    """Telecined film, then video of 29.97 progressive frames a second."""
    drawn, steady = film(draw_pan, 64), [draw_pan(200 + n) for n in range(40)]
    with Source(write(tmp_path / "a.mkv", telecine(drawn) + steady)) as source:
        frames = list(source.frames())
    assert_same(lumas(frames), drawn + steady)
    times = [frame.time_s for frame in frames]
    assert times[64:] == pytest.approx([(80 + n) * 1001 / 30000 for n in range(40)], abs=0.001)


def test_a_gap_in_telecine_keeps_its_length(tmp_path):
    fps, woven = Fraction(30000, 1001), telecine(film(draw_pan, 64))
    times = [n * 1001 + (300300 if n >= 42 else 0) for n in range(80)]
    path = write(tmp_path / "a.mkv", woven, fps=fps, times=times, time_base=Fraction(1, 30000))
    with Source(path) as source:
        shown = [frame.time_s for frame in source.frames()]
    after = [time_s for time_s in shown if time_s > 6]
    assert after[0] == pytest.approx(times[42] / 30000, abs=0.002)
    assert shown[-1] == pytest.approx(times[-1] / 30000, abs=0.05)
    assert np.all(np.diff(shown) > 0)


@pytest.mark.parametrize(("draw", "order"), [(draw_pan, "tff"), (draw_pan, "bff"), (draw_mover, "bff")])
def test_interlaced_video_keeps_its_rate_and_loses_its_combs(tmp_path, draw, order):
    woven = interlace(draw, 40, order)
    with Source(write(tmp_path / "a.mkv", woven, fps=Fraction(25))) as source:
        frames = list(source.frames())
        assert (source.treatment.kind, source.treatment.field_order) == ("interlaced", order)
        assert source.frame_rate == 25
    assert [frame.pts for frame in frames] == [40 * n for n in range(40)]
    # The mover's background has lines that look woven in every picture; they stay.
    assert combed(lumas(frames)) <= 1.1 * combed([draw(0)] * 40) < combed(woven)
    errors = [np.abs(luma.astype(int) - draw(n))[8:-8].mean() for n, luma in enumerate(lumas(frames))]
    assert np.mean(errors) < 1.5


def test_wrong_flags_are_overruled(tmp_path):
    path = write(tmp_path / "a.mkv", telecine(film(draw_pan, 48)), codec="libx264", options={"x264-params": "bff=1"})
    with av.open(str(path)) as container:
        flagged = [frame.interlaced_frame for frame in container.decode(video=0)]
    assert all(flagged)
    with Source(path) as source:
        assert (source.info.field_order, source.treatment.field_order) == ("bff", "tff")
        assert "flagged the other way" in source.treatment.sentence


@pytest.mark.parametrize(("codec", "flags"), [("libx264", Flags.interlaced_dct), ("ffv1", 0)])
def test_progressive_pictures_stay_to_the_bit_whatever_the_flags_say(tmp_path, codec, flags):
    path = write(tmp_path / "a.mkv", film(draw_pan, 40, 2), codec=codec, flags=flags, fps=Fraction(25))
    with av.open(str(path)) as container:
        decoded = [(frame.pts, frame.interlaced_frame, planes(frame)) for frame in container.decode(video=0)]
    assert all(is_interlaced for _, is_interlaced, _ in decoded) == bool(flags)
    with Source(path) as source:
        assert source.treatment.kind == "none"
        assert ("flagged as interlaced" in source.treatment.sentence) == bool(flags)
        assert [(f.pts, planes(f.decoded)) for f in source.frames()] == [(pts, data) for pts, _, data in decoded]


def soft_telecine(path, drawn):
    """Film as MPEG-2 whose headers tell the player to show each second frame for three fields."""
    film_path = write(
        path.with_suffix(".m2v"), drawn, codec="mpeg2video", fps=Fraction(24000, 1001), options={"qmax": "3"}
    )
    fields = 0
    with av.open(str(film_path)) as container, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(container.streams.video[0])
        for number, packet in enumerate(p for p in container.demux(video=0) if p.size):
            data = bytearray(bytes(packet))
            extension = data.index(b"\x00\x00\x01\xb5", data.index(b"\x00\x00\x01\x00")) + 4  # picture coding extension
            data[extension + 3] |= 0x80 * (number % 4 in (0, 1)) | 0x02 * (number % 2)  # top first, repeat first field
            patched = av.Packet(bytes(data))
            patched.stream, patched.time_base = stream, Fraction(1001, 60000)
            patched.pts = patched.dts = fields
            patched.is_keyframe = packet.is_keyframe
            fields += 2 + number % 2
            target.mux(patched)
    return path


def test_soft_telecine_keeps_every_frame_and_its_time(tmp_path):
    drawn = film(draw_pan, 48)
    path = soft_telecine(tmp_path / "a.mkv", drawn)
    with Source(path) as source:
        frames = list(source.frames())
    assert source.treatment.kind == "none"
    starts = np.cumsum([0] + [2, 3] * 24)[:48] * 1001 / 60000
    assert [frame.time_s for frame in frames] == pytest.approx(starts.tolist(), abs=0.0006)
    assert len(frames) == 48
    assert combed(lumas(frames)) == 0


def test_switched_off_nothing_is_measured_or_changed(tmp_path):
    woven = telecine(film(draw_pan, 48))
    with Source(write(tmp_path / "a.mkv", woven), deinterlace="off") as source:
        assert source.treatment.kind == "none"
        assert_same(lumas(source.frames()), woven)


def test_mixed_material_is_stated(tmp_path):
    """Every third stretch of a longer file is video, the rest telecined film."""
    video = interlace(draw_pan, 150)
    parts = [telecine(film(draw_pan, 120, 2))] * 5 + [video] + [telecine(film(draw_pan, 120, 2))]
    pictures = [picture[:96, :128] for part in parts for picture in part]
    with Source(write(tmp_path / "a.mkv", [np.ascontiguousarray(p) for p in pictures])) as source:
        assert source.treatment.kind == "telecine"
        assert "mixed: of the stretches looked at, 5 telecine, 1 interlaced" in source.treatment.sentence


@pytest.mark.parametrize("kind", ["telecine", "interlaced"])
def test_two_passes_and_a_part_give_the_same_frames(tmp_path, kind):
    woven = telecine(film(draw_pan, 60, 2)) if kind == "telecine" else interlace(draw_pan, 75)
    path = write(tmp_path / "a.mkv", woven, codec="libx264", gop_size=20)
    with Source(path) as source:
        assert source.treatment.kind == kind
        first = [(f.pts, planes(f.decoded)) for f in source.frames()]
        assert first == [(f.pts, planes(f.decoded)) for f in source.frames()]
    with Source(path, start_s=1.4, duration_s=0.5) as part:
        shown = [(f.pts, planes(f.decoded)) for f in part.frames()]
    assert shown == [(pts, data) for pts, data in first if 1.4 <= pts * part.time_base < 1.9]
    assert len(shown) == (12 if kind == "telecine" else 15)


def test_a_cut_that_breaks_the_cadence_leaves_no_combs(tmp_path):
    drawn = film(draw_pan, 96)
    woven = telecine(drawn)[:58] + telecine(drawn)[66:]  # edited as video
    with Source(write(tmp_path / "a.mkv", woven)) as source:
        pictures = lumas(source.frames())
    assert combed(pictures) == 0
    found = [n for picture in pictures for n in range(96) if np.array_equal(drawn[n], picture)]
    assert [n for n in range(96) if n not in found and not 44 <= n <= 56] == []


@pytest.mark.parametrize("kind", ["telecine", "interlaced"])
def test_wide_pictures_and_transport_streams_are_judged_alike(tmp_path, kind):
    woven = telecine(film(draw_pan, 24)) if kind == "telecine" else interlace(draw_pan, 24)
    wide = [np.tile(picture, (1, 4)) for picture in woven]
    with Source(write(tmp_path / "a.ts", wide, codec="mpeg2video", options={"qmax": "3"})) as source:
        assert (source.treatment.kind, source.treatment.field_order) == (kind, "tff")


def test_a_still_weave_is_left_alone(tmp_path):
    still = weave(draw_pan(0), draw_pan(3))
    with Source(write(tmp_path / "a.mkv", [still] * 30)) as source:
        assert source.treatment.kind == "none"
        assert "too little moves" in source.treatment.sentence


def test_nothing_at_25_frames_a_second_is_taken_for_telecine(tmp_path):
    with Source(write(tmp_path / "a.mkv", telecine(film(draw_pan, 32)), fps=Fraction(25))) as source:
        assert (source.treatment.kind, source.frame_rate) == ("interlaced", 25)
