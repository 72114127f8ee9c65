import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from threading import Event

import pytest
import torch
from typer.testing import CliRunner

from apisr_data.errors import ConfigError, UsageError
from apisr_model import architectures, checkpoint
from apisr_model.cli import app
from apisr_model.train import state
from tests.model.manifests import four_pictures

TINY = [
    *("--set", "network.config={features = 8, convolutions = 1}", "--set", "data.crop_px=16"),
    *("--set", "validation.crop_px=32", "--set", "train.batch=2", "--device", "cpu"),
]


def train(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, ["train", *map(str, arguments)], catch_exceptions=False, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.output


def test_it_says_what_it_does_what_it_wrote_and_what_to_try_next(tmp_path: Path) -> None:
    run = tmp_path / "my run"
    told = train(four_pictures(tmp_path), "-o", run, *TINY, "--set", "train.iterations=3")
    assert "no --recipe: train_quick" in told
    assert "compact 2x on cpu: 3 pictures to train, 1 to validate; 2 crops of 16 px a step" in told
    assert "dB on 1 held-out picture" in told
    assert "over bicubic" in told
    assert f"next: apisr-model upscale PICTURE --weights '{run / 'network.safetensors'}'" in told
    assert checkpoint.load(run / "network.safetensors").scale == 2


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    manifest = four_pictures(tmp_path)
    train(manifest, "-o", tmp_path / "run", *TINY, "--set", "train.iterations=1")
    with pytest.raises(UsageError, match="holds a run already: go on with --resume"):
        train(manifest, "-o", tmp_path / "run", *TINY)


def test_resume_goes_on_with_the_settings_that_the_run_began_with(tmp_path: Path) -> None:
    manifest = four_pictures(tmp_path)
    train(manifest, "-o", tmp_path / "run", *TINY, "--set", "train.iterations=2")
    assert "done already" in train(manifest, "-o", tmp_path / "run", "--resume")
    told = train(manifest, "-o", tmp_path / "run", "--resume", "--set", "train.iterations=5")
    assert "step 5, 3 steps" in told


def test_rows_are_picked_by_sql(tmp_path: Path) -> None:
    told = train(
        four_pictures(tmp_path), "-o", tmp_path / "run", *TINY, "--set", "train.iterations=1", "--where", "time_s < 2"
    )
    assert "2 pictures to train, 0 to validate" in told


def test_weights_to_start_from_that_do_not_fit_are_named(tmp_path: Path) -> None:
    manifest = four_pictures(tmp_path)
    train(manifest, "-o", tmp_path / "one", *TINY, "--set", "train.iterations=1")
    wide = ["--set", "network.config={features = 12, convolutions = 1}", "--set", "train.iterations=1"]
    start = ["--init", str(tmp_path / "one" / "network.safetensors")]
    told = CliRunner().invoke(app, ["train", str(manifest), "-o", str(tmp_path / "two"), *TINY, *wide, *start]).stderr
    assert "left out of what the run starts from, 7 entries: body.0.bias, body.0.weight" in told


def test_a_colour_that_drifts_is_warned_of(tmp_path: Path) -> None:
    untrained = [
        *TINY,
        "--set",
        "train.iterations=1",
        "--set",
        "network.config={features = 8, convolutions = 1, base = 'nearest'}",
    ]
    told = CliRunner().invoke(app, ["train", str(four_pictures(tmp_path)), "-o", str(tmp_path / "run"), *untrained])
    assert "warning: step 1: the mean colour of the output strays by" in told.stderr


def test_weights_that_learned_from_another_channel_order_are_refused_until_it_is_named(tmp_path: Path) -> None:
    manifest, zoos = four_pictures(tmp_path), tmp_path / "4x_APISR_RRDB_GAN_generator.pth"
    torch.save(architectures.build("compact", scale=2, features=8, convolutions=1).state_dict(), zoos)
    command: list[str | Path] = [manifest, "-o", tmp_path / "run", *TINY, "--set", "train.iterations=1", "--init", zoos]
    with pytest.raises(UsageError, match=r"learned from BGR, .* feeds RGB: add --set network\.channel_order=bgr"):
        train(*command)
    train(*command, "--set", "network.channel_order=bgr")
    assert checkpoint.load(tmp_path / "run" / "network.safetensors").trained_order == "bgr"


def test_a_stop_before_the_first_step_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = Event()
    stopped.set()
    monkeypatch.setattr(sys.modules["apisr_model.cli.train"], "_interruption", lambda: nullcontext(stopped))
    result = CliRunner().invoke(app, ["train", str(four_pictures(tmp_path)), "-o", str(tmp_path / "run"), *TINY])
    assert result.exit_code != 0
    assert "stopped before the first step: nothing was written" in result.stdout
    assert "wrote" not in result.stdout


def test_an_unknown_recipe_lists_those_for_training(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no recipe 'curate_api': .* train_quick"):
        train(four_pictures(tmp_path), "--recipe", "curate_api", "-o", tmp_path / "run")


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_an_interruption_saves_and_exits_with_130(tmp_path: Path) -> None:
    manifest, run = four_pictures(tmp_path), tmp_path / "run"
    command = [
        sys.executable,
        "-c",
        "from apisr_model.cli import main; main()",
        "train",
        str(manifest),
        "-o",
        str(run),
        *TINY,
    ]
    settings = ["--set", "train.iterations=1000000", "--set", "train.minutes=30", "--set", "train.checkpoint_every=5"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, *settings], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            for _ in range(600):
                if (run / state.FILE).exists() or process.poll() is not None:
                    break
                time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, told
    assert "interrupted; what was done is kept" in told
    saved = state.read(run / state.FILE)["step"]
    assert saved >= 5
    assert checkpoint.read(run / "network.safetensors")[1]["step"] == str(saved)
