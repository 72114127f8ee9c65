"""`apisr-model degrade`."""

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from apisr_data.config import load_recipe_as, override
from apisr_data.errors import ConfigError, ImageError, UsageError
from apisr_data.images import encode_png, read
from apisr_model.cli import app
from apisr_model.data import SampleRecord, read_manifest
from apisr_model.errors import ShapeError
from apisr_model.train import feed
from apisr_model.train.recipe import TrainRecipe
from tests.model.manifests import four_pictures, picture, write_manifest

RUN = CliRunner()


def drawing(folder: Path, size: tuple[int, int] = (65, 50)) -> Path:
    path = folder / "ü é.png"
    path.write_bytes(encode_png(picture(1, size)))
    return path


def test_a_picture_of_any_size_becomes_a_sheet_and_the_draws_are_printed(tmp_path: Path) -> None:
    source = drawing(tmp_path)
    result = RUN.invoke(app, ["degrade", str(source), "--samples", "4"], catch_exceptions=False)
    assert result.exit_code == 0
    target = tmp_path / "ü é.degraded.apisr.png"
    assert f"wrote {target}: 4 samples at 16x12 px" in result.stdout
    assert "-- sample 3" in result.stdout
    assert read(target).shape[1] == 3 * 16 * 40 + 2 * 8
    again = RUN.invoke(app, ["degrade", str(source), "--samples", "4", "-o", str(tmp_path / "again.png")])
    assert again.stdout.partition("wrote")[0] == result.stdout.partition("wrote")[0]
    assert (tmp_path / "again.png").read_bytes() == target.read_bytes()


def test_a_recipe_and_settings_are_obeyed(tmp_path: Path) -> None:
    options = ["--recipe", "train_quick", "--set", "degradation.compression={codecs={av1=1.0}}", "--samples", "2"]
    result = RUN.invoke(app, ["degrade", str(drawing(tmp_path)), *options], catch_exceptions=False)
    lines = [line for line in result.stdout.splitlines() if not line.startswith(("wrote", "next", "--"))]
    assert [line.split()[0] for line in lines] == ["resize", "av1"] * 2
    assert lines[0] == "resize 0.500 area"


def test_a_manifest_becomes_pairs(tmp_path: Path) -> None:
    manifest = four_pictures(tmp_path)
    out = tmp_path / "pairs"
    result = RUN.invoke(app, ["degrade", str(manifest), "-o", str(out), "--scale", "2", "--workers", "0"])
    assert result.exit_code == 0
    assert "wrote 4 pairs at 2x" in result.stdout
    assert f"dataroot_gt: {out / 'train' / 'target'} and" in result.stdout
    assert f"dataroot_lq: {out / 'train' / 'low_res'}" in result.stdout
    assert "target holds what is to be learned (pseudo_gt)" in result.stdout
    assert len(list((out / "train" / "target").iterdir())) == 3
    assert [path.name for path in sorted((out / "train" / "low_res").iterdir())] == [
        "000000-a.png",
        "000001-b.png",
        "000002-c.png",
    ]
    assert [path.name for path in (out / "val" / "low_res").iterdir()] == ["000003-v.png"]


def test_held_out_rows_alone_are_named_by_their_split_and_a_raw_target_is_the_picture(tmp_path: Path) -> None:
    options = ["-o", str(tmp_path / "pairs"), "--workers", "0", "--where", "split = 'val'", "--set", "target.kind=raw"]
    result = RUN.invoke(app, ["degrade", str(four_pictures(tmp_path)), *options], catch_exceptions=False)
    assert f"dataroot_gt: {tmp_path / 'pairs' / 'val' / 'high_res'}" in result.stdout
    assert [path.name for path in (tmp_path / "pairs").iterdir() if path.is_dir()] == ["val"]
    assert not (tmp_path / "pairs" / "val" / "target").exists()


