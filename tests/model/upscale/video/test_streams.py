from fractions import Fraction

import av
import pytest

from apisr_data.errors import UsageError
from apisr_model.errors import ContainerError
from apisr_model.upscale.video.encoders import Encoding
from tests.model.upscale.video.films import FONT, cover_png, film, packets, shown, times, upscaled

RICH = {"sounds": [("aac", "jpn"), ("libopus", "deu")], "script": True, "font": True, "chapters": True, "cover": True}


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    """Two audio tracks with languages, ASS subtitles with a font, chapters and cover art in Matroska."""
    return film(tmp_path_factory.mktemp("rich") / "Folge 1 «第一話».mkv", **RICH)


@pytest.fixture(scope="module")
def upscaled_rich(rich):
    return upscaled(rich, rich.with_name("a film's 'output' 出力.mkv"))


def test_audio_and_subtitles_are_copied_packet_by_packet(rich, upscaled_rich):
    assert len(packets(rich, "audio", "subtitle")) > 70
    assert packets(upscaled_rich, "audio", "subtitle") == packets(rich, "audio", "subtitle")


def test_languages_titles_and_dispositions_stay(rich, upscaled_rich):
    def described(path):
        with av.open(str(path)) as container:
            kept = ("language", "title", "filename", "mimetype")
            return container.metadata["title"], [
                (s.type, s.disposition, {k: s.metadata[k] for k in kept if k in s.metadata}) for s in container.streams
            ]

    assert len(described(rich)[1]) == 6
    assert described(upscaled_rich) == described(rich)


def test_fonts_chapters_and_cover_art_stay(rich, upscaled_rich):
    with av.open(str(rich)) as before, av.open(str(upscaled_rich)) as after:
        assert after.chapters() == before.chapters()
        assert [s.data for s in after.streams if s.type == "attachment"] == [FONT]
        assert [bytes(p) for p in after.demux() if p.size and p.stream.disposition & 1024] == [cover_png()]


