"""The command on a folder of videos, as it goes: stopped, gone on with, run again, and on a part."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import filelock
import pytest

from apisr_model import architectures, checkpoint
from tests.data import clips
from tests.filled import fill

FRAMES = 400  # four segments and a rest


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    config = {"features": 4, "convolutions": 1, "scale": 2}
    module = fill(architectures.build("compact", **config))
    checkpoint.save(path, module, "compact", architectures.get("compact").config(**config))
    return path


def _command(*arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", "from apisr_model.cli import main; main()", "upscale", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"}
    )


def _run(*arguments: object) -> tuple[int, str, str]:
    with _command(*arguments) as started:
        told, errors = started.communicate(timeout=120)
    return started.returncode, told, errors


def _frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.slow
def test_a_season_is_stopped_gone_on_with_and_then_left_alone(tmp_path: Path, weights: Path) -> None:
    season, out = tmp_path / "season", tmp_path / "new" / "out"
    season.mkdir()
    clips.make(season / "e1.mkv", "mpeg4", size=(64, 48), frames=FRAMES)
    clips.make(season / "e2.mkv", "mpeg4", size=(64, 48), frames=24)
    job = (season, "-o", out, "-w", weights, "--device", "cpu", "--no-hold")

    with _command(*job) as started:
        until = time.monotonic() + 90
        second_segment = out / ".e1.mkv.apisr-part" / "000001.segment"  # begun once the first is whole
        while not second_segment.exists() and started.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        started.send_signal(signal.SIGINT)
        errors = started.communicate(timeout=60)[1]
    assert started.returncode == 130, errors
    assert errors.endswith("interrupted; what was done is kept; with --resume the same command goes on from there\n")
    assert not (out / "e1.mkv").exists()

    status, told, errors = _run(*job, "--resume")
    assert status == 0, errors
    assert f"{out / 'e1.mkv'}: {FRAMES} frames of 128x96: " in told
    assert "there already" in told  # the segments of the run before
    assert (_frames(out / "e1.mkv"), _frames(out / "e2.mkv")) == (FRAMES, 24)

    finished = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert sorted(path.name for path in finished) == ["e1.mkv", "e2.mkv"]
    status, told, errors = _run(*job)
    assert (status, told) == (0, "")
    assert f"{out / 'e2.mkv'}: there already" in errors
    assert "--force" in errors
    assert "2 there already" in errors

    status, told, errors = _run(*job, "--start", 0.5, "--duration", 0.25)
    assert status == 0, errors
    assert _frames(out / "e1.0.5-0.75s.mkv") == _frames(out / "e2.0.5-0.75s.mkv") == 6
    assert {path: path.stat().st_mtime_ns for path in finished} == finished


def test_one_video_that_cannot_be_begun_leaves_the_others_alone(tmp_path: Path, weights: Path) -> None:
    for number in (1, 2, 3):
        clips.make(tmp_path / f"e{number}.mkv", "mpeg4", size=(64, 48), frames=6)
    (part := tmp_path / ".e2.apisr.mkv.apisr-part").mkdir()
    with filelock.FileLock(part / ".lock"):  # as another process would
        status, _, errors = _run(tmp_path, "-w", weights, "--device", "cpu")
        assert status == 1, errors
        assert f"failed: {tmp_path / 'e2.apisr.mkv'}: another run is writing this video" in errors
        assert [path.name for path in sorted(tmp_path.glob("e*.apisr.mkv"))] == ["e1.apisr.mkv", "e3.apisr.mkv"]
        alone = _run(tmp_path / "e2.mkv", "-w", weights, "--device", "cpu")
        assert (alone[0], "another run" in alone[2]) == (2, True)


def test_a_damaged_video_is_upscaled_as_far_as_it_goes_and_gives_status_1(tmp_path: Path, weights: Path) -> None:
    whole = clips.make(tmp_path / "whole.mkv", "mpeg4", size=(64, 48), frames=120)
    (cut := tmp_path / "cut.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 3])
    whole.unlink()
    status, told, errors = _run(cut, "-w", weights, "--device", "cpu")
    assert status == 1
    assert f"damaged: {cut}: cut short: it ends at " in errors
    assert "1 written, 1 of a damaged input" in errors
    assert f"{tmp_path / 'cut.apisr.mkv'}: " in told
