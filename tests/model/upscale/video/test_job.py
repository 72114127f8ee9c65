"""Whole videos end to end, through a network of a few numbers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from apisr_data.errors import ResourceError, UsageError
from apisr_model.errors import ContainerError
from apisr_model.network import Network
from apisr_model.upscale import memory, upscale_video
from apisr_model.upscale.upscaler import Finish
from apisr_model.upscale.video import job
from apisr_model.upscale.video.encoders import Encoding
from apisr_model.upscale.video.job import Progress, Result
from apisr_model.upscale.video.options import Options
from apisr_model.upscale.video.overlap import overlap
from tests.model.upscale.video import films
from tests.model.upscale.video.films import film, packets, shown, times

LOSSLESS = Encoding("ffv1")
STREAM_OF_SIX = (("aac", "jpn"), ("flac", "eng"))


class Counting(nn.Module):
    """Twice the size, a little brighter; counts the pictures, and can fail."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(1.05))
        self.pictures = 0
        self.fail_at: int | None = None
        self.error: BaseException = RuntimeError("broken")

    def forward(self, x: Tensor) -> Tensor:
        self.pictures += x.shape[2:] == (48, 64)  # memory is measured on another size
        if self.pictures == self.fail_at:
            raise self.error
        return nn.functional.interpolate(x * self.gain, scale_factor=2, mode="nearest")


@pytest.fixture
def module() -> Counting:
    return Counting().eval()


@pytest.fixture
def network(module: Counting) -> Network:
    return Network(module, "nearest", 2, overlap_px=0)


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "SEGMENT_FRAMES", 8)


