"""What a manifest says: which pictures there are to train on and to validate with."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from apisr_data.errors import ConfigError, ImageError, QueryError
from apisr_data.images import Rgb, read
from apisr_model.errors import ShapeError

LOW_RES_COLUMN = "lr_image"
"""Path of a real low-resolution picture, relative to the manifest. Null, or no such column: one is made."""


@dataclass(frozen=True)
class Row:
    """One picture of a manifest; `name` is what the manifest calls it, `low_res` the other half of a real pair."""

    name: str
    path: Path
    low_res: Path | None = None


@dataclass(frozen=True)
class Manifest:
    """The rows to train on and to validate with, in the manifest's order; `digest` names the file and the condition."""

    path: Path
    train: tuple[Row, ...]
    val: tuple[Row, ...]
    digest: str


def read_manifest(path: Path, where: str | None = None) -> Manifest:
    """The rows of `path` that meet the SQL condition `where` over its columns.

    Raises:
        ConfigError: no such file, no Parquet, no columns `image` and `split`, a column of paths holds something else,
            or there is no row of either split.
        QueryError: `where` is not one condition over the manifest's columns.
    """
    try:
        content = path.read_bytes()
        # not read_table: beside torch its threads abort one process in four that ends soon after
        table = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(f"manifest {path}: cannot be read: {error}") from None
    if missing := {"image", "split"} - set(table.column_names):
        raise ConfigError(f"manifest {path}: no column {', '.join(sorted(missing))}; it has {table.column_names}")
    chosen = _where(table, where) if where else table
    images = _texts(chosen, "image", path)
    low_res = _texts(chosen, LOW_RES_COLUMN, path) if LOW_RES_COLUMN in table.column_names else [None] * len(images)
    rows: dict[str, list[Row]] = {"train": [], "val": []}
    for image, low, split in zip(images, low_res, chosen["split"].to_pylist(), strict=True):
        if split in rows:
            if not image:
                raise ConfigError(f"manifest {path}: a row of split '{split}' has no image")
            rows[split].append(Row(image, path.parent / image, path.parent / low if low else None))
    if not any(rows.values()):
        found = f"none of its {table.num_rows:,} rows has split 'train' or 'val'" + (f" where {where}" if where else "")
        raise ConfigError(f"manifest {path}: {found}")
    return Manifest(
        path, tuple(rows["train"]), tuple(rows["val"]), hashlib.sha256(content + (where or "").encode()).hexdigest()
    )


def read_low_res(row: Row, high_res: Rgb, scale: int) -> Rgb | None:
    """The low-resolution half of a real pair, `high_res` being the other; None where the row has none.

    Raises:
        ImageError: it cannot be read.
        ShapeError: its sides are not those of `high_res` divided by the scale.
    """
    if row.low_res is None:
        return None
    try:
        low_res = read(row.low_res)
    except ImageError as error:
        raise ImageError(f"manifest row '{row.name}', {LOW_RES_COLUMN}: {error}") from None
    (height, width), (low_height, low_width) = high_res.shape[:2], low_res.shape[:2]
    if (height, width) != (scale * low_height, scale * low_width):
        sizes = f"image is {width}x{height}, {LOW_RES_COLUMN} {low_width}x{low_height}"
        raise ShapeError(f"manifest row '{row.name}': {sizes}: that is no pair at {scale}x")
    return low_res


def _texts(table: pa.Table, column: str, path: Path) -> list[str | None]:
    kind = table.schema.field(column).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        raise ConfigError(f"manifest {path}: column {column} should hold paths, it holds {kind}")
    texts: list[str | None] = table[column].to_pylist()
    return texts


def _where(table: pa.Table, where: str) -> pa.Table:
    locked: dict[str, str | bool | int | float | list[str]] = {"enable_external_access": False}
    with duckdb.connect(":memory:", config=locked | {"python_enable_replacements": False}) as connection:
        try:
            return connection.from_arrow(table).filter(where).to_arrow_table()  # one expression, or DuckDB refuses it
        except duckdb.Error as error:
            raise QueryError(f"where {where!r}: {error}") from None
