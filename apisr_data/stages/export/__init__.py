"""export: lays the training set out for a trainer: pictures or their tiles, a manifest, splits, and a card."""

import hashlib
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from apisr_data import config, formats, images, tables
from apisr_data.dataset import Dataset
from apisr_data.errors import ImageError, MissingStageError, UsageError
from apisr_data.formats import Sample
from apisr_data.stages import Progress, Report, Silence
from apisr_data.stages.export.card import card
from apisr_data.stages.export.manifest import Manifest, write_manifest
from apisr_data.stages.export.own_folder import OwnFolder
from apisr_data.stages.export.tiles import complex_tiles
from apisr_data.stages.rescale import is_png

__all__ = ["check_target", "export", "write_manifest"]

VERSION = 1
"""Raised whenever the same manifest and settings would give other files."""

TILE_COLUMNS = (
    tables.Column("tile_left", pa.int32(), "px from the image's left edge; null for a whole image"),
    tables.Column("tile_top", pa.int32(), "px from the image's top edge; null for a whole image"),
)


def check_target(out: Path, settings: config.Export) -> None:
    """Refuse what `export` would refuse of the folder `out`; nothing is written.

    Raises:
        UsageError: `out` holds other things than an earlier export, or one in another format.
    """
    held = OwnFolder(out, made_by="export").kind
    if held not in (None, settings.format):
        raise UsageError(f"{out} holds an export as '{held}'; give --format {held}, or a new folder")


def export(
    dataset: Dataset,
    out: Path,
    settings: config.Export,
    *,
    workers: int = 1,
    progress: Progress | None = None,
) -> Report:
    """Lay the images of the dataset out in the folder `out`; its manifest is written last, and makes it whole.

    Raises:
        MissingStageError: there are no images yet.
        ConfigError: a title that is to be held out has no image.
        UsageError: `out` holds other things than an earlier export, or one in another format.
        ImageError: an image of the dataset is gone or damaged; an earlier export is left as it is.
        OSError: the disk is full; `out` is left without a manifest, and the next export starts it anew.
    """
    check_target(out, settings)
    manifest = write_manifest(dataset, settings)
    if not manifest.table.num_rows:
        raise MissingStageError(f"{dataset.path}: no images to export; run 'apisr-data rescale {dataset.path}' first")
    content = hashlib.blake2b(dataset.table_path("manifest").read_bytes(), digest_size=6).hexdigest()
    digest = config.digest(settings, str(VERSION), content)
    warnings = _warnings(manifest)
    folder = OwnFolder(out, made_by="export")
    if _made_from(out / "manifest.parquet") == digest and folder.is_whole():
        return Report("export", f"{out} is up to date", did_nothing=True, warnings=warnings)

    _check_images(dataset, manifest)
    folder.clear(settings.format)
    columns = [tables.Column(f.name, f.type, "see scores") for f in manifest.table.schema][
        len(tables.MANIFEST.columns) :
    ]
    schema = tables.MANIFEST.with_columns([*columns, *TILE_COLUMNS] if settings.tile else columns)
    writer = formats.writer(settings.format, folder.create)
    try:
        rows = list(_written(dataset.path, manifest.table, settings, writer, workers, progress or Silence()))
        exported = schema.rows([row for _, row in sorted(rows, key=lambda r: r[0])])
        writer.finish(exported)
    finally:
        writer.close()
    if settings.tile and (whole := exported["tile_left"].null_count):
        warnings.append(f"{whole:,} images are smaller than {settings.tile} px and are exported whole")
    folder.seal()  # not the card, which people edit
    folder.create("README.md").write_text(card(dataset, exported, settings, manifest.split.rule), encoding="utf-8")
    metadata = {b"made_from": digest.encode()}
    tables.write(exported.replace_schema_metadata(metadata), folder.create("manifest.parquet"))
    dataset.put_in_force("export", settings, digest)
    val = sum(1 for split in exported["split"].to_pylist() if split == "val")
    kind = "tiles" if settings.tile else "images"
    summary = f"{exported.num_rows - val:,} {kind} to train and {val:,} to validate, as {settings.format} in {out}"
    return Report("export", summary, warnings=warnings)


def _written(
    folder: Path,
    manifest: pa.Table,
    settings: config.Export,
    writer: formats.Writer,
    workers: int,
    progress: Progress,
) -> Iterator[tuple[tuple[int, int], dict[str, Any]]]:
    """Write every sample; yields its place in the manifest (image, tile) and its row.

    The order is shuffled, because who reads archives reads them in order.
    """
    rows = manifest.to_pylist()
    shuffled = sorted(range(len(rows)), key=lambda i: hashlib.blake2b(rows[i]["frame_id"].encode()).digest())
    progress.begin("export", len(rows), "images")
    with ThreadPoolExecutor(max(1, workers)) as pool:
        waiting = iter(shuffled)
        while batch := list(itertools.islice(waiting, 8 * max(1, workers))):
            for i, samples in zip(batch, pool.map(lambda i: _samples(folder, rows[i], settings), batch), strict=True):
                for tile, sample in enumerate(samples):
                    yield (i, tile), {**sample.row, "image": writer.add(sample)}
                progress.advance(1)


def _samples(folder: Path, row: dict[str, Any], settings: config.Export) -> list[Sample]:
    """The image's file as it is, or its tiles."""
    path = folder / row["image"]
    png = path.read_bytes()
    described = {key: value for key, value in row.items() if key != "image"}
    if settings.tile is None:
        return [Sample(row["frame_id"], png, described)]
    side, image = settings.tile, images.decode(png)
    samples = []
    for left, top in complex_tiles(image, side, settings.tiles_per_image):
        tile = image[top : top + side, left : left + side]
        cut = {"width": side, "height": side, "sha256": images.pixels_sha256(tile), "tile_left": left, "tile_top": top}
        samples.append(Sample(f"{row['frame_id']}_{left}_{top}", images.encode_png(tile), described | cut))
    return samples or [Sample(row["frame_id"], png, described)]


def _check_images(dataset: Dataset, manifest: Manifest) -> None:
    paths = [dataset.path / image for image in manifest.table["image"].to_pylist()]
    if damaged := [path for path in paths if not is_png(path)]:
        more = f" (and {len(damaged) - 1:,} more)" if len(damaged) > 1 else ""
        raise ImageError(f"{damaged[0]}: gone or damaged{more}; 'apisr-data rescale {dataset.path}' makes it again")


def _warnings(manifest: Manifest) -> list[str]:
    rows = manifest.table
    warnings = [manifest.split.rule] if not manifest.split.is_by_title else []
    unknown = sorted(rows.filter(pc.equal(rows["licence"], "unknown"))["title"].unique().to_pylist())
    if unknown:
        more = f" and {len(unknown) - 1:,} more" if len(unknown) > 1 else ""
        warnings.append(f"licence not known: {unknown[0]}{more}; name it with --titles")
    return warnings


def _made_from(manifest: Path) -> str | None:
    if not manifest.exists():
        return None
    try:
        metadata: dict[bytes, bytes] = pq.read_schema(manifest).metadata or {}
    except (pa.ArrowInvalid, OSError):
        return None
    return metadata.get(b"made_from", b"").decode()
