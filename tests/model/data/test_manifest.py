from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from apisr_data.errors import ConfigError, ImageError, QueryError
from apisr_data.images import read
from apisr_model.data import read_low_res, read_manifest
from apisr_model.errors import ShapeError
from tests.model.manifests import four_pictures, picture, write_manifest


def test_rows_are_parted_by_split(tmp_path: Path) -> None:
    found = read_manifest(four_pictures(tmp_path))
    assert [row.name for row in found.train] == ["a.png", "b.png", "c.png"]
    assert [row.path for row in found.val] == [tmp_path / "v.png"]


def test_a_condition_picks_rows_and_enters_the_digest(tmp_path: Path) -> None:
    path = four_pictures(tmp_path)
    some = read_manifest(path, "time_s < 2")
    assert [row.name for row in some.train] == ["a.png", "b.png"]
    assert not some.val
    assert some.digest != read_manifest(path).digest


@pytest.mark.parametrize("where", ["nothing > 1", "1=1) OR (1=1", "true; DROP TABLE x", "image"])
def test_what_is_no_condition_is_refused(tmp_path: Path, where: str) -> None:
    with pytest.raises(QueryError, match="where"):
        read_manifest(four_pictures(tmp_path), where)


def test_a_condition_that_leaves_no_row_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none of its 4 rows has split 'train' or 'val' where time_s > 9"):
        read_manifest(four_pictures(tmp_path), "time_s > 9")


def test_held_out_rows_alone_are_a_manifest(tmp_path: Path) -> None:
    found = read_manifest(four_pictures(tmp_path), "split = 'val'")
    assert ([row.name for row in found.val], found.train) == (["v.png"], ())


@pytest.mark.parametrize("content", [None, b"", b"PAR1 and no more"])
def test_a_file_that_is_no_manifest_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "manifest.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"manifest .*manifest\.parquet: cannot be read"):
        read_manifest(path)


def test_a_real_low_resolution_is_found_beside_the_manifest_and_may_be_absent(tmp_path: Path) -> None:
    small = picture(5, (32, 24))
    some = {"a.png": picture(0), "b.png": picture(1)}
    rows = read_manifest(write_manifest(tmp_path, some, low_res={"a.png": small})).train
    assert [row.low_res for row in rows] == [tmp_path / "lr" / "a.png", None]
    np.testing.assert_array_equal(read_low_res(rows[0], read(rows[0].path), 2), small)
    assert read_low_res(rows[1], read(rows[1].path), 2) is None


def test_a_pair_that_does_not_fit_the_scale_is_named_with_both_sizes(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"a.png": picture(0)}, low_res={"a.png": picture(5, (32, 23))})
    [row] = read_manifest(manifest).train
    with pytest.raises(ShapeError, match=r"row 'a\.png': image is 64x48, lr_image 32x23: that is no pair at 2x"):
        read_low_res(row, read(row.path), 2)
    (tmp_path / "lr" / "a.png").unlink()
    with pytest.raises(ImageError, match=r"row 'a\.png', lr_image: .*No such file"):
        read_low_res(row, read(row.path), 2)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"image": [1, 2], "split": ["train", "val"]}, "column image should hold paths, it holds int64"),
        ({"image": ["a", None], "split": ["train", "val"]}, "a row of split 'val' has no image"),
        ({"image": ["a"], "split": ["val"], "lr_image": [0.5]}, "column lr_image should hold paths, it holds double"),
    ],
)
def test_columns_that_hold_no_paths_are_named(tmp_path: Path, columns: dict[str, list[object]], told: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "manifest.parquet")
    with pytest.raises(ConfigError, match=told):
        read_manifest(tmp_path / "manifest.parquet")


def test_texts_of_a_dictionary_or_of_nothing_are_read(tmp_path: Path) -> None:
    image = pa.array(["a.png", "b.png"]).dictionary_encode()
    table = pa.table({"image": image, "split": ["train", "train"], "lr_image": pa.nulls(2)})
    pq.write_table(table, tmp_path / "manifest.parquet")
    found = read_manifest(tmp_path / "manifest.parquet").train
    assert [(row.name, row.low_res) for row in found] == [("a.png", None), ("b.png", None)]