def test_mp4_refuses_ass_subtitles_and_fonts_by_name_before_any_work(rich, tmp_path):
    subtitle = r"stream 3 \(subtitle, ass, deu, Schilder & Lieder\)"
    font = r"stream 4 \(attachment, font/ttf, Schrift «ä».ttf\)"
    remedy = r"write \.mkv, or do without, with --drop-streams 3,4"
    with pytest.raises(ContainerError, match=rf"\.mp4 cannot hold {subtitle} and {font}; {remedy}"):
        upscaled(rich, tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("drop", [["3", "4"], ["subtitle", "attachment"]])
def test_streams_that_the_user_leaves_out_do_not_stop_the_job(rich, tmp_path, drop):
    with av.open(str(upscaled(rich, tmp_path / "out.mp4", drop=drop))) as container:
        languages = [s.metadata.get("language") for s in container.streams.audio]
        assert languages == ["jpn", "deu"]
        assert [c["metadata"]["title"] for c in container.chapters()] == ["Teil 0", "Teil 1"]


def test_an_unknown_stream_to_leave_out_is_an_error(rich, tmp_path):
    with pytest.raises(UsageError, match="no stream '9' to leave out; known: 1, 2"):
        upscaled(rich, tmp_path / "out.mkv", drop=["9"])
    with pytest.raises(UsageError, match="stream 0 is the video that is upscaled"):
        upscaled(rich, tmp_path / "out.mkv", drop=["0"])


@pytest.mark.parametrize(
    ("name", "codec", "said"),
    [
        ("out.avi", "h264", "'.avi' is no container that keeps every picture's time stamp; write .mkv"),
        ("out", "h264", "'' is no container"),
        ("out.webm", "h264", ".webm cannot hold h264 video"),
    ],
)
def test_a_container_that_cannot_hold_the_video_is_refused(rich, tmp_path, name, codec, said):
    with pytest.raises(ContainerError, match=said):
        upscaled(rich, tmp_path / name, Encoding(codec))


def test_mov_text_subtitles_are_refused_in_matroska(tmp_path):
    source = tmp_path / "in.mp4"
    with av.open(str(film(tmp_path / "pictures.mp4"))) as pictures, av.open(str(source), "w") as out:
        video = out.add_stream_from_template(pictures.streams.video[0])
        text = out.add_mux_stream("mov_text")
        for packet in pictures.demux():
            if packet.size:
                packet.stream = video
                out.mux(packet)
        packet = av.Packet(b"\0\5Hello")
        packet.stream, packet.time_base, packet.pts, packet.dts = text, Fraction(1, 1000), 0, 0
        packet.duration = 200
        out.mux(packet)
    with pytest.raises(ContainerError, match=r"\.mkv cannot hold stream 1 \(subtitle, mov_text.*; write \.mp4, or"):
        upscaled(source, tmp_path / "out.mkv")
    assert packets(upscaled(source, tmp_path / "out.mp4"), "subtitle")[0][-1] == b"\0\5Hello"


@pytest.mark.parametrize("name", ["out.mp4", "out.m4v", "out.mkv"])
def test_cover_art_of_mp4_stays_cover_art(tmp_path, name):
    source = film(tmp_path / "in.mp4", cover=True)
    with av.open(str(upscaled(source, tmp_path / name))) as container:
        covers = [bytes(p) for p in container.demux() if p.size and p.stream.disposition & 1024]
    assert covers == [cover_png()]


def test_cover_art_that_quicktime_would_lose_is_refused(tmp_path):
    with pytest.raises(ContainerError, match=r"\.mov cannot hold stream 1 \(video, png"):
        upscaled(film(tmp_path / "in.mp4", cover=True), tmp_path / "out.mov")


def test_a_second_angle_is_copied_as_it_is(tmp_path):
    source = tmp_path / "angles.mkv"
    with (
        av.open(str(film(tmp_path / "a.mkv"))) as first,
        av.open(str(film(tmp_path / "b.mkv", codec="mpeg4"))) as second,
        av.open(str(source), "w") as out,
    ):
        streams = [out.add_stream_from_template(c.streams.video[0], opaque=True) for c in (first, second)]
        streams[0].disposition = 1
        for container, stream in zip((first, second), streams, strict=True):
            for packet in container.demux():
                if packet.size:
                    packet.stream = stream
                    out.mux(packet)
    made = upscaled(source, tmp_path / "out.mkv")
    assert [p for p in packets(made) if p[0] == 1] == [p for p in packets(source) if p[0] == 1]
    assert shown(made, stream=1) == shown(source, stream=1)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_sound_stays_in_time_with_the_pictures(tmp_path, suffix):
    """AAC's lead-in begins before zero in MP4; in Matroska all begins that much later, pictures and sound alike."""
    source = film(tmp_path / "in.mp4", sounds=[("aac", "jpn")])
    made = upscaled(source, tmp_path / f"out.{suffix}")

    def offset(path):
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            first = next(p for p in container.demux(stream) if p.size)
            return times(path)[0] - first.pts * Fraction(stream.time_base)

    assert [p[-1] for p in packets(made, "audio")] == [p[-1] for p in packets(source, "audio")]
    assert abs(offset(made) - offset(source)) <= Fraction(1, 1000)


def test_a_source_without_sound_gives_a_target_without(tmp_path):
    with av.open(str(upscaled(film(tmp_path / "in.mkv"), tmp_path / "out.mkv"))) as container:
        assert [s.type for s in container.streams] == ["video"]


def test_a_part_begins_at_zero_with_its_own_sound_subtitles_and_chapters(rich, tmp_path):
    made = upscaled(rich, tmp_path / "part.mkv", start_s=0.3, duration_s=0.35)
    start = next(time for time in times(rich) if time >= Fraction(3, 10))
    assert times(made) == [time - start for time in times(rich) if start <= time < Fraction(65, 100)]
    with av.open(str(made)) as container:
        audio = container.streams.audio[0]
        firsts = [p.pts for p in container.demux(audio) if p.size]
        spans = [(c["start"] * c["time_base"], c["end"] * c["time_base"]) for c in container.chapters()]
    ms = int(start * 1000)
    source_pts = [p[1] for p in packets(rich, "audio") if p[0] == 1]
    assert firsts == [pts - ms for pts in source_pts if ms <= pts < ms + firsts[-1] + 1]
    assert spans[0] == (0, Fraction(400, 1000) - start)
    # «Hello» is shown from 0.1 to 0.6 s, «World» from 0.7 s on, which is past the end.
    assert [(p[1], p[3]) for p in packets(made, "subtitle")] == [(0, 600 - ms)]


def test_a_transport_stream_that_counts_from_anywhere_begins_near_zero(tmp_path):
    made = tmp_path / "far.ts"
    with av.open(str(film(tmp_path / "in.mkv", sounds=[("aac", "jpn")]))) as source, av.open(str(made), "w") as out:
        streams = [out.add_stream_from_template(s, opaque=True) for s in source.streams]
        for packet in source.demux():
            if packet.size:
                packet.pts, packet.dts = packet.pts + 3_600_000, (packet.dts or 0) + 3_600_000
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    assert times(made)[0] >= 3600
    found = times(upscaled(made, tmp_path / "out.mkv"))
    assert len(found) == 20
    assert 0 <= found[0] < Fraction(1, 10)


def test_a_truncated_source_gives_what_can_be_read(tmp_path):
    whole = film(tmp_path / "in.mkv", frames=60, sounds=[("aac", "jpn")])
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    made = upscaled(cut, tmp_path / "out.mkv")
    assert 10 < len(times(made)) <= 60
    assert packets(made, "audio") == packets(cut, "audio")


def test_a_part_of_a_film_with_cover_art_keeps_it(tmp_path):
    source = film(tmp_path / "in.mp4", cover=True, sounds=[("aac", "jpn")])
    with av.open(str(upscaled(source, tmp_path / "out.mp4", start_s=0.3))) as container:
        assert [bytes(p) for p in container.demux() if p.size and p.stream.disposition & 1024] == [cover_png()]


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_sound_whose_time_stands_still_is_still_joined(tmp_path, suffix):
    source = tmp_path / "still.mkv"
    with av.open(str(film(tmp_path / "in.mkv", sounds=[("aac", "jpn")]))) as whole, av.open(str(source), "w") as out:
        streams = [out.add_stream_from_template(s, opaque=True) for s in whole.streams]
        for packet in whole.demux():
            if packet.size:
                if packet.stream.type == "audio":  # ten packets at a time have the time of the first
                    packet.pts = packet.dts = max(0, packet.pts // 213 * 213)
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    assert len(packets(source, "audio")) > 30
    made = upscaled(source, tmp_path / f"out.{suffix}")
    assert sorted(p[-1] for p in packets(made, "audio")) == sorted(p[-1] for p in packets(source, "audio"))


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_pictures_before_zero_keep_their_place_beside_the_sound(tmp_path, suffix):
    """libav reads no negative time stamp of a picture from Matroska, but of sound it does."""
    source, early = film(tmp_path / "in.mkv", sounds=[("aac", "jpn")]), tmp_path / "early.mkv"
    options = {"avoid_negative_ts": "disabled"}
    with av.open(str(source)) as whole, av.open(str(early), "w", container_options=options) as out:
        streams = [out.add_stream_from_template(s, opaque=True) for s in whole.streams]
        for packet in whole.demux():
            if packet.size:
                packet.pts -= 100
                packet.dts = packet.pts if packet.stream.type == "audio" else None
                packet.stream = streams[packet.stream.index]
                out.mux(packet)

    def heard(path):
        with av.open(str(path)) as container:
            return min(p.pts * p.time_base for p in container.demux(audio=0) if p.size)

    with av.open(str(early)) as container:
        assert None in [packet.pts for packet in container.demux(video=0) if packet.size]
    made = upscaled(early, tmp_path / f"out.{suffix}")
    assert len(times(made)) == 20
    assert heard(made) - times(made)[0] == pytest.approx(heard(source) - times(source)[0], abs=0.002)


@pytest.mark.parametrize("via", ["mkv", "mp4"])
@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_the_titles_of_tracks_survive_every_change_of_container(tmp_path, via, suffix):
    source = film(tmp_path / "in.mkv", sounds=[("aac", "jpn")])
    made = upscaled(upscaled(source, tmp_path / f"via.{via}"), tmp_path / f"out.{suffix}")
    with av.open(str(made)) as container:
        found = container.streams.video[0].metadata
    assert found["title" if suffix == "mkv" else "name"] == "Bild"


def test_a_part_of_an_avi_keeps_its_sound_in_time(tmp_path):
    """Its sound counts in packets of 24 ms, which no frame's time is a multiple of."""
    source = film(tmp_path / "in.avi", codec="mpeg4", sounds=[("libmp3lame", "jpn")])
    made = upscaled(source, tmp_path / "out.mkv", start_s=0.2)
    start = next(time for time in times(source) if time >= 0.2)

    def heard(path):
        return [(pts, data) for _, pts, _, _, data in packets(path, "audio")]

    with av.open(str(source)) as container:
        tick = container.streams.audio[0].time_base
    before = {data: pts * tick for pts, data in heard(source)}
    assert tick > Fraction(20, 1000)
    assert len(heard(made)) > 20
    assert all(abs(before[data] - start - Fraction(pts, 1000)) <= Fraction(1, 1000) for pts, data in heard(made))
