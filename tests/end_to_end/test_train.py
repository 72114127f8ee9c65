"""From the sample clip to a network that beats a plain resize, as the demo does it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from apisr_model import checkpoint


def call(package: str, *arguments: object) -> str:
    command = [sys.executable, "-c", f"from {package}.cli import main; main()", *map(str, arguments)]
    # Beside other work, threads that wait for each other take several times as long as one alone.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.slow
def test_train_quick_beats_bicubic_on_a_scene_that_it_was_not_trained_on(sample: Path, tmp_path: Path) -> None:
    options = ("--recipe", "curate_quick", "--set", "export.seed=6", "--export", tmp_path / "set")
    call("apisr_data", "run", sample, "-d", tmp_path / "dataset", *options)
    run = tmp_path / "run"
    manifest = tmp_path / "set" / "manifest.parquet"
    told = call("apisr_model", "train", manifest, "--recipe", "train_quick", "-o", run, "--device", "cpu")
    gain = float(told.rpartition("dB on 1 held-out picture (+")[2].partition(" over bicubic)")[0])
    assert gain > 1.0  # dB; 1.4 were measured
    [picture] = (tmp_path / "set" / "val").iterdir()
    call("apisr_model", "upscale", picture, "-o", tmp_path / "out.png", "--weights", run / "network.safetensors")
    assert checkpoint.read(run / "network.safetensors")[1]["step"] == "2000"
    assert (tmp_path / "out.png").exists()
