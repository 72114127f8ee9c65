"""The manifest: one row a training image, with where it comes from, what was measured on it and its split."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from apisr_data import config, tables
from apisr_data.dataset import Dataset
from apisr_data.stages.export.splits import Item, Split, split
from apisr_data.stages.rescale import require_current as require_current_images

_STAGES = ("extract", "score", "dedup", "select", "rescale")

_ROWS = """
    SELECT i.image, i.width, i.height, i.sha256, v.title, v.episode, f.video_id, i.frame_id, f.time_s, f.scene,
        d.cluster, v.source, coalesce(v.licence, 'unknown') AS licence, s.* EXCLUDE (frame_id, video_id)
    FROM images i JOIN frames f USING (frame_id) JOIN videos v USING (video_id)
    LEFT JOIN scores s USING (frame_id) LEFT JOIN duplicates d USING (frame_id)
    WHERE i.image IS NOT NULL
    ORDER BY v.title, try_cast(v.episode AS DOUBLE), v.episode, v.path, f.time_s, i.frame_id"""


@dataclass(frozen=True)
class Manifest:
    """The manifest's rows, and how they were split."""

    table: pa.Table
    split: Split


def write_manifest(dataset: Dataset, settings: config.Export | None = None) -> Manifest:
    """Write the dataset's own manifest, `image` relative to it; images that it does not name leave images/.

    The columns are those of `tables.MANIFEST` and after them every other column of the scorers.

    Raises:
        ConfigError: a title that is to be held out has no image.
        MissingStageError: the images are not those of the selection as it is now; none is removed then.
        OSError: the disk is full.
    """
    require_current_images(dataset)
    settings = settings or config.Export()
    found = dataset.sql(_ROWS).to_arrow_table()
    rows = found.to_pylist()
    items = [Item(r["frame_id"], r["title"], r["cluster"], (r["video_id"], r["scene"])) for r in rows]
    chosen = split(items, val_fraction=settings.val_fraction, seed=settings.seed, hold_out=settings.hold_out)
    shaping = settings.model_copy(update={"format": "folder"})  # the format shapes no row
    recipe = config.digest(shaping, *(str(dataset.digest(stage)) for stage in _STAGES))
    for row in rows:
        row["split"] = "val" if row["frame_id"] in chosen.val else "train"
        row["recipe"] = recipe
        del row["cluster"], row["scene"]
    known = {column.name for column in tables.MANIFEST.columns} | {"cluster", "scene"}
    scored = [tables.Column(f.name, f.type, "see scores") for f in found.schema if f.name not in known]
    table = tables.MANIFEST.with_columns(scored).rows(rows)
    path = dataset.table_path("manifest")
    if not path.exists() or table != pq.read_table(path):
        tables.write(table, path)
        dataset.refresh()
    _remove_unnamed(dataset, rows)
    return Manifest(table, chosen)


def _remove_unnamed(dataset: Dataset, rows: list[dict[str, Any]]) -> None:
    """Remove the images that rescale once made and that the manifest does not name; nothing else is touched."""
    folder = dataset.path / "tables" / "images"
    if not folder.is_dir():
        return
    ours = set(pq.read_table(folder, columns=["image"]).column(0).to_pylist())
    for image in ours - {row["image"] for row in rows}:
        (dataset.path / image).unlink(missing_ok=True)
    for leftover in (dataset.path / "images").glob(".*.png.*.tmp"):
        leftover.unlink(missing_ok=True)
