"""The command in its own process; few, since each start takes seconds."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from apisr_model import architectures, checkpoint
from tests.filled import fill


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    config = {"features": 8, "convolutions": 2, "scale": 2}
    module = fill(architectures.build("compact", **config))
    checkpoint.save(path, module, "compact", architectures.get("compact").config(**config))
    return path


def upscale(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from apisr_model.cli import main; main()", "upscale", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"})


def test_a_folder_is_done_but_for_what_cannot_be_and_resumed(tmp_path: Path, weights: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 12, 4), np.uint8)).save(folder / "a.png")
    (folder / "broken.png").write_bytes(b"no picture")
    done = upscale(folder, "-o", tmp_path / "out", "-w", weights, "--device", "cpu", "--scale", 3, "--format", "tiff")
    assert done.returncode == 1, done.stderr
    assert f"failed: {folder / 'broken.png'}: not a picture" in done.stderr
    assert f"{tmp_path / 'out' / 'a.tiff'}: 12x9 -> 36x27" in done.stdout
    with Image.open(tmp_path / "out" / "a.tiff") as result:
        assert (result.size, result.mode) == ((36, 27), "RGBA")
    (folder / "broken.png").unlink()
    again = upscale(folder, "-o", tmp_path / "out", "-w", weights, "--format", "tiff", "--resume")
    assert again.returncode == 0
    assert "1 there already" in again.stderr


def test_wrong_usage_is_told_before_any_work(tmp_path: Path, weights: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    refused = upscale(tmp_path / "a.png", "-w", weights, "--quality", 90)
    assert refused.returncode == 2
    assert "quality 90 for PNG" in refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png"]


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    heavy = "torch", "cv2", "av", "pandas", "numpy", "PIL"
    code = f"import sys, apisr_model.cli; print([name for name in {heavy!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