def twos(path: Path, frames: int = 40) -> Path:
    """A film whose drawings stay for two frames each, without loss."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            shade = np.full((48, 64, 3), 20 + number // 2 * 37 % 200, np.uint8)
            frame = av.VideoFrame.from_ndarray(shade, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def run(network: Network, source: Path, target: Path, **more: object) -> Result:
    on_progress = more.pop("on_progress", None)
    options = Options(**{"encoding": LOSSLESS, "deinterlace": "off", **more})  # type: ignore[arg-type]
    return upscale_video(network, source, target, options, on_progress=on_progress)  # type: ignore[arg-type]


def test_a_held_drawing_is_computed_once(tmp_path: Path, network: Network, module: Counting) -> None:
    source = twos(tmp_path / "in.mkv")
    result = run(network, source, tmp_path / "out.mkv", hold_threshold=4.0)
    assert (result.frames, result.computed, result.held, module.pictures) == (40, 20, 20, 20)
    assert result.hold_threshold == 4.0


def test_holding_equal_drawings_changes_nothing(tmp_path: Path, network: Network, module: Counting) -> None:
    source = twos(tmp_path / "in.mkv")
    run(network, source, tmp_path / "held.mkv")
    result = run(network, source, tmp_path / "computed.mkv", hold=False)
    assert result.computed == 40
    assert result.hold_threshold is None
    assert shown(tmp_path / "held.mkv") == shown(tmp_path / "computed.mkv")


def test_each_frame_is_what_the_network_makes_of_it(tmp_path: Path, network: Network) -> None:
    source = film(tmp_path / "in.mkv", codec="ffv1", pixel_format="yuv444p", frames=5)
    run(network, source, tmp_path / "out.mkv", hold=False)
    with av.open(str(source)) as a, av.open(str(tmp_path / "out.mkv")) as b:
        for before, after in zip(a.decode(video=0), b.decode(video=0), strict=True):
            x = before.to_ndarray(format="rgb24").repeat(2, 0).repeat(2, 1)
            wanted = np.clip(x.astype(float) * 1.05, 0, 255)
            assert np.abs(after.to_ndarray(format="rgb24") - wanted).max() < 4


def test_progress_tells_of_every_frame(tmp_path: Path, network: Network) -> None:
    source = twos(tmp_path / "in.mkv")
    seen: list[Progress] = []
    run(network, source, tmp_path / "out.mkv", on_progress=seen.append)
    assert [p.frames for p in seen] == list(range(1, 41))
    assert seen[-1].frames_expected == 40
    assert seen[-1].seconds_left == 0
    assert seen[-1].held_share == 0.5
    assert seen[19].frames_per_s > 0


@pytest.mark.parametrize(
    ("finish", "size"),
    [
        (Finish(), (128, 96)),
        (Finish(scale=1.5), (96, 72)),
        (Finish(height=75), (100, 76)),
        (Finish(height=9), (12, 10)),
    ],
)
def test_sizes_are_even(tmp_path: Path, network: Network, finish: Finish, size: tuple[int, int]) -> None:
    source = film(tmp_path / "in.mkv", frames=2)
    assert run(network, source, tmp_path / "out.mkv", finish=finish, encoding=films.FAST).size == size


@pytest.mark.parametrize(
    ("stop_at", "error"),
    [(1, ResourceError("in.mkv: memory ran out")), (9, KeyboardInterrupt()), (20, RuntimeError("broken"))],
)
def test_what_stops_the_network_comes_out_and_the_next_run_goes_on(
    tmp_path: Path, network: Network, module: Counting, stop_at: int, error: BaseException
) -> None:
    source = twos(tmp_path / "in.mkv")
    run(network, source, tmp_path / "whole.mkv", encoding=films.FAST)
    module.pictures, module.fail_at, module.error = 0, stop_at, error
    with pytest.raises(type(error)) as raised:
        run(network, source, tmp_path / "out.mkv", encoding=films.FAST)
    assert raised.value is error
    assert not (tmp_path / "out.mkv").exists()
    module.pictures, module.fail_at = 0, None
    result = run(network, source, tmp_path / "out.mkv", encoding=films.FAST)
    assert result.frames == 40
    assert module.pictures == result.computed == (40 - result.resumed) // 2
    assert packets(tmp_path / "out.mkv") == packets(tmp_path / "whole.mkv")
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_resumed_run_keeps_the_tile_size_whatever_memory_is_free(
    tmp_path: Path, network: Network, module: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, sides = 10**9, []
    monkeypatch.setattr(memory, "bytes_per_px", lambda *_: 1000.0)
    monkeypatch.setattr(memory, "free_bytes", lambda *_: free)
    source = twos(tmp_path / "in.mkv")
    module.register_forward_pre_hook(lambda _, args: sides.append(tuple(args[0].shape[2:])))
    module.fail_at = 15
    with pytest.raises(RuntimeError):
        run(network, source, tmp_path / "out.mkv")
    free, module.fail_at = 4 * 1000 * 32**2, None
    assert run(network, source, tmp_path / "out.mkv").resumed > 0
    assert set(sides) == {(48, 64)}
    run(network, source, tmp_path / "anew.mkv")
    assert sides[-1] != (48, 64)


def test_a_resumption_inside_a_hold_computes_its_drawing_again(
    tmp_path: Path, network: Network, module: Counting
) -> None:
    source = film(tmp_path / "in.mkv", codec="ffv1", frames=1, pts=[0])
    with av.open(str(source), "w") as out:  # one drawing for 20 frames
        stream = out.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))

    def stop(progress: Progress) -> None:
        if progress.frames == 18:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(network, source, tmp_path / "out.mkv", on_progress=stop)
    module.pictures = 0
    result = run(network, source, tmp_path / "out.mkv")
    assert result.resumed in (8, 16)  # the writer may be a few frames behind
    assert (result.frames, module.pictures) == (20, 1)
    assert len({data for _, data in shown(tmp_path / "out.mkv")}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("frames", [20, 33])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_process_goes_on_where_it_was(tmp_path: Path, how: signal.Signals, frames: int) -> None:
    twos(tmp_path / "in.mkv", 60)
    program = f"""
