"""dedup: which frames of the whole dataset show the same picture, and which one is kept for each; nothing is deleted.

Hashes find the candidates, thumbnails confirm them, and the best frame of a group is kept (`_PREFERENCE`).
"""

import logging

import numpy as np
import pyarrow as pa

from apisr_data import config, tables
from apisr_data.dataset import Dataset
from apisr_data.errors import MissingStageError
from apisr_data.stages import Progress, Report, Silence
from apisr_data.stages.dedup.clusters import Clusters, cluster
from apisr_data.stages.dedup.hash_pairs import near_pairs
from apisr_data.stages.dedup.repeats import find_repeats
from apisr_data.stages.dedup.stored_grids import StoredGrids

log = logging.getLogger(__name__)

VERSION = 1
"""Raised whenever the same frames would be grouped in another way; enters the digest."""

# Measured values differ in every decimal, so they are compared in steps; else the first of them would decide alone.
# Bits per pixel compare encodes of one codec and size only: those two stand before it, in an order without a meaning.
_PREFERENCE = """coalesce(f.is_corrupt, false), coalesce(v.native_height, f.height) DESC,
    round(blockiness * 4) NULLS LAST, round(sharpness * 50) DESC NULLS LAST,
    v.codec, f.height DESC, f.width DESC, round(f.bits_per_pixel, 2) DESC, s.complexity DESC NULLS LAST, f.frame_id"""


def dedup(dataset: Dataset, settings: config.Dedup, *, progress: Progress | None = None) -> Report:
    """Group the frames of all videos, and find the stretches that videos share; writes duplicates and repeats.

    Raises:
        MissingStageError: nothing has been extracted.
        OSError: the disk is full.
    """
    if dataset.digest("extract") is None:
        raise MissingStageError(f"{dataset.path}: no frames to compare; run 'apisr-data extract' first")
    dataset.put_in_force("dedup", settings, config.digest(settings, str(VERSION)))
    source = made_from(dataset, settings)
    if _is_current(dataset, source):
        return Report("dedup", "duplicates are known already", did_nothing=True)

    total, frames = _frames(dataset, settings.min_entropy)
    rows = _duplicates(dataset, frames, settings, progress or Silence())
    dataset.write_table(tables.DUPLICATES, rows, source)
    repeats = find_repeats(dataset, min_s=settings.repeat_s, min_frames=settings.repeat_frames)
    dataset.write_table(tables.REPEATS, repeats, source)
    dropped = int(np.count_nonzero(rows["rank"].to_numpy() > 1))
    runs = len(repeats["run"].unique())
    return Report(
        "dedup",
        f"{dropped:,} of {total:,} frames are duplicates; too plain to compare: {total - len(frames):,}; "
        f"stretches that videos share: {runs:,}",
    )


def require_current(dataset: Dataset) -> None:
    """Make sure that duplicates and repeats are those of the frames as they are now.

    Raises:
        MissingStageError: they are not.
    """
    if not _is_current(dataset, made_from(dataset, dataset.recipe().dedup)):
        raise MissingStageError(
            f"{dataset.path}: no duplicates of the frames as they are now; run 'apisr-data dedup {dataset.path}' first"
        )


def made_from(dataset: Dataset, settings: config.Dedup) -> str:
    """What names these settings and the tables as they are now; the stage's own tables carry it."""
    inputs = dataset.fingerprint("frames", "thumbnails", "scores", "videos", "native_heights", "sources")
    return f"{config.digest(settings, str(VERSION))} {inputs}"


def _is_current(dataset: Dataset, made_from: str) -> bool:
    return all(dataset.is_up_to_date(table, made_from) for table in ("duplicates", "repeats"))


def _frames(dataset: Dataset, min_entropy: float) -> tuple[int, pa.Table]:
    """How many frames there are; and frame_id and phash of those with enough entropy, the best first."""
    total = int(dataset.sql("SELECT count(*) FROM frames").fetchall()[0][0])
    if not total:
        return 0, tables.FRAMES.schema.empty_table().select(["frame_id", "phash"])
    absent = {"sharpness", "blockiness"} - set(dataset.sql("FROM scores").columns)
    scores = "".join(f", NULL::DOUBLE AS {column}" for column in sorted(absent))
    query = f"""
        SELECT f.frame_id, f.phash
        FROM frames f JOIN videos v USING (video_id)
        LEFT JOIN (SELECT *{scores} FROM scores) s ON s.frame_id = f.frame_id
        WHERE f.entropy >= $min_entropy ORDER BY {_PREFERENCE}"""  # noqa: S608
    return total, dataset.sql(query, {"min_entropy": min_entropy}).to_arrow_table()


def _duplicates(dataset: Dataset, frames: pa.Table, settings: config.Dedup, progress: Progress) -> pa.Table:
    phash = frames["phash"].to_numpy()
    hashes, hash_of, counts = np.unique(phash, return_inverse=True, return_counts=True)
    pairs = near_pairs(hashes, settings.phash_distance)
    log.info("%d frames, %d hashes, %d pairs of them near", len(phash), len(hashes), len(pairs[0]))

    has_company = counts > 1
    has_company[np.concatenate(pairs)] = True
    numbers = np.flatnonzero(has_company[hash_of])  # frames worth a look, still the best first
    candidates = frames.take(pa.array(numbers))
    position = np.cumsum(has_company) - 1
    near = position[pairs[0]], position[pairs[1]]
    progress.begin("dedup", len(candidates), "thumbnails")
    with StoredGrids(dataset, candidates["frame_id"], progress) as grids:
        found = cluster(position[hash_of[numbers]], near, grids.differences, settings.thumbnail_difference)
    log.info("%d pairs of thumbnails compared", found.comparisons)
    return _rows(candidates, found)


def _rows(frames: pa.Table, found: Clusters) -> pa.Table:
    """The table of duplicates: every member of a cluster of two or more."""
    _, number, size = np.unique(found.cluster, return_inverse=True, return_counts=True)
    members = np.flatnonzero(size[number] > 1)
    members = members[np.lexsort((members, found.kept[members], number[members]))]
    kept = found.kept[members]
    is_first = np.concatenate([[True], kept[1:] != kept[:-1]]) if len(kept) else np.empty(0, bool)
    rank = np.arange(len(kept)) - np.maximum.accumulate(np.where(is_first, np.arange(len(kept)), 0)) + 1
    phash = frames["phash"].to_numpy()
    columns = {
        "frame_id": frames["frame_id"].take(pa.array(members)),
        "cluster": np.unique(number[members], return_inverse=True)[1].astype(np.int32),
        "kept_frame_id": frames["frame_id"].take(pa.array(kept)),
        "rank": rank.astype(np.int32),
        "distance": np.bitwise_count(phash[members] ^ phash[kept]).astype(np.int32),
        "thumbnail_difference": found.difference[members].astype(np.float64),
    }
    return pa.table(columns, schema=tables.DUPLICATES.schema)
