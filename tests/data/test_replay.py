import hashlib
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from apisr_data import images, replay
from apisr_data.config import Rescale
from apisr_data.dataset import Dataset
from apisr_data.errors import ConfigError, InputError, MissingStageError, UsageError
from apisr_data.stages.export.manifest import write_manifest
from apisr_data.stages.rescale import rescale
from tests.data import clips
from tests.data.datasets import extracted, make_dataset


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "mine" / "ep 1 「題」.mkv"
    path.parent.mkdir()
    return clips.make(path, "libx264", options={"x264-params": "scenecut=0"}, frames=24, gop_size=6)


@pytest.fixture
def dataset(tmp_path: Path, clip: Path) -> Dataset:
    made = make_dataset(tmp_path / "ds", {clip: "A"}, borders=(8, 0, 8, 0))
    rescale(made, Rescale(height=64), workers=0)
    write_manifest(made)
    return made


@pytest.fixture
def recipe(tmp_path: Path, dataset: Dataset) -> Path:
    replay.write_recipe(dataset, tmp_path / "recipe.parquet")
    return tmp_path / "recipe.parquet"


def test_the_recipe_names_the_file_and_holds_no_pixels(recipe: Path, clip: Path) -> None:
    table = pq.read_table(recipe)
    row = table.to_pylist()[0]
    assert row["source_name"] == clip.name
    assert row["source_bytes"] == clip.stat().st_size
    assert row["source_sha256"] == hashlib.sha256(clip.read_bytes()).hexdigest()
    assert str(clip.parent) not in str(table.to_pylist())
    assert "av 18" in row["made_with"]


def test_another_copy_of_the_file_gives_the_same_images_to_the_bit(
    tmp_path: Path, dataset: Dataset, recipe: Path, clip: Path
) -> None:
    theirs = tmp_path / "theirs" / "deep"
    theirs.mkdir(parents=True)
    shutil.copy(clip, theirs / "renamed.mkv")
    (theirs / "other.mkv").write_bytes(b"x" * clip.stat().st_size)  # of the same size
    report = replay.replay(recipe, [tmp_path / "theirs"], tmp_path / "out", workers=0)
    assert not report.failed
    ours = {r["frame_id"]: r for r in dataset.manifest().to_pylist()}
    built = pq.read_table(tmp_path / "out" / "manifest.parquet").to_pylist()
    assert len(built) == len(ours) == 4
    for row in built:
        pixels = np.asarray(Image.open(tmp_path / "out" / row["image"]))
        expected = np.asarray(Image.open(dataset.path / ours[row["frame_id"]]["image"]))
        assert np.array_equal(pixels, expected)
        assert {**row, "image": ""} == {**ours[row["frame_id"]], "image": ""}


def test_a_file_that_is_missing_is_named_with_what_was_wanted(tmp_path: Path, recipe: Path, clip: Path) -> None:
    (tmp_path / "empty").mkdir()
    report = replay.replay(recipe, [tmp_path / "empty"], tmp_path / "out", workers=0)
    (error,) = map(str, report.failed)
    assert error.startswith(f"{clip.name}: not among the files given; wanted {clip.stat().st_size:,} bytes, sha256 ")
    assert report.summary == "0 images rebuilt and 0 there already, of 4"
    assert pq.read_table(tmp_path / "out" / "manifest.parquet").num_rows == 0


def test_a_link_to_itself_is_one_failure_and_the_files_beside_it_are_used(
    tmp_path: Path, recipe: Path, clip: Path
) -> None:
    loop = clip.with_name("loop.mkv")
    loop.symlink_to(loop)
    report = replay.replay(recipe, [clip.parent], tmp_path / "out", workers=0)
    assert [str(error).startswith(f"{loop}: ") for error in report.failed] == [True]
    assert report.summary == "4 images rebuilt and 0 there already, of 4; every one verified"


def test_another_file_of_the_same_name_is_told_apart(tmp_path: Path, recipe: Path, clip: Path) -> None:
    other = tmp_path / "other" / clip.name
    other.parent.mkdir()
    other.write_bytes(clip.read_bytes()[:-1] + b"!")  # another release: one byte differs
    (error,) = replay.replay(recipe, [other], tmp_path / "out", workers=0).failed
    assert f"{other} has this name and is another file" in str(error)


