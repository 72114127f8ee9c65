"""A training set without its pixels: a recipe that names files and frames, and what rebuilds the images from it.

Whoever holds the same files gets the same images to the bit; each is checked against the sum of its pixels.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from apisr_data import engines, images, sources, tables
from apisr_data.dataset import Dataset
from apisr_data.errors import ConfigError, ImageError, InputError, MissingStageError
from apisr_data.stages import Progress, Report, Silence
from apisr_data.stages.export.own_folder import OwnFolder
from apisr_data.stages.origin import Origin, origin_of
from apisr_data.stages.rescale import assumed_matrix, require_current
from apisr_data.stages.rescale.geometry import Geometry
from apisr_data.stages.rescale.one_video import Chosen, RescaleJob, rescale_video

_GEOMETRY = tuple(field.name for field in fields(Geometry))

RECIPE = tables.Table(
    "recipe",
    (
        *tables.MANIFEST.columns,
        tables.Column("source_name", pa.string(), "file name of the video or picture"),
        tables.Column("source_bytes", pa.int64(), "its size"),
        tables.Column("source_sha256", pa.string(), "of the whole file, as sha256sum prints it"),
        tables.Column("is_picture", pa.bool_(), "the source is a picture, not a video"),
        tables.Column("pts", pa.int64(), "the packet's raw time stamp, in the stream's time base; null where absent"),
        tables.Column("packet", pa.int32(), "the packet's ordinal in demux order"),
        tables.Column("assume_matrix", pa.string(), "colour matrix that was taken for untagged video; null: by height"),
        *(column for column in tables.IMAGES.columns if column.name in {*_GEOMETRY} - {"width", "height"}),
        tables.Column("made_with", pa.string(), "versions of what decoded and scaled"),
    ),
    is_per_video=False,
)

_ROWS = """
    SELECT m.* REPLACE ('images/' || m.frame_id || '.png' AS image), f.pts, f.packet, f.image_name,
        i.* EXCLUDE (frame_id, image, reason, width, height, sha256)
    FROM manifest m JOIN frames f USING (frame_id, video_id) JOIN images i USING (frame_id)"""

_SAFE_NAME = re.compile(r"[0-9A-Za-z_-]+")


def write_recipe(dataset: Dataset, path: Path, *, progress: Progress | None = None) -> Report:
    """Write the recipe of the dataset's manifest; every source file is read whole for its sum.

    Raises:
        ConfigError: `path` is a folder.
        MissingStageError: there is no manifest yet, or there are no images.
        InputError: a source is gone, or changed since it was extracted.
        OSError: the disk is full.
    """
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; give a file name")
    require_current(dataset)
    manifest = dataset.manifest()
    if not manifest.num_rows:
        raise MissingStageError(f"{dataset.path}: no images to publish; run 'apisr-data rescale {dataset.path}' first")
    rows = dataset.sql(_ROWS).to_arrow_table().to_pylist()
    order = {frame_id: n for n, frame_id in enumerate(manifest["frame_id"].to_pylist())}
    rows.sort(key=lambda row: order[row["frame_id"]])
    places: dict[str, Origin | InputError] = {}
    origins: dict[tuple[str, str | None], dict[str, Any]] = {}
    (progress := progress or Silence()).begin("recipe", len(rows), "images")
    for row in rows:
        key = video_id, image_name = row["video_id"], row.pop("image_name")
        if video_id not in places:
            places[video_id] = origin_of(dataset, video_id)
        if key not in origins:
            origins[key] = _described(places[video_id], image_name)
        row |= origins[key] | {"assume_matrix": assumed_matrix(dataset), "made_with": _versions()}
        progress.advance(1)
    known = {column.name for column in tables.MANIFEST.columns}
    scored = [tables.Column(f.name, f.type, "see scores") for f in manifest.schema if f.name not in known]
    tables.write(RECIPE.with_columns(scored).rows(rows), path)
    return Report("recipe", f"{len(rows):,} images of {len(origins):,} files, without their pixels, in {path}")


def replay(
    recipe: Path,
    paths: Iterable[Path],
    out: Path,
    *,
    workers: int = 1,
    hang_timeout_s: float = engines.HANG_TIMEOUT_S,
    progress: Progress | None = None,
) -> Report:
    """Rebuild in `out` the images of `recipe` from the files at or under `paths`, and write the manifest of those.

    An image whose pixels differ from the recipe's is reported and not written; one that is in `out` already is kept.

    Raises:
        ConfigError: `recipe` is none.
        UsageError: `out` holds other things than an earlier replay.
        OSError: the disk is full.
    """
    rows = _read(recipe)
    folder = OwnFolder(out, made_by="replay")
    (out / "manifest.parquet").unlink(missing_ok=True)
    ready = {row["frame_id"] for row in rows if _is_ready(out / row["image"], row["sha256"])}
    wanted: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["frame_id"] not in ready:
            wanted.setdefault(row["source_sha256"], []).append(row)
    found, failed = _find(paths, {sha256: (r[0]["source_name"], r[0]["source_bytes"]) for sha256, r in wanted.items()})
    jobs = [_job(found[sha256], rows_of, out) for sha256, rows_of in wanted.items() if sha256 in found]
    (progress := progress or Silence()).begin("replay", sum(len(job.chosen) for job in jobs), "images")
    made: set[str] = set()
    for job in jobs:
        for item in job.chosen:
            folder.create(item.image)
    for outcome in engines.run(rescale_video, jobs, workers=workers, hang_timeout_s=hang_timeout_s):
        progress.advance(len(outcome.job.chosen))
        if isinstance(outcome.error, InputError):
            failed.append(outcome.error)
        elif outcome.value:
            made |= {row["frame_id"] for row in outcome.value.rows}
            counts = Counter(str(error) for error in outcome.value.failed.values())
            failed += [InputError(f"{reason} ({count:,} images)") for reason, count in counts.items()]
    schema = pq.read_schema(recipe)
    kept = [row for row in rows if row["frame_id"] in made | ready]
    names = [
        name for name in schema.names if name not in {c.name for c in RECIPE.columns[len(tables.MANIFEST.columns) :]}
    ]
    tables.write(pa.Table.from_pylist(kept, schema=schema).select(names), folder.create("manifest.parquet"))
    verified = ("; every one verified" if len(kept) == len(rows) else "; these verified") if kept else ""
    summary = f"{len(made):,} images rebuilt and {len(ready):,} there already, of {len(rows):,}{verified}"
    made_with = {row["made_with"] for row in rows} - {_versions()}
    warnings = [f"the recipe was made with {versions}; here is {_versions()}" for versions in sorted(made_with)]
    return Report("replay", summary, failed=failed, warnings=warnings)


def _described(place: Origin | InputError, image_name: str | None) -> dict[str, Any]:
    if isinstance(place, InputError):
        raise place
    if error := place.lost.get(image_name or ""):
        raise error
    path = place.path / image_name if image_name else place.path
    return {
        "source_name": path.name,
        "source_bytes": path.stat().st_size,
        "source_sha256": _sha256(path),
        "is_picture": image_name is not None,
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _versions() -> str:
    return ", ".join(f"{name} {version(name)}" for name in ("apisr", "av", "opencv-python", "pillow"))


def _read(recipe: Path) -> list[dict[str, Any]]:
    """The recipe's rows; `image` is made anew from the frame's id, so that no recipe can write elsewhere."""
    try:
        table = pq.read_table(recipe)
    except (pa.ArrowInvalid, OSError) as error:
        raise ConfigError(f"recipe {recipe}: cannot be read: {error}") from None
    if missing := [column.name for column in RECIPE.columns if column.name not in table.column_names]:
        raise ConfigError(f"recipe {recipe}: not a recipe of a training set; it lacks {', '.join(missing)}")
    rows: list[dict[str, Any]] = table.to_pylist()
    for row in rows:
        if not _SAFE_NAME.fullmatch(row["frame_id"]):
            raise ConfigError(f"recipe {recipe}: {row['frame_id']!r} is no frame_id")
        row["image"] = f"images/{row['frame_id']}.png"
    return rows


def _is_ready(image: Path, sha256: str) -> bool:
    try:
        return images.pixels_sha256(images.decode(image.read_bytes())) == sha256
    except (OSError, ImageError):
        return False


def _find(paths: Iterable[Path], wanted: dict[str, tuple[str, int]]) -> tuple[dict[str, Path], list[InputError]]:
    """The files whose content is wanted, by sum, and an error for each that is not there; only equal sizes are read."""
    found: dict[str, Path] = {}
    walked = sources.find(paths)
    files = [*walked.videos, *(picture for folder in walked.pictures.values() for picture in folder)]
    sizes = {size for _, size in wanted.values()}
    errors = list(walked.errors)
    names: dict[str, tuple[Path, int]] = {}
    for path in files:
        try:
            size = path.stat().st_size
            names[path.name] = path, size
            if size in sizes:
                found.setdefault(_sha256(path), path)
        except OSError as error:
            errors.append(InputError(f"{path}: {error.strerror}"))
    for sha256, (name, size) in wanted.items():
        if sha256 in found:
            continue
        reason = "not among the files given"
        if name in names:
            reason = "{} has this name and is another file ({:,} bytes)".format(*names[name])
        errors.append(InputError(f"{name}: {reason}; wanted {size:,} bytes, sha256 {sha256}"))
    return found, errors


def _job(path: Path, rows: Sequence[dict[str, Any]], out: Path) -> RescaleJob:
    is_picture = rows[0]["is_picture"]
    chosen = tuple(
        Chosen(
            row["frame_id"],
            row["packet"],
            path.name if is_picture else None,
            Geometry(**{name: row[name] for name in _GEOMETRY}),
            row["image"],
            row["sha256"],
        )
        for row in rows
    )
    return RescaleJob(path.parent if is_picture else path, rows[0]["video_id"], chosen, out, rows[0]["assume_matrix"])
