import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from apisr_data import images
from apisr_data.config import Export, Rescale
from apisr_data.dataset import Dataset
from apisr_data.errors import ImageError, MissingStageError, UsageError
from apisr_data.stages import export as module
from apisr_data.stages.export import check_target, export
from apisr_data.stages.export.manifest import write_manifest
from apisr_data.stages.rescale import rescale
from tests.data import clips
from tests.data.datasets import choose, cluster, make_dataset

FORMATS = ("folder", "webdataset", "huggingface", "basicsr")
QUARTER = Export(val_fraction=0.25)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, str]:
    """Four titles of four I-frames each, 160x96."""
    folder = tmp_path_factory.mktemp("clips")
    made = {}
    for n in range(4):
        path = folder / f"{n}.mkv"
        clips.make(path, "mpeg4", frames=16, gop_size=4, draw=clips.drawing(160, 96, seed=n, cut_every=4))
        made[path] = f"Title {n}"
    return made


@pytest.fixture
def dataset(tmp_path: Path, videos: dict[Path, str]) -> Dataset:
    made = make_dataset(tmp_path / "ds", videos)
    rescale(made, Rescale(), workers=0)
    return made


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def opened(out: Path) -> Iterator[tuple[dict[str, object], np.ndarray]]:
    """The manifest's rows with their pixels, read by Pillow and tarfile."""
    for row in pq.read_table(out / "manifest.parquet").to_pylist():
        path = out / row["image"]
        if path.exists():
            yield row, np.asarray(Image.open(path))
        else:
            with tarfile.open(path.parent) as archive:
                member = archive.extractfile(path.name)
                assert member is not None
                yield row, np.asarray(Image.open(member))


# --- the dataset's own manifest -------------------------------------------------------------------------------------


def test_the_manifest_names_each_image_with_its_origin_and_scores(dataset: Dataset) -> None:
    table = write_manifest(dataset, QUARTER).table
    row = table.to_pylist()[0]
    assert table.num_rows == 16
    assert (dataset.path / row["image"]).exists()
    assert (row["width"], row["height"], row["title"], row["source"], row["licence"]) == (
        *(160, 96, "Title 0"),
        *("a disc", "mit"),
    )
    assert (row["complexity"], row["complexity_scorer"], row["detail"]) == (0.5, "detail", 0.5)
    assert dataset.manifest().equals(table)


def test_the_manifest_leaves_out_what_could_not_be_made(tmp_path: Path, videos: dict[Path, str]) -> None:
    dataset = make_dataset(tmp_path / "ds", videos)
    rescale(dataset, Rescale(below="refuse"), workers=0)
    assert write_manifest(dataset).table.num_rows == 0


def test_splits_follow_titles_and_clusters(dataset: Dataset) -> None:
    ids = write_manifest(dataset, QUARTER).table.to_pandas().groupby("title")["frame_id"].first().tolist()
    cluster(dataset, [ids[:2]])
    rescale(dataset, dataset.recipe().rescale, workers=0)
    table = write_manifest(dataset, QUARTER).table.to_pandas()
    assert (table.groupby("title")["split"].nunique() == 1).all()
    assert table[table.frame_id.isin(ids[:2])]["split"].nunique() == 1


def test_the_recipe_changes_with_any_setting_but_the_format(dataset: Dataset) -> None:
    def recipe(settings: Export) -> str:
        return str(write_manifest(dataset, settings).table["recipe"][0])

    assert recipe(Export()) == recipe(Export(format="webdataset")) != recipe(Export(seed=1))


# --- exports --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_holds_every_image_unchanged(dataset: Dataset, tmp_path: Path, name: str) -> None:
    export(dataset, tmp_path / "out", Export.model_validate({"format": name, "val_fraction": 0.25}))
    wanted = {row["frame_id"]: row for row in dataset.manifest().to_pylist()}
    found = list(opened(tmp_path / "out"))
    assert {row["frame_id"] for row, _ in found} == wanted.keys()
    for row, pixels in found:
        assert {k: v for k, v in row.items() if k != "image"} == {
            k: v for k, v in wanted[str(row["frame_id"])].items() if k != "image"
        }
        assert images.pixels_sha256(pixels) == row["sha256"]