import signal, sys, time, torch
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin without it
sys.path.insert(0, {str(Path(__file__).parents[4])!r})
from pathlib import Path
from apisr_model.network import Network
from apisr_model.upscale import upscale_video
from apisr_model.upscale.video import job
from apisr_model.upscale.video.encoders import Encoding
from apisr_model.upscale.video.options import Options
job.SEGMENT_FRAMES = 8
class Slow(torch.nn.Module):
    def forward(self, x):
        time.sleep(float(sys.argv[2]))
        return torch.nn.functional.interpolate(x, scale_factor=2)
def say(progress):
    print(progress.frames, flush=True)
result = upscale_video(Network(Slow(), "slow", 2), Path("in.mkv"), Path(sys.argv[1]),
    Options(encoding=Encoding("h264", options={{"preset": "ultrafast"}}), deinterlace="off"), on_progress=say)
print("resumed", result.resumed)
"""
    command = [sys.executable, "-c", program]
    started = subprocess.Popen(
        [*command, "out.mkv", "0.1"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert started.stdout is not None
    while int(started.stdout.readline()) < frames:
        pass
    os.kill(started.pid, how)
    with started:
        assert started.wait(20) != 0
    told = {
        name: subprocess.run([*command, name, "0"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
        for name in ("out.mkv", "whole.mkv")
    }
    resumed = {name: int(lines.rpartition("resumed ")[2]) for name, lines in told.items()}
    assert resumed["whole.mkv"] == 0
    assert 0 < resumed["out.mkv"] < 60
    assert resumed["out.mkv"] % 8 == 0
    assert packets(tmp_path / "out.mkv") == packets(tmp_path / "whole.mkv")
    assert not [p for p in tmp_path.iterdir() if "apisr-part" in p.name]


def test_an_interruption_stops_at_once(tmp_path: Path, network: Network, module: Counting) -> None:
    source = twos(tmp_path / "in.mkv", 400)

    def stop(progress: Progress) -> None:
        if progress.frames == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(network, source, tmp_path / "out.mkv", on_progress=stop)
    assert module.pictures < 8


def test_an_error_of_the_encoder_stops_the_others(
    tmp_path: Path, network: Network, module: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, error = twos(tmp_path / "in.mkv", 400), OSError(28, "No space left on device")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(job.Target, "write", fail)
    with pytest.raises(OSError, match="No space") as raised:
        run(network, source, tmp_path / "out.mkv", hold=False)
    assert raised.value is error
    assert module.pictures < 8


def test_other_weights_do_not_go_on_with_a_run(tmp_path: Path, network: Network, module: Counting) -> None:
    source = twos(tmp_path / "in.mkv")
    module.fail_at = 15
    with pytest.raises(RuntimeError):
        run(network, source, tmp_path / "out.mkv")
    module.fail_at = None
    with torch.no_grad():
        module.gain.fill_(0.9)
    with pytest.raises(UsageError, match="unfinished run"):
        run(network, source, tmp_path / "out.mkv")
    assert run(network, source, tmp_path / "out.mkv", fresh=True).resumed == 0


def test_other_weights_in_a_file_of_the_same_name_do_not_go_on_with_a_run(tmp_path: Path, module: Counting) -> None:
    """As with ONNX, whose numbers only the file tells."""
    source, weights = twos(tmp_path / "in.mkv"), tmp_path / "net.onnx"
    weights.write_bytes(b"one")
    network = Network(lambda x: module(x), "foreign", 2, overlap_px=0, origin=str(weights))
    module.fail_at = 15
    with pytest.raises(RuntimeError):
        run(network, source, tmp_path / "out.mkv")
    module.fail_at = None
    weights.write_bytes(b"two")
    with pytest.raises(UsageError, match="unfinished run"):
        run(network, source, tmp_path / "out.mkv")


def test_variable_frame_rate_keeps_every_time_stamp(tmp_path: Path, network: Network) -> None:
    stamps = [0, 40, 83, 84, 200, 1000, 1041, 3000]
    source = film(tmp_path / "in.mkv", pts=stamps, time_base=Fraction(1, 1000))
    run(network, source, tmp_path / "out.mkv", encoding=films.FAST)
    assert times(tmp_path / "out.mkv") == times(source) == [Fraction(s, 1000) for s in stamps]


def test_ten_bits_of_hevc_stay_ten_bits(tmp_path: Path, network: Network) -> None:
    source = film(tmp_path / "in.mkv", codec="libx265", pixel_format="yuv420p10le", frames=3)
    encoding = Encoding("hevc", options={"preset": "ultrafast", "x265-params": "log-level=none"})
    run(network, source, tmp_path / "out.mkv", encoding=encoding)
    with av.open(str(tmp_path / "out.mkv")) as out:
        assert out.streams.video[0].pix_fmt == "yuv420p10le"
        assert sum(1 for _ in out.decode(video=0)) == 3


def test_odd_sides_are_not_resampled(tmp_path: Path) -> None:
    """A pattern of single pixels at its own size: what chroma shares gets a px more, what is 4:4:4 does not."""
    path, rows = tmp_path / "in.mkv", np.indices((49, 65)).sum(0) % 2 * 200
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 65, 49, "gray"
        frame = av.VideoFrame.from_ndarray(rows.astype(np.uint8), "gray")
        frame.pts, frame.time_base = 0, Fraction(1, 24)
        out.mux([*stream.encode(frame), *stream.encode(None)])
    same = Network(nn.Identity(), "same", 1, overlap_px=0)
    pictures = {}
    for pixel_format in ("yuv420p", "yuv444p"):
        encoding = Encoding("ffv1", options={"pix_fmt": pixel_format})
        run(same, path, tmp_path / f"{pixel_format}.mkv", encoding=encoding)
        with av.open(str(tmp_path / f"{pixel_format}.mkv")) as container:
            pictures[pixel_format] = next(container.decode(video=0)).to_ndarray(format="gray").astype(int)
    assert pictures["yuv444p"].shape == (49, 65)
    assert np.ptp(pictures["yuv444p"][rows == 0]) == np.ptp(pictures["yuv444p"][rows == 200]) == 0
    np.testing.assert_array_equal(pictures["yuv420p"], np.pad(pictures["yuv444p"], ((0, 1), (0, 1)), "edge"))


@pytest.mark.parametrize("size", [(65, 49), (33, 48), (64, 1), (1, 1)])
def test_odd_sides_are_upscaled(tmp_path: Path, network: Network, size: tuple[int, int]) -> None:
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv444p"
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((*size[::-1], 3), 60 * number, np.uint8), "rgb24")
            frame = frame.reformat(format="yuv444p")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    result = run(network, path, tmp_path / "out.mkv")
    assert result.size == (2 * size[0], 2 * size[1])
    assert len(shown(tmp_path / "out.mkv")) == 3


def test_a_turned_film_comes_out_upright(tmp_path: Path, network: Network) -> None:
    straight, turned = film(tmp_path / "straight.mp4", frames=3), tmp_path / "turned.mp4"
    with av.open(str(straight)) as a, av.open(str(turned), "w") as b:
        stream = b.add_stream_from_template(a.streams.video[0])
        stream.set_display_rotation(-90)  # a quarter turn clockwise, as libav counts
        for packet in a.demux(video=0):
            if packet.size:
                packet.stream = stream
                b.mux(packet)
    assert run(network, turned, tmp_path / "out.mkv").size == (96, 128)
    run(network, straight, tmp_path / "plain.mkv")
    with av.open(str(tmp_path / "out.mkv")) as a, av.open(str(tmp_path / "plain.mkv")) as b:
        for upright, lying in zip(a.decode(video=0), b.decode(video=0), strict=True):
            assert upright.rotation == 0
            wanted = np.rot90(lying.to_ndarray(format="rgb24"), -1).astype(int)
            assert np.abs(upright.to_ndarray(format="rgb24") - wanted).mean() < 2


def test_sounds_subtitles_font_and_cover_go_along(tmp_path: Path, network: Network) -> None:
    source = film(
        tmp_path / "in.mkv", sounds=STREAM_OF_SIX, script=True, font=True, cover=True, chapters=True, frames=20
    )
    run(network, source, tmp_path / "out.mkv", encoding=films.FAST)
    assert packets(tmp_path / "out.mkv", "audio", "subtitle") == packets(source, "audio", "subtitle")
    with av.open(str(source)) as a, av.open(str(tmp_path / "out.mkv")) as b:
        assert [s.type for s in b.streams] == [s.type for s in a.streams]
        assert len(b.chapters()) == len(a.chapters()) == 2
        assert (b.streams.video[0].width, b.streams.video[0].height) == (128, 96)


def test_a_silent_film_stays_silent(tmp_path: Path, network: Network) -> None:
    source = film(tmp_path / "in.mp4", frames=3)
    run(network, source, tmp_path / "out.mp4", encoding=films.FAST)
    with av.open(str(tmp_path / "out.mp4")) as out:
        assert [s.type for s in out.streams] == ["video"]


def test_a_stream_that_does_not_fit_stops_before_any_work(tmp_path: Path, network: Network, module: Counting) -> None:
    source = film(tmp_path / "in.mkv", script=True, sounds=STREAM_OF_SIX)
    with pytest.raises(ContainerError, match="ass"):
        run(network, source, tmp_path / "out.mp4", encoding=films.FAST)
    assert module.pictures == 0
    assert not (tmp_path / "out.mp4").exists()


def test_a_truncated_file_gives_what_is_there_and_says_so(tmp_path: Path, network: Network) -> None:
    whole = film(tmp_path / "whole.mkv", frames=120)
    path = tmp_path / "in.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    result = run(network, path, tmp_path / "out.mkv", encoding=films.FAST)
    assert 10 < result.frames < 110
    assert any("cut short" in note for note in result.lost)
    assert times(tmp_path / "out.mkv") == times(whole)[: result.frames]


def test_a_part_of_a_film_starts_at_its_first_frame(tmp_path: Path, network: Network) -> None:
    source = film(tmp_path / "in.mkv", frames=48)
    result = run(network, source, tmp_path / "out.mkv", encoding=films.FAST, start_s=0.5, duration_s=0.5)
    assert result.frames == 12
    assert times(tmp_path / "out.mkv")[0] == 0


@pytest.mark.parametrize("name", ["Folge ä 第1話.mkv", "-x.mkv", "a b%03d.mkv", "c:d.mkv"])
def test_any_name_will_do(tmp_path: Path, network: Network, name: str) -> None:
    source = film(tmp_path / name, frames=2)
    assert run(network, source, tmp_path / f"out {name}", encoding=films.FAST).frames == 2


def test_frames_before_the_first_picture_wait_in_small_number() -> None:
    read, worked = [], []

    def numbers() -> Iterator[int]:
        for number in range(50):
            read.append(number)
            yield number

    def work(number: int) -> int:
        worked.append(number)
        assert len(read) - len(worked) <= 4
        return number

    written: list[int] = []
    overlap(numbers(), work, written.append)
    assert written == list(range(50))


@pytest.mark.parametrize("where", ["read", "work", "write"])
def test_an_error_anywhere_comes_out_unchanged(where: str) -> None:
    error = ValueError(where)

    def failing(name: str) -> Callable[[int], int]:
        def step(number: int) -> int:
            if name == where and number == 3:
                raise error
            return number

        return step

    with pytest.raises(ValueError, match=where) as raised:
        overlap(map(failing("read"), range(100)), failing("work"), lambda n: [failing("write")(n)].clear())
    assert raised.value is error


def test_an_interruption_after_the_last_picture_waits_for_the_writer_and_no_more_is_written() -> None:
    written: list[int] = []

    def write(number: int) -> None:
        if number == 2:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.3)
        written.append(number)

    with pytest.raises(KeyboardInterrupt):
        overlap(range(5), lambda number: number, write)
    assert written == [0, 1, 2]


def test_the_public_name_is_the_job() -> None:
    assert upscale_video is job.upscale_video
    assert isinstance(job, ModuleType)
