from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from apisr_data.errors import UsageError
from apisr_model.errors import ContainerError, DeviceError
from apisr_model.network import Network
from apisr_model.upscale.upscaler import Finish, Upscaler
from apisr_model.upscale.video import forecast as module
from apisr_model.upscale.video import job as jobs
from apisr_model.upscale.video.encoders import Encoding
from apisr_model.upscale.video.forecast import Forecast, compute_seconds, faster_weights, forecast, shown
from apisr_model.upscale.video.job import Progress, VideoJob, upscale_video
from apisr_model.upscale.video.options import Options
from tests.model.upscale.video import films
from tests.model.upscale.video.films import film

EXPECTED = Forecast(
    source=Path("a.mkv"),
    network="net",
    device="cpu",
    architecture="grl",
    source_size=(64, 48),
    size=(128, 96),
    frames=1000,
    frames_done=0,
    held_share=0.5,
    hold_threshold=4.0,
    compute_s=2.0,
    decode_s=0.25,
    encode_s=0.5,
    treatment="progressive",
)


class Clocked(nn.Module):
    """Twice the size; moves a clock on by a microsecond for each pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.shapes: list[tuple[int, int]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.now += 1e-6 * x.shape[2] * x.shape[3]
        self.shapes.append((x.shape[2], x.shape[3]))
        return nn.functional.interpolate(x, scale_factor=2)


@pytest.fixture
def clocked(monkeypatch: pytest.MonkeyPatch) -> Clocked:
    made = Clocked()
    monkeypatch.setattr(module.time, "monotonic", lambda: made.now)
    return made


def test_on_a_cpu_the_times_add_up_and_held_frames_cost_no_network() -> None:
    assert EXPECTED.frame_s == 2.0 * 0.5 + 0.25 + 0.5
    assert EXPECTED.seconds == 1750


def test_beside_a_gpu_the_slowest_counts() -> None:
    assert replace(EXPECTED, device="cuda").seconds == 1000
    assert replace(EXPECTED, device="cuda", encode_s=3.0).seconds == 3000


def test_above_an_hour_faster_weights_and_a_preview_are_suggested() -> None:
    assert not any("sooner" in line for line in EXPECTED.lines())
    told = replace(EXPECTED, frames=3000).lines()[-1]
    assert "--preview" in told
    assert "realesr-animevideov3" in told


def test_faster_weights_are_told_the_fastest_first() -> None:
    assert faster_weights("compact") == []
    assert faster_weights("grl") == ["realesr-animevideov3"]
    assert faster_weights("rrdb")[0] == "realesr-animevideov3"
    assert "apisr-rrdb-x2" in faster_weights("DAT")


def test_an_unknown_number_of_frames_gives_a_rate() -> None:
    lines = replace(EXPECTED, frames=None).lines()
    assert lines[-1] == "expected: 0.57 frames a second"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.004, "4 ms"), (5, "5.0 s"), (70, "70 s"), (600, "10 min"), (7300, "2 h 2 min"), (300_000, "3 d 11 h")],
)
def test_durations_are_told_as_people_say_them(seconds: float, text: str) -> None:
    assert shown(seconds) == text


def test_a_network_is_timed_on_whole_frames_where_it_can_be(clocked: Clocked) -> None:
    network = Network(clocked, "nearest", 2, overlap_px=0)
    pictures = [torch.zeros(200, 300, 3, dtype=torch.uint8).numpy()] * 3
    seconds = compute_seconds(Upscaler(network, tile=512), pictures)
    assert seconds == pytest.approx(200 * 300 * 1e-6, rel=0.01)


def test_a_slow_network_is_timed_on_pieces(clocked: Clocked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BUDGET_S", 0.1)
    network = Network(clocked, "nearest", 2, overlap_px=0)
    pictures = [torch.zeros(400, 600, 3, dtype=torch.uint8).numpy()] * 3
    seconds = compute_seconds(Upscaler(network, tile=512), pictures)
    assert seconds == pytest.approx(400 * 600 * 1e-6, rel=0.01)
    assert (400, 600) not in clocked.shapes


def test_a_forecast_tells_of_size_frames_and_holds(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mkv", frames=24)
    network = Network(nn.Upsample(scale_factor=2), "nearest", 2, overlap_px=0)
    options = Options(finish=Finish(height=75), encoding=films.FAST, deinterlace="off")
    with VideoJob(network, source, tmp_path / "out.mkv", options) as job:
        made = forecast(job)
    assert (made.source_size, made.size, made.frames) == ((64, 48), (100, 76), 24)
    assert made.held_share == 0  # every frame of this film moves
    assert made.hold_threshold == 4.0
    assert min(made.compute_s, made.decode_s, made.encode_s) > 0
    assert not list(tmp_path.glob(".*"))


def test_without_holds_none_are_expected(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mkv", frames=4)
    network = Network(nn.Upsample(scale_factor=2), "nearest", 2, overlap_px=0)
    options = Options(encoding=films.FAST, hold=False, deinterlace="off")
    with VideoJob(network, source, tmp_path / "out.mkv", options) as job:
        made = forecast(job)
    assert made.hold_threshold is None
    assert "--no-hold" in "\n".join(made.lines())


def interrupted(network: Network, source: Path, target: Path, options: Options, frames: int) -> None:
    def stop(progress: Progress) -> None:
        if progress.frames == frames:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upscale_video(network, source, target, options, on_progress=stop)


def test_frames_of_an_interrupted_run_are_not_expected_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "SEGMENT_FRAMES", 8)
    network = Network(nn.Upsample(scale_factor=2), "nearest", 2, overlap_px=0)
    source, target = film(tmp_path / "in.mkv", frames=40), tmp_path / "out.mkv"
    options = Options(encoding=films.FAST, deinterlace="off")
    interrupted(network, source, target, options, 25)
    with VideoJob(network, source, target, options) as job:
        made = forecast(job)
    assert (made.frames, made.frames_done) in ((40, 16), (40, 24))  # the writer may be a few frames behind
    assert made.seconds == pytest.approx((40 - made.frames_done) * made.frame_s)
    assert f"about 40 frames, {made.frames_done} of them there already" in made.lines()[0]


@pytest.mark.parametrize(
    ("options", "suffix", "error"),
    [
        (Options(deinterlace="off"), "mp4", ContainerError),
        (Options(deinterlace="off", encoding=Encoding("nosuch")), "mkv", DeviceError),
        (Options(deinterlace="off", encoding=films.FAST, hold_threshold=5), "mkv", UsageError),
    ],
    ids=["a stream that does not fit", "an encoder that is not here", "frames of another job"],
)
def test_what_will_not_work_is_refused_before_anything_is_timed(
    tmp_path: Path,
    clocked: Clocked,
    monkeypatch: pytest.MonkeyPatch,
    options: Options,
    suffix: str,
    error: type[Exception],
) -> None:
    monkeypatch.setattr(jobs, "SEGMENT_FRAMES", 1)
    source = film(tmp_path / "in.mkv", frames=12, script=True)
    network = Network(clocked, "nearest", 2, overlap_px=0)
    interrupted(network, source, tmp_path / "out.mkv", Options(encoding=films.FAST, deinterlace="off"), 11)
    clocked.shapes.clear()
    with pytest.raises(error):
        VideoJob(network, source, tmp_path / f"out.{suffix}", options)
    assert clocked.shapes == []
