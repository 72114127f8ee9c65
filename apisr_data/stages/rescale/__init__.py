"""rescale: the chosen frames, decoded again, become PNG files of the wanted height.

An image is named by its frame and by everything else that its pixels depend on: one that is there already is not made
again, and none is ever taken for another setting's.
"""

import hashlib
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from apisr_data import config, engines, tables
from apisr_data.dataset import Dataset
from apisr_data.errors import InputError, MissingStageError
from apisr_data.stages import JobProgress, Progress, Report
from apisr_data.stages.origin import origin_of
from apisr_data.stages.rescale.geometry import displayed_borders, plan
from apisr_data.stages.rescale.one_video import Chosen, RescaleJob, rescale_video
from apisr_data.stages.select import require_current as require_current_selection

VERSION = 1
"""Raised whenever the same frame and geometry would give other pixels; enters the images' names."""

FALLBACK_HEIGHT = 720

_REASONS_SHOWN = 5
_WITH_FAILURES = " with failures"
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"

_AGREEING = 0.8
_SIDES = ("left", "top", "right", "bottom")
# A border that four fifths of a video's frames have, all of them have: on a dark frame it cannot be seen.
_COMMON = ", ".join(f"quantile_disc(border_{side}, {1 - _AGREEING:.1f}) AS common_{side}" for side in _SIDES)
_BORDERS = ", ".join(f"greatest(border_{side}, if(v.kind = 'video', common_{side}, 0)) AS {side}" for side in _SIDES)
_SELECTED = f"""
    WITH c AS (SELECT video_id, {_COMMON} FROM frames GROUP BY video_id)
    SELECT f.*, {_BORDERS}, v.title, v.rotation, v.sample_aspect_ratio, v.native_height
    FROM selection s JOIN frames f USING (frame_id) JOIN videos v USING (video_id) JOIN c USING (video_id)
    WHERE s.is_kept ORDER BY f.video_id, f.packet"""  # noqa: S608

Rows = dict[str, dict[str, Any]]
"""Rows of the table of images by frame_id."""