@pytest.mark.parametrize("name", FORMATS)
def test_tiles_are_parts_of_their_images(dataset: Dataset, tmp_path: Path, name: str) -> None:
    settings = Export.model_validate({"format": name, "tile": 64, "tiles_per_image": 2})
    export(dataset, tmp_path / "out", settings, workers=2)
    whole = {r["frame_id"]: images.read(dataset.path / r["image"]) for r in dataset.manifest().to_pylist()}
    found = list(opened(tmp_path / "out"))
    assert len(found) == 32
    for row, pixels in found:
        left, top = int(str(row["tile_left"])), int(str(row["tile_top"]))
        assert np.array_equal(pixels, whole[str(row["frame_id"])][top : top + 64, left : left + 64])
        assert images.pixels_sha256(pixels) == row["sha256"]
        assert (row["width"], row["height"]) == (64, 64)


def test_images_smaller_than_a_tile_are_exported_whole_and_counted(dataset: Dataset, tmp_path: Path) -> None:
    report = export(dataset, tmp_path / "out", Export(tile=128))
    assert "16 images are smaller than 128 px and are exported whole" in report.warnings
    assert {pixels.shape for _, pixels in opened(tmp_path / "out")} == {(96, 160, 3)}


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_export_gives_the_same_bytes(dataset: Dataset, tmp_path: Path, name: str) -> None:
    settings = Export.model_validate({"format": name})
    export(dataset, tmp_path / "a", settings)
    export(dataset, tmp_path / "b", settings, workers=2)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_second_export_does_nothing(dataset: Dataset, tmp_path: Path) -> None:
    export(dataset, tmp_path / "out", QUARTER)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")}
    assert export(dataset, tmp_path / "out", QUARTER).did_nothing
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*")} == before


