"""`apisr-model convert`."""

from pathlib import Path

import torch
from typer.testing import CliRunner

from apisr_model import architectures
from apisr_model.cli import app

RUN = CliRunner()


def test_it_tells_the_difference_and_what_it_wrote(tmp_path: Path) -> None:
    torch.save(architectures.build("compact", features=8, convolutions=1).state_dict(), tmp_path / "x.pth")
    out = tmp_path / "x y.safetensors"
    result = RUN.invoke(app, ["convert", str(tmp_path / "x.pth"), str(out)])
    assert result.exit_code == 0
    assert "largest difference from the original's output: 0 of 1" in result.stdout
    assert f"wrote {out}: compact, 4x" in result.stdout
    assert f"next: apisr-model upscale PICTURE --weights '{out}'" in result.stdout
