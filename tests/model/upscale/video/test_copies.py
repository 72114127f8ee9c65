"""What of a damaged source is missing is told; sound of codecs that no container holds is coded anew."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from apisr_model.upscale.video.source import Source
from apisr_model.upscale.video.target import Target
from tests.model.upscale.video.films import FAST, film, upscaled

SECONDS = 8


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "in.mkv"
    return film(path, frames=24 * SECONDS, gop_size=24, sounds=[("aac", "jpn")], sound_s=SECONDS)


def lost(path: Path, **part: float) -> list[str]:
    """What a job of that source would tell of."""
    with Source(path, deinterlace="off", **part) as source:
        target = Target(source, path.with_name("out.mkv"), source.size, FAST, fingerprint="", segment_frames=96)
        with target:
            for frame in source.frames():
                target.write(frame.rgb(), frame)
            return [*source.lost, *target.finish()]


def damaged(whole: Path, folder: Path) -> Path:
    """A quarter of the file, in its middle, overwritten."""
    data = bytearray(whole.read_bytes())
    begin, end = len(data) * 3 // 8, len(data) * 5 // 8
    data[begin:end] = bytes(end - begin)
    path = folder / "holed.mkv"
    path.write_bytes(data)
    return path


def test_a_whole_film_lacks_nothing(tmp_path: Path, whole: Path) -> None:
    source = tmp_path / "in.mkv"
    source.write_bytes(whole.read_bytes())
    assert lost(source) == []
    assert lost(source, start_s=2, duration_s=2) == []


def test_holes_in_pictures_and_sound_are_told(tmp_path: Path, whole: Path) -> None:
    pictures, sound = lost(damaged(whole, tmp_path))
    assert pictures.startswith("no picture from ")
    assert sound.startswith("stream 1 (audio, aac, jpn): a hole from ")
    begin_s = float(pictures.split()[3])
    part = lost(tmp_path / "holed.mkv", start_s=begin_s - 1, duration_s=SECONDS - begin_s)  # in the source's seconds
    assert [told.partition(" from ")[2] for told in part] == [told.partition(" from ")[2] for told in (pictures, sound)]


def test_a_picture_that_stands_still_in_a_sound_file_is_no_hole(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mkv", pts=[0, 1, 2, 100, 101, 102], sounds=[("aac", "jpn")], sound_s=4.4)
    assert lost(source) == []


def test_sound_that_ends_before_its_stated_end_is_told(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mkv", frames=24 * SECONDS, sounds=[("aac", "jpn")], sound_s=4)
    assert lost(source) == []
    data = source.read_bytes()
    assert data.count(b"00:00:04.0") == 1
    source.write_bytes(data.replace(b"00:00:04.0", b"00:00:08.0"))
    assert [told[:51] for told in lost(source)] == ["stream 1 (audio, aac, jpn): it ends at 4.0 of 8.0 s"]
    assert lost(source, duration_s=3) == []


def heard(path: Path) -> tuple[str, float, "np.ndarray"]:
    """Codec, first moment (s), and the samples of the first channel."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        to_float = av.AudioResampler("fltp")
        frames = list(container.decode(stream))
        first_s = frames[0].time
        wave = np.concatenate([even.to_ndarray()[0] for frame in frames for even in to_float.resample(frame)])
        return stream.codec_context.codec.canonical_name, first_s, wave


@pytest.mark.parametrize(("name", "codec"), [("in.wmv", "wmav2"), ("in.avi", "adpcm_ms"), ("in.avi", "wmav2")])
@pytest.mark.parametrize(("target", "becomes"), [("out.mkv", "flac"), ("out.mp4", "flac"), ("out.mov", "pcm_s16le")])
def test_sound_that_no_container_takes_is_coded_anew_without_loss(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, codec: str, target: str, becomes: str
) -> None:
    source = film(tmp_path / name, codec="mpeg4", sounds=[(codec, "jpn")])
    made = upscaled(source, tmp_path / target)
    told = f"stream 1 (audio, {codec}) cannot be copied into any container; it becomes {becomes}"
    assert told in caplog.text.replace(", jpn", "")
    (_, began_s, before), (found, begins_s, after) = heard(source), heard(made)
    assert found == becomes
    assert begins_s == pytest.approx(began_s, abs=0.002)
    assert after.size == before.size
    assert np.abs(after - before).max() < 2 / 32768


def test_data_that_no_container_takes_is_left_out_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = tmp_path / "in.ts"
    with av.open(str(film(tmp_path / "pictures.mkv"))) as pictures, av.open(str(source), "w") as out:
        video, told = out.add_stream_from_template(pictures.streams.video[0]), out.add_data_stream("klv")
        for number, packet in enumerate(packet for packet in pictures.demux(video=0) if packet.size):
            packet.stream = video
            out.mux(packet)
            said = av.Packet(b"where it was filmed")
            said.stream, said.pts, said.dts, said.time_base = told, number * 3750, number * 3750, Fraction(1, 90000)
            out.mux(said)
    with av.open(str(upscaled(source, tmp_path / "out.mkv"))) as made:
        assert [stream.type for stream in made.streams] == ["video"]
    assert "stream 1 (data, klv) cannot be copied into any container; it is left out" in caplog.text


def test_a_gap_in_sound_that_is_coded_anew_becomes_silence(tmp_path: Path) -> None:
    whole, source = film(tmp_path / "whole.wmv", codec="mpeg4", sounds=[("wmav2", "jpn")]), tmp_path / "in.wmv"
    with av.open(str(whole)) as container, av.open(str(source), "w") as out:
        streams = [out.add_stream_from_template(stream, opaque=True) for stream in container.streams]
        for packet in container.demux():
            time_s = (packet.pts or 0) * packet.time_base
            if packet.size and not (packet.stream.type == "audio" and 0.3 < time_s < 0.5):
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    _, _, before = heard(whole)
    _, _, after = heard(upscaled(source, tmp_path / "out.mkv"))
    assert abs(after.size - before.size) <= 2 * 2048
    assert np.count_nonzero(before == 0) < 3000 < 4800 < np.count_nonzero(after == 0)  # of 48 in a millisecond