def test_real_pairs_are_copied_and_told(tmp_path: Path) -> None:
    manifest = write_manifest(
        tmp_path, {"a.png": picture(1), "b.png": picture(2)}, low_res={"b.png": picture(3, (16, 12))}
    )
    options = ["-o", str(tmp_path / "pairs"), "--workers", "0", "--count", "2"]
    result = RUN.invoke(app, ["degrade", str(manifest), *options], catch_exceptions=False)
    assert "wrote 3 pairs at 4x" in result.stdout
    assert "1 of them real ones that the manifest names, copied" in result.stdout


def test_a_sample_of_training_is_shown_as_training_sees_it(tmp_path: Path) -> None:
    manifest = four_pictures(tmp_path)
    options = ["--recipe", "train_quick", "--set", "data.crop_px=16", "--set", "target.kind=pseudo_gt", "--seed", "5"]
    result = RUN.invoke(app, ["degrade", str(manifest), *options, "--sample", "21"], catch_exceptions=False)
    assert result.exit_code == 0
    settings = ["data.crop_px=16", "target.kind=pseudo_gt", "train.seed=5"]
    recipe = override(load_recipe_as(TrainRecipe, "train_quick", job="train"), settings)
    options = {"device": torch.device("cpu"), "workers": 0, "rank": 0, "world": 1}
    batch = next(feed.batches(read_manifest(manifest), recipe, tmp_path / "targets", step=1, **options))
    [text] = [line for line in result.stdout.splitlines() if line.startswith("{")]
    record = SampleRecord.model_validate_json(text)
    assert result.stdout.startswith(f"{record}\n")
    assert record.image == batch.names[5]
    sheet = read(tmp_path / "manifest.sample-21.apisr.png")
    width = 16 * 40
    shown = [sheet[-640:, at * (width + 8) :][:, :width] for at in range(3)]
    for picture_, tensor, times in zip(shown, (batch.high_res, batch.target, batch.low_res), (40, 40, 80), strict=True):
        pixels = tensor[5] if tensor.dtype == torch.uint8 else (tensor[5] * 255).round().byte()
        levels = pixels.permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(picture_[::times, ::times], levels)
    assert f"wrote {tmp_path / 'manifest.sample-21.apisr.png'}: {record.image}, 16 px" in result.stdout


def test_a_damaged_picture_of_a_manifest_is_named_and_the_status_is_1(tmp_path: Path) -> None:
    manifest = four_pictures(tmp_path)
    (tmp_path / "b.png").unlink()
    result = RUN.invoke(app, ["degrade", str(manifest), "-o", str(tmp_path / "pairs"), "--workers", "0"])
    assert result.exit_code == 1
    assert "wrote 3 pairs" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["{manifest}"], UsageError),
        (["{manifest}", "--sample", "0"], UsageError),
        (["{picture}", "--sample", "0", "--recipe", "train_quick"], UsageError),
        (["{manifest}", "--sample", "0", "--recipe", "train_quick", "--where", "split = 'val'"], ConfigError),
        (["{folder}/nothing.png"], ImageError),
        (["{picture}", "-o", "{picture}"], UsageError),
        (["{picture}", "--scale", "51"], ShapeError),
        (["{picture}", "--recipe", "nothing"], ConfigError),
        (["{picture}", "--set", "degradation.nothing=1"], ConfigError),
        (["{folder}/nothing.parquet", "-o", "{folder}/x"], ConfigError),
        (["{manifest}", "-o", "{folder}"], ConfigError),
    ],
)
def test_what_cannot_be_done_is_told(tmp_path: Path, arguments: list[str], error: type[Exception]) -> None:
    places = {"manifest": four_pictures(tmp_path), "folder": tmp_path, "picture": drawing(tmp_path)}
    before = places["picture"].read_bytes()
    result = RUN.invoke(app, ["degrade", *(argument.format(**places) for argument in arguments)])
    assert isinstance(result.exception, error)
    assert places["picture"].read_bytes() == before