def test_images_that_differ_are_reported_and_not_written(tmp_path: Path, recipe: Path, clip: Path) -> None:
    table = pq.read_table(recipe)
    sums = table["sha256"].to_pylist()
    sums[0] = "0" * 64
    changed = table.set_column(table.column_names.index("sha256"), "sha256", pa.array(sums))
    changed = changed.set_column(table.column_names.index("made_with"), "made_with", pa.array(["av 1.0"] * len(sums)))
    pq.write_table(changed, recipe)
    report = replay.replay(recipe, [clip], tmp_path / "out", workers=0)
    assert [str(error) for error in report.failed] == [f"{clip}: other pixels than wanted (1 images)"]
    assert report.warnings[0].startswith("the recipe was made with av 1.0; here is apisr ")
    assert report.summary == "3 images rebuilt and 0 there already, of 4; these verified"
    assert len(list((tmp_path / "out" / "images").iterdir())) == 3
    assert pq.read_table(tmp_path / "out" / "manifest.parquet").num_rows == 3


def test_images_that_are_there_and_right_are_kept_and_damaged_ones_made_again(
    tmp_path: Path, recipe: Path, clip: Path
) -> None:
    out = tmp_path / "out"
    replay.replay(recipe, [clip], out, workers=0)
    first, second, *others = sorted((out / "images").iterdir())
    first.write_bytes(b"damaged")
    second.write_bytes(images.encode_png(np.zeros((64, 64, 3), np.uint8)))
    times = [p.stat().st_mtime_ns for p in others]
    assert replay.replay(recipe, [clip], out, workers=0).summary.startswith("2 images rebuilt and 2 there already")
    assert [p.stat().st_mtime_ns for p in others] == times


def test_pictures_are_replayed_from_their_own_files(tmp_path: Path) -> None:
    folder = tmp_path / "art"
    folder.mkdir()
    for n in range(2):
        noise = np.random.default_rng(n).integers(0, 256, (48, 64, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{n}.png")
    dataset = extracted(tmp_path / "ds", folder)
    rescale(dataset, Rescale(height=24), workers=0)
    write_manifest(dataset)
    replay.write_recipe(dataset, tmp_path / "r.parquet")
    (folder / "0.png").rename(folder / "moved.png")
    report = replay.replay(tmp_path / "r.parquet", [folder], tmp_path / "out", workers=0)
    assert report.summary.startswith("2 images rebuilt")
    with pytest.raises(InputError, match=r"0\.png: gone since it was extracted"):
        replay.write_recipe(dataset, tmp_path / "r.parquet")


def test_worker_processes_rebuild_too(tmp_path: Path, recipe: Path, clip: Path) -> None:
    assert replay.replay(recipe, [clip], tmp_path / "out", workers=1).summary.startswith("4 images rebuilt")


def test_a_recipe_cannot_write_outside_the_folder(tmp_path: Path, recipe: Path, clip: Path) -> None:
    table = pq.read_table(recipe)
    ids = ["../../evil", *table["frame_id"].to_pylist()[1:]]
    pq.write_table(table.set_column(table.column_names.index("frame_id"), "frame_id", pa.array(ids)), recipe)
    with pytest.raises(ConfigError, match="evil' is no frame_id"):
        replay.replay(recipe, [clip], tmp_path / "out", workers=0)


def test_a_manifest_is_no_recipe(tmp_path: Path, dataset: Dataset, clip: Path) -> None:
    with pytest.raises(ConfigError, match="it lacks source_name"):
        replay.replay(dataset.table_path("manifest"), [clip], tmp_path / "out")
    with pytest.raises(ConfigError, match="cannot be read"):
        replay.replay(clip, [clip], tmp_path / "out")


def test_a_folder_that_holds_other_things_is_refused(tmp_path: Path, recipe: Path, clip: Path) -> None:
    with pytest.raises(UsageError, match="not empty"):
        replay.replay(recipe, [clip], clip.parent)


def test_a_source_that_changed_cannot_be_published(tmp_path: Path, dataset: Dataset, clip: Path) -> None:
    clip.write_bytes(b"another")
    with pytest.raises(InputError, match="changed since it was extracted"):
        replay.write_recipe(dataset, tmp_path / "r.parquet")


def test_a_recipe_needs_a_manifest(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(MissingStageError, match="apisr-data rescale"):
        replay.write_recipe(make_dataset(tmp_path / "none", {clip: "A"}), tmp_path / "r.parquet")


def test_a_recipe_needs_images(tmp_path: Path, dataset: Dataset) -> None:
    rescale(dataset, Rescale(below="refuse"), workers=0)
    write_manifest(dataset)
    with pytest.raises(MissingStageError, match="no images to publish; run 'apisr-data rescale"):
        replay.write_recipe(dataset, tmp_path / "r.parquet")


def test_a_recipe_is_a_file(tmp_path: Path, dataset: Dataset) -> None:
    with pytest.raises(ConfigError, match="is a folder; give a file name"):
        replay.write_recipe(dataset, tmp_path)