def rescale(
    dataset: Dataset,
    settings: config.Rescale,
    *,
    workers: int = 1,
    hang_timeout_s: float = engines.HANG_TIMEOUT_S,
    force: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Make the images of the selected frames, and the table that says what became of each.

    Raises:
        MissingStageError: nothing was selected of the frames as they are now.
        OSError: the disk is full.
    """
    require_current_selection(dataset)
    dataset.put_in_force("rescale", settings, config.digest(settings, str(VERSION)))
    source = _made_from(dataset, settings)
    if not force and dataset.is_up_to_date("images", source) and _is_whole(dataset):
        return Report("rescale", "every image is there already", did_nothing=True)

    work = _planned(dataset, settings)
    known = {} if force else _known(dataset)
    reused = work.take(known)
    failed = _make(dataset, work, workers, hang_timeout_s, progress)
    rows = [work.rows[frame_id] for frame_id in sorted(work.rows)]
    dataset.write_table(tables.IMAGES, tables.IMAGES.rows(rows), source + _WITH_FAILURES if failed else source)

    made = sum(1 for row in rows if row.get("image")) - reused
    refused = len(rows) - reused - made - len(failed)
    summary = f"{made:,} images made, {reused:,} there already, {refused:,} refused, {len(failed):,} failed"
    errors = list({str(error): error for error in failed.values()}.values())
    return Report("rescale", summary, failed=errors, warnings=work.warnings)


def require_current(dataset: Dataset) -> None:
    """Make sure that the images are those of the selection and settings as they are now, failures aside.

    Raises:
        MissingStageError: they are not.
    """
    source = _made_from(dataset, dataset.recipe().rescale)
    if not any(dataset.is_up_to_date("images", known) for known in (source, source + _WITH_FAILURES)):
        raise MissingStageError(
            f"{dataset.path}: no images of the selection as it is now; run 'apisr-data rescale {dataset.path}' first"
        )


def _made_from(dataset: Dataset, settings: config.Rescale) -> str:
    """What names these settings and everything that the images are made of."""
    inputs = dataset.fingerprint("selection", "native_heights")
    return f"{config.digest(settings, str(VERSION))} {dataset.digest('extract')} {inputs}"


def assumed_matrix(dataset: Dataset) -> config.Matrix | None:
    """The colour matrix that `extract` took for untagged video; None for the guess by height."""
    extracted = dataset.settings("extract", config.Extract)
    return extracted.assume_matrix if isinstance(extracted, config.Extract) else None


def is_png(path: Path) -> bool:
    """Whether the file is there and not cut short: its last bytes are the end of a PNG."""
    try:
        with path.open("rb") as file:
            file.seek(-len(_PNG_END), os.SEEK_END)
            return file.read() == _PNG_END
    except OSError:
        return False


@dataclass
class _Work:
    rows: Rows = field(default_factory=dict)
    wanted: dict[str, list[Chosen]] = field(default_factory=dict)
    """Images to make, by video_id."""
    warnings: list[str] = field(default_factory=list)
    assume_matrix: config.Matrix | None = None

    def take(self, known: Rows) -> int:
        """Take over the images that are there already (by path); how many."""
        taken = 0
        for video_id, items in self.wanted.items():
            for item in items:
                self.rows[item.frame_id] |= known.get(item.image, {})
            self.wanted[video_id] = [item for item in items if item.image not in known]
            taken += len(items) - len(self.wanted[video_id])
        self.wanted = {video_id: items for video_id, items in self.wanted.items() if items}
        return taken


def _planned(dataset: Dataset, settings: config.Rescale) -> _Work:
    """What is to be made of each selected frame; a refused one has its row with the reason."""
    work = _Work(assume_matrix=assumed_matrix(dataset))
    if not dataset.parts("frames"):
        return work
    selected = dataset.sql(_SELECTED)
    unmeasured: set[str] = set()
    refusals: Counter[str] = Counter()
    below = 0
    for frame in selected.to_arrow_table().to_pylist():
        frame_id, height = frame["frame_id"], settings.height
        if height == "native":
            height = frame["native_height"] or FALLBACK_HEIGHT
            if not frame["native_height"]:
                unmeasured.add(frame["title"])
        borders = displayed_borders(
            (frame["left"], frame["top"], frame["right"], frame["bottom"]),
            sample_aspect_ratio=frame["sample_aspect_ratio"] or 1.0,
            rotation=frame["rotation"] or 0,
        )
        geometry = plan((frame["width"], frame["height"]), borders, height, settings)
        work.rows[frame_id] = row = {"frame_id": frame_id}
        if isinstance(geometry, str):
            row["reason"] = f"refused: {geometry}"
            refusals[geometry] += 1
            continue
        if frame["height"] < height:
            row["reason"] = f"kept at its size: {frame['height']} px high, below {height}"
            below += 1
        state = hashlib.blake2b(f"{VERSION} {work.assume_matrix} {geometry}".encode(), digest_size=6)
        image = f"images/{frame_id}.{state.hexdigest()}.png"
        chosen = Chosen(frame_id, frame["packet"], frame["image_name"], geometry, image)
        work.wanted.setdefault(frame["video_id"], []).append(chosen)
    work.warnings = [f"{t}: native height not known; {FALLBACK_HEIGHT} px taken" for t in sorted(unmeasured)]
    if below:
        work.warnings.append(
            f"{below:,} frames are lower than asked for and keep their size; below = refuse drops them"
        )
    work.warnings += [f"{count:,} frames refused: {why}" for why, count in refusals.most_common(_REASONS_SHOWN)]
    if rest := refusals.total() - sum(count for _, count in refusals.most_common(_REASONS_SHOWN)):
        work.warnings.append(f"{rest:,} frames refused for other reasons; each has its own in the table 'images'")
    return work


def _make(
    dataset: Dataset, work: _Work, workers: int, hang_timeout_s: float, progress: Progress | None
) -> dict[str, InputError]:
    """Make what is wanted and complete its rows; returns the frames that failed. Each finished video is remembered."""
    failed: dict[str, InputError] = {}
    jobs = []
    for video_id, chosen in work.wanted.items():
        origin = origin_of(dataset, video_id)
        if isinstance(origin, InputError):
            failed |= {item.frame_id: origin for item in chosen}
            continue
        lost = {item.frame_id: origin.lost.get(item.image_name or "") for item in chosen}
        failed |= {frame_id: error for frame_id, error in lost.items() if error}
        if usable := tuple(item for item in chosen if item.frame_id not in failed):
            jobs.append(RescaleJob(origin.path, video_id, usable, dataset.path, work.assume_matrix))
    on_progress = JobProgress(progress, "rescale", {job.video_id: len(job.chosen) for job in jobs}, "images")
    for outcome in engines.run(
        rescale_video, jobs, workers=workers, hang_timeout_s=hang_timeout_s, on_progress=on_progress
    ):
        on_progress(outcome.job, 1.0)
        if outcome.value:
            _remember(dataset, outcome.job.video_id, outcome.value.rows)
            for row in outcome.value.rows:
                work.rows[row["frame_id"]] |= row
            failed |= outcome.value.failed
        elif isinstance(outcome.error, InputError):
            failed |= {item.frame_id: outcome.error for item in outcome.job.chosen}
        elif outcome.error:
            raise outcome.error
    for frame_id, error in failed.items():
        work.rows[frame_id] = {"frame_id": frame_id, "reason": str(error)}
    return failed


# --- the images that are there ------------------------------------------------------------------------------------


def _known(dataset: Dataset) -> Rows:
    """What is known of the images in images/, by their path under the dataset; settings in force or not."""
    folder = dataset.path / "tables" / "images"
    if not folder.is_dir():
        return {}
    rows = pq.read_table(folder, schema=tables.IMAGES.schema).drop_columns(["reason"]).to_pylist()
    return {row["image"]: row for row in rows if is_png(dataset.path / row["image"])}


def _remember(dataset: Dataset, video_id: str, made: tuple[dict[str, Any], ...]) -> None:
    """Add rows to what is known of this video's images, so that a run cut short need not make them again."""
    path = dataset.path / "tables" / "images" / f"{video_id}.parquet"
    before = pq.read_table(path, schema=tables.IMAGES.schema).to_pylist() if path.exists() else []
    rows = {row["image"]: row for row in [*before, *made] if is_png(dataset.path / row["image"])}
    tables.write(tables.IMAGES.rows(list(rows.values())), path)


def _is_whole(dataset: Dataset) -> bool:
    images = dataset.sql("SELECT image FROM images WHERE image IS NOT NULL").fetchall()
    return all(is_png(dataset.path / image) for (image,) in images)
