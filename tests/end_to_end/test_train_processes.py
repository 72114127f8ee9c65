"""Several processes train what one would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from apisr_model.train import state
from tests.model.manifests import four_pictures


def call(run: Path, manifest: Path, *, processes: int, iterations: int) -> None:
    launch = ["-m", "torch.distributed.run", "--nproc_per_node", str(processes)] if processes > 1 else []
    settings = ["network.config={features=8,convolutions=1}", "data.crop_px=96", "validation.crop_px=32"]
    settings += ["train.batch=4", "train.accumulate=2", "train.schedule=constant", "losses.adversarial=0.2"]
    settings += [f"train.iterations={iterations}", "train.learning_rate=1e-3"]
    code = [sys.executable, *launch, str(Path(__file__).with_name("command.py")), "train", str(manifest)]
    options = ["-o", str(run), "--resume", "--recipe", "train_quick", "--device", "cpu"]
    options += [word for setting in settings for word in ("--set", setting)]
    result = subprocess.run(
        [*code, *options],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("wrote ") == 1  # one of them talks


@pytest.mark.slow
def test_two_processes_train_what_one_does_and_one_goes_on_from_them(tmp_path: Path) -> None:
    manifest = four_pictures(tmp_path)
    call(tmp_path / "one", manifest, processes=1, iterations=2)
    call(tmp_path / "two", manifest, processes=2, iterations=1)
    call(tmp_path / "two", manifest, processes=1, iterations=2)
    one, two = (state.read(tmp_path / name / state.FILE) for name in ("one", "two"))
    assert one["step"] == two["step"] == 2
    for part in ("generator", "ema", "discriminator"):
        for key, tensor in one[part].items():
            torch.testing.assert_close(two[part][key], tensor, atol=1e-3, rtol=1e-3)
