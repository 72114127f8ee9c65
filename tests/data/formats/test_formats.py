"""Each export is read back by the library that its users use, or by its published rule."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from apisr_data import formats, images
from apisr_data.config import Export, Rescale
from apisr_data.dataset import Dataset
from apisr_data.errors import UsageError
from apisr_data.formats import webdataset as module
from apisr_data.stages.export import export
from apisr_data.stages.rescale import rescale
from tests.data import clips
from tests.data.datasets import make_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Three titles of four I-frames each, 64x48."""
    folder = tmp_path_factory.mktemp("clips")
    sources = {}
    for n in range(3):
        draw = clips.drawing(64, 48, seed=n, cut_every=4)
        sources[clips.make(folder / f"{n}.mkv", "mpeg4", size=(64, 48), frames=16, gop_size=4, draw=draw)] = f"題 {n}"
    made = make_dataset(folder / "ds", sources)
    rescale(made, Rescale(), workers=0)
    return made


def pixels(dataset: Dataset) -> dict[str, images.Rgb]:
    return {r["frame_id"]: images.read(dataset.path / r["image"]) for r in dataset.manifest().to_pylist()}


def test_every_setting_names_a_format_that_there_is() -> None:
    assert set(formats.names()) == {"folder", "webdataset", "huggingface", "basicsr"}


def test_an_unknown_format_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="known formats: basicsr, folder"):
        formats.writer("lmdb", lambda name: tmp_path / name)


@pytest.mark.filterwarnings("ignore")  # the library leaves archives open
def test_webdataset_reads_its_archives(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    webdataset = pytest.importorskip("webdataset")
    monkeypatch.setattr(module, "SHARD_BYTES", 1 << 14)  # so that there are several
    export(dataset, tmp_path, Export(format="webdataset", val_fraction=0.3))
    shards = sorted(str(p) for p in tmp_path.glob("*.tar"))
    assert len(shards) > 2
    read = list(webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8").to_tuple("__key__", "png", "json"))
    expected = pixels(dataset)
    assert {key for key, _, _ in read} == expected.keys()
    for key, picture, row in read:
        assert np.array_equal(picture, expected[key])
        assert row["title"].startswith("題 ")
        assert row["sha256"] == images.pixels_sha256(picture)


@pytest.mark.filterwarnings("ignore")  # of the library's own
def test_hugging_face_datasets_reads_its_folder(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    export(dataset, tmp_path / "out", Export(format="huggingface", val_fraction=0.3))
    read = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert set(read) == {"train", "validation"}
    expected = pixels(dataset)
    rows = [*read["train"], *read["validation"]]
    assert {row["frame_id"] for row in rows} == expected.keys()
    for row in rows:
        assert np.array_equal(np.asarray(row["image"]), expected[row["frame_id"]])
    assert not set(read["train"]["title"]) & set(read["validation"]["title"])


def test_basicsr_finds_its_pictures_by_meta_info(dataset: Dataset, tmp_path: Path) -> None:
    export(dataset, tmp_path, Export(format="basicsr", val_fraction=0.3))
    expected, found = pixels(dataset), {}
    for split in ("train", "val"):
        with (tmp_path / f"meta_info_{split}.txt").open(encoding="utf-8") as lines:
            for line in lines:  # BasicSR, data_util.paired_paths_from_meta_info_file
                name, shape = line.strip().split(" ")
                found[Path(name).stem] = np.asarray(Image.open(tmp_path / name))
                assert found[Path(name).stem].shape == tuple(json.loads(shape.replace("(", "[").replace(")", "]")))
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[key], expected[key]) for key in found)
