"""`apisr-model evaluate`."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from apisr_data.errors import ConfigError, UsageError
from apisr_data.images import read
from apisr_model import architectures, checkpoint
from apisr_model.cli import app
from apisr_model.degrade import Degradation
from apisr_model.errors import MissingExtraError
from apisr_model.metrics import METRICS, naturalness
from tests.data.clips import make
from tests.model.manifests import picture, write_manifest

OURS = "psnr,ssim,line_f1,consistency"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    pictures = {f"images/{name}.png": picture(number, (96, 80)) for number, name in enumerate("abcv")}
    return write_manifest(tmp_path / "set", pictures, val=("images/c.png", "images/v.png"))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    config = architectures.configure("compact", features=8, convolutions=1, scale=2)
    path = tmp_path / "my net.safetensors"
    checkpoint.save(path, architectures.get("compact").build(config), "compact", config, channel_order="rgb")
    return path


def evaluate(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)], catch_exceptions=False, standalone_mode=False)
    if result.exception:
        raise result.exception
    return result.return_value or 0, result.output


def test_it_says_what_the_figures_are_of_and_writes_them(manifest: Path, weights: Path, tmp_path: Path) -> None:
    status, told = evaluate(manifest, "-w", weights, "--metrics", OURS, "-o", tmp_path / "out", "--device", "cpu")
    assert status == 0
    assert "my net: compact 2x" in told
    assert "fed RGB, float32 on cpu" in told
    assert all(f"{name}: {METRICS[name].about}" in told for name in OURS.split(","))
    assert "2 pictures: images/c.png, images/v.png" in told
    assert "psnr ↑" in told
    assert f"next: apisr-model upscale PICTURE --weights '{weights}'" in told
    table = pq.read_table(tmp_path / "out" / "scores.parquet")
    assert table["system"].to_pylist() == ["bicubic", "my net"] * 2
    assert read(tmp_path / "out" / "low_res" / "images" / "v.png").shape == (40, 48, 3)
    assert "images/v.png" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_held_out_rows_alone_can_be_evaluated(manifest: Path) -> None:
    status, told = evaluate(manifest, "--scale", "2", "--metrics", "psnr", "--where", "split = 'val'")
    assert status == 0
    assert "2 pictures" in told


def test_a_reference_for_niqe_wants_niqe_and_training_pictures(manifest: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--niqe-reference is for niqe, which --metrics psnr,ssim leaves out"):
        evaluate(manifest, "--scale", "2", "--metrics", "psnr, ssim", "--niqe-reference", manifest)
    held_out = write_manifest(tmp_path / "v", {"v.png": picture(1)}, val=("v.png",))
    with pytest.raises(ConfigError, match="no row has split 'train', so there is nothing to fit niqe on"):
        evaluate(manifest, "--scale", "2", "--metrics", "niqe", "--niqe-reference", held_out)


def test_two_runs_say_the_same(manifest: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        evaluate(manifest, "--scale", "2", "--metrics", OURS, "-o", tmp_path / name)
    one, two = (pq.read_table(tmp_path / name / "scores.parquet").drop("seconds") for name in ("one", "two"))
    assert one.equals(two)


def test_another_systems_pictures_stand_beside(manifest: Path, tmp_path: Path) -> None:
    """Its pictures are the ground truth itself, but for one that is missing."""
    shutil.copytree(manifest.parent / "images", tmp_path / "theirs")
    status, told = evaluate(manifest, "--metrics", "ssim", "--results", f"theirs={tmp_path / 'theirs'}")
    assert status == 0
    assert f"theirs: pictures in {tmp_path / 'theirs'}" in told
    assert "1.0000" in told
    (tmp_path / "theirs" / "c.png").unlink()
    status, told = evaluate(manifest, "--metrics", "ssim", "--results", f"theirs={tmp_path / 'theirs'}")
    assert status == 1
    assert "failed: images/c.png, theirs" in told
    assert "ssim: over 1 of 2 pictures" in told


def test_a_folder_of_real_pictures_is_measured_without_a_reference(manifest: Path, weights: Path) -> None:
    status, told = evaluate(manifest.parent / "images", "-w", weights, "--metrics", "consistency", "--images", "1")
    assert status == 0
    assert "1 picture: a.png" in told
    assert "consistency ↑" in told


def test_inputs_are_made_once_and_none_takes_the_place_of_another(tmp_path: Path, monkeypatch) -> None:
    made = []
    apply = Degradation.apply
    monkeypatch.setattr(Degradation, "apply", lambda *given: (made.append(1), apply(*given))[1])
    manifest = write_manifest(tmp_path, {"a.png": picture(1), "a.jpg": picture(2)}, val=("a.png", "a.jpg"))
    evaluate(manifest, "--scale", "2", "--metrics", "psnr", "-o", tmp_path / "out")
    assert len(made) == 2
    one, two = sorted((tmp_path / "out" / "low_res").iterdir())
    assert (one.name, two.name) == ("a.jpg.png", "a.png.png")
    assert not np.array_equal(read(one), read(two))


def test_niqe_that_cannot_be_had_is_left_out_and_said(manifest: Path, tmp_path: Path, monkeypatch) -> None:
    naturalness.published.cache_clear()
    monkeypatch.setenv("APISR_CACHE", str(tmp_path / "none"))
    monkeypatch.setenv("APISR_OFFLINE", "1")
    status, told = evaluate(manifest.parent / "images", "--images", "1")
    assert status == 0
    assert "warning: without niqe" in told
    assert "consistency ↑" in told


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--metrics", "fid"], UsageError, "no such metric; there are psnr, .*, lpips"),
        (["--results", "folder"], UsageError, "not NAME=FOLDER"),
        (["--results", "theirs=nowhere"], ConfigError, "theirs=nowhere: no such folder"),
        (["--results", "bicubic=."], UsageError, "two systems are called 'bicubic'"),
        (["--where", "image LIKE '%/a.png'"], ConfigError, "no row has split 'val'"),
        (["--recipe", "curate_api"], ConfigError, "one of train_.*train_quick"),
        (["--recipe", "evaluate_avc_reallq"], ConfigError, "one of train_.*train_quick"),
    ],
)
def test_wrong_usage_stops_before_any_work(manifest: Path, arguments, error, message) -> None:
    with pytest.raises(error, match=message):
        evaluate(manifest, "--metrics", "psnr", *arguments)


def test_what_a_folder_cannot_give_is_refused(manifest: Path) -> None:
    with pytest.raises(UsageError, match="psnr needs a ground truth"):
        evaluate(manifest.parent / "images", "--metrics", "psnr")
    with pytest.raises(UsageError, match="--where is for a manifest"):
        evaluate(manifest.parent / "images", "--metrics", "consistency", "--where", "true")
    with pytest.raises(ConfigError, match="one of evaluate_avc_reallq"):
        evaluate(manifest.parent / "images", "--metrics", "consistency", "--recipe", "train_quick")


def test_clips_are_taken_by_a_protocol_and_said_frame_by_frame(manifest: Path, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    shutil.copytree(manifest.parent / "images", clips / "one")
    make(clips / "two.mkv", "ffv1", frames=5)
    _, told = evaluate(clips, "--metrics", "consistency", "--recipe", "evaluate_avc_reallq", "-o", tmp_path / "out")
    assert "2 clips; the published figures are of 46" in told
    assert "6 pictures: one_a.png, one_c.png, one_v.png, two_first.png, two_middle.png, two_last.png" in told
    table = pq.read_table(tmp_path / "out" / "scores.parquet")
    assert table["source"].to_pylist()[4] == "frame 3 of 5 of two.mkv"
    assert read(tmp_path / "out" / "low_res" / "two_last.png").shape == (96, 160, 3)
    assert "frame 3 of 5 of two.mkv" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert f"next: apisr-model evaluate {clips} --recipe evaluate_avc_reallq --weights NAME" in told


def test_videos_in_a_folder_of_pictures_are_passed_over_and_said(manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    make(tmp_path / "clips" / "two.mkv", "ffv1", frames=2)
    with pytest.raises(ConfigError, match="no picture among 1 files, but 1 video: --recipe evaluate_avc_reallq"):
        evaluate(tmp_path / "clips", "--metrics", "consistency")
    shutil.copy(manifest.parent / "images" / "a.png", tmp_path / "clips")
    status, told = evaluate(tmp_path / "clips", "--metrics", "consistency")
    assert status == 0
    assert "passed over 1 video" in told
    assert "1 picture: a.png" in told


def test_a_metric_of_pyiqa_without_pyiqa_names_the_command(manifest: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    with pytest.raises(MissingExtraError, match="pip install"):
        evaluate(manifest, "--metrics", "lpips")


def test_niqe_is_fitted_on_a_manifest_of_ones_own(manifest: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (680, 680, 3), np.uint8)
    own = write_manifest(tmp_path / "own", {"n.png": noise, "m.png": noise[:200, :300]}, val=("m.png",))
    status, told = evaluate(own, "--scale", "2", "--metrics", "niqe", "--niqe-reference", own)
    assert status == 0
    assert f"float64, fitted on the 1 training pictures of {own}" in told