def test_a_changed_export_leaves_nothing_of_the_old_one(dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(dataset, out, Export(format="basicsr", tile=64))
    (out / "train" / "notes.txt").write_text("mine")
    choose(dataset, dataset.manifest()["frame_id"].to_pylist()[:3])
    rescale(dataset, Rescale(), workers=0)
    export(dataset, out, Export(format="basicsr"))
    named = pq.read_table(out / "manifest.parquet")["image"].to_pylist()
    assert files(out).keys() == {
        *(".apisr-export", "README.md", "manifest.parquet", "meta_info_train.txt", "meta_info_val.txt"),
        *("train/notes.txt", *named),
    }


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_that_lost_a_file_is_made_again(dataset: Dataset, tmp_path: Path, name: str) -> None:
    out, settings = tmp_path / "out", Export.model_validate({"format": name})
    export(dataset, out, settings)
    whole = files(out)
    (out / next(p for p in whole if p.startswith("train"))).unlink()
    (out / next(p for p in whole if p.startswith("val"))).write_bytes(b"")
    assert not export(dataset, out, settings).did_nothing
    assert files(out) == whole


def test_a_card_that_was_edited_is_left_alone(dataset: Dataset, tmp_path: Path) -> None:
    export(dataset, tmp_path / "out", Export())
    (tmp_path / "out" / "README.md").write_text("my own words")
    assert export(dataset, tmp_path / "out", Export()).did_nothing
    assert (tmp_path / "out" / "README.md").read_text() == "my own words"


def test_an_export_in_another_format_is_refused_and_the_format_in_force_stays(dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(dataset, out, Export(format="folder"))
    before = files(out)
    with pytest.raises(UsageError, match="holds an export as 'folder'; give --format folder, or a new folder"):
        export(dataset, out, Export(format="basicsr"))
    assert files(out) == before
    assert dataset.settings("export", Export) == Export(format="folder")


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_an_image_that_is_gone_or_empty_is_named_and_an_earlier_export_stays(
    dataset: Dataset, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    out = tmp_path / "out"
    export(dataset, out, Export())
    before = files(out)
    image = dataset.path / dataset.manifest()["image"][3].as_py()
    damage(image)
    with pytest.raises(ImageError, match=rf"{image.name}: gone or damaged; 'apisr-data rescale "):
        export(dataset, out, Export(seed=1))
    assert files(out) == before


def test_a_folder_can_be_checked_before_there_is_anything_to_export(tmp_path: Path) -> None:
    check_target(tmp_path / "new", Export())
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="file: a file; give a new folder"):
        check_target(tmp_path / "file", Export())
    with pytest.raises(UsageError, match="not empty and not an earlier export"):
        check_target(tmp_path, Export())


def test_a_folder_that_holds_other_things_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.doc").write_text("years of work")
    with pytest.raises(UsageError, match="not empty and not an earlier export"):
        export(dataset, tmp_path / "out", Export())
    assert files(tmp_path / "out") == {"thesis.doc": b"years of work"}


def test_the_dataset_itself_is_refused(dataset: Dataset) -> None:
    with pytest.raises(UsageError, match="not empty"):
        export(dataset, dataset.path, Export())


@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_leaves_no_manifest_and_the_next_export_is_whole(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    out, settings = tmp_path / "out", Export.model_validate({"format": name})
    export(dataset, out, settings.model_copy(update={"seed": 9}))
    real, written = module._samples, 0

    def disk_full(*arguments: object) -> object:
        nonlocal written
        written += 1
        if written > 5:
            raise OSError(28, "No space left on device", str(out))
        return real(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(module, "_samples", disk_full)
        with pytest.raises(OSError, match="No space left"):
            export(dataset, out, settings)
    assert not (out / "manifest.parquet").exists()
    export(dataset, out, settings)
    assert len(list(opened(out))) == 16


def test_a_list_of_files_cannot_lead_outside_the_folder(dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(dataset, out, Export())
    (tmp_path / "precious").write_text("x")
    with (out / ".apisr-export").open("a") as listed:
        listed.write(f"../precious\n{tmp_path / 'precious'}\n")
    export(dataset, out, Export(seed=1))
    assert (tmp_path / "precious").exists()


def test_exporting_before_rescaling_names_the_missing_stage(tmp_path: Path, videos: dict[Path, str]) -> None:
    with pytest.raises(MissingStageError, match="apisr-data rescale"):
        export(make_dataset(tmp_path / "ds", videos), tmp_path / "out", Export())


def test_the_card_says_counts_splits_titles_and_licences(dataset: Dataset, tmp_path: Path) -> None:
    export(dataset, tmp_path / "out", QUARTER)
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\n")
    assert "license: mit" in card
    assert "16 images from 4 titles, RGB, lossless PNG: 12 train, 4 val." in card
    assert "| Title 2 | 4 | a disc | mit |" in card
    assert "Whole titles: 1 of 4 validate, 25.0% of the images (wanted 25.0%)." in card


def test_one_title_is_said_aloud_in_summary_and_card(tmp_path: Path, videos: dict[Path, str]) -> None:
    dataset = make_dataset(tmp_path / "ds", dict.fromkeys(videos, "The Only"))
    rescale(dataset, Rescale(), workers=0)
    report = export(dataset, tmp_path / "out", QUARTER)
    assert report.warnings[0].startswith("one title only: a contiguous block of its time validates")
    assert "One title only" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def test_archives_hold_the_row_beside_each_picture(dataset: Dataset, tmp_path: Path) -> None:
    export(dataset, tmp_path / "out", Export(format="webdataset"))
    with tarfile.open(tmp_path / "out" / "train-000000.tar") as archive:
        names = archive.getnames()
        member = archive.extractfile(names[1])
        assert member is not None
        assert json.load(member)["frame_id"] == names[0].removesuffix(".png")
