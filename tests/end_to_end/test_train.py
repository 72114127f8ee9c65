"""From two titles' videos to a network that beats a plain resize on the one that it never saw."""

import os
import subprocess
import sys
from pathlib import Path

import av
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from apisr_data import images
from apisr_model import checkpoint
from tests.drawn.title import TITLE, make_title


def call(package: str, *arguments: object) -> str:
    command = [sys.executable, "-c", f"from {package}.cli import main; main()", *map(str, arguments)]
    # Beside other work, threads that wait for each other take several times as long as one alone.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.slow
def test_a_network_trained_on_one_title_beats_bicubic_on_another(sample: Path, tmp_path: Path) -> None:
    drawn = make_title(tmp_path / f"{TITLE} - 01.mkv")
    out, run, figures = tmp_path / "set", tmp_path / "run", tmp_path / "figures"
    titles = ("--titles", sample.with_name("titles.csv"))
    options = ("--recipe", "curate_quick", "--set", f'export.hold_out=["{TITLE}"]', "--export", out)
    call("apisr_data", "run", sample, drawn, "-d", tmp_path / "dataset", *titles, *options)
    manifest = pq.read_table(out / "manifest.parquet")
    held_out = manifest.filter(pc.equal(manifest["split"], "val"))
    assert set(held_out["title"].to_pylist()) == {TITLE}
    assert TITLE not in manifest.filter(pc.equal(manifest["split"], "train"))["title"].to_pylist()

    options = ("--recipe", "train_quick", "-o", run, "--device", "cpu")
    call("apisr_model", "train", out / "manifest.parquet", *options)
    network = run / "network.safetensors"
    assert checkpoint.read(network)[1]["step"] == "2000"

    options = ("--recipe", "train_quick", "--metrics", "psnr", "-o", figures, "--device", "cpu")
    call("apisr_model", "evaluate", out / "manifest.parquet", "-w", network, *options)
    scores = pq.read_table(figures / "scores.parquet")
    psnr = {(row["image"], row["system"]): row["psnr"] for row in scores.to_pylist()}
    gains = [psnr[image, "network"] - psnr[image, "bicubic"] for image in held_out["image"].to_pylist()]
    assert len(gains) == 7
    assert sum(gains) / 7 > 1.0  # dB
    assert sum(gain > 0 for gain in gains) >= 6

    options = ("--weights", network, "--device", "cpu")
    low_res = next((figures / "low_res").rglob("*.png"))
    call("apisr_model", "upscale", low_res, "-o", tmp_path / "out.png", *options)
    assert images.read(tmp_path / "out.png").shape == (720, 1280, 3)
    part = ("--start", 0.5, "--duration", 0.5)
    call("apisr_model", "upscale", drawn, "-o", tmp_path / "out.mkv", *part, *options)
    with av.open(str(tmp_path / "out.mkv")) as video:
        frames = [frame.width for frame in video.decode(video=0)]
    assert frames == [2560] * 12
