"""extract: every I-frame of every video becomes a row and a thumbnail; its pixels stay in the video."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from apisr_data import config, engines, sources
from apisr_data.dataset import Dataset
from apisr_data.errors import InputError, ResourceError
from apisr_data.scorers import find as find_scorer
from apisr_data.stages import JobProgress, Progress, Report
from apisr_data.stages.extract.one_video import STATISTICS, ExtractJob, extract_video, write_failure
from apisr_data.stages.extract.sources_table import update_sources
from apisr_data.stages.score.one_video import ScoringJob

log = logging.getLogger(__name__)

VERSION = 2
"""Raised whenever the same video would give other rows; enters the digest."""


def extract(
    dataset: Dataset,
    paths: Iterable[Path],
    settings: config.Extract,
    *,
    scoring: ScoringJob | None = None,
    titles_csv: Path | None = None,
    workers: int = 1,
    hang_timeout_s: float = engines.HANG_TIMEOUT_S,
    force: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Read every video and picture under `paths` that has not been read with these settings.

    With `scoring`, frames are scored in the same decode; its parts are named when the digests are in force.

    Raises:
        ConfigError: the titles file cannot be used.
        OSError: the disk is full.
    """
    paths = list(paths)
    found = sources.find(paths)
    put_in_force(dataset, settings)
    rows, failed = update_sources(dataset, found, titles_csv)
    done = set() if force else dataset.done("extract") - _changed_failures(dataset, rows)
    wanted = {row["video_id"]: row for row in rows}  # one content at two places is one video
    jobs = [_job(dataset, row, settings, scoring) for video_id, row in wanted.items() if video_id not in done]
    failed += _known_failures(dataset, wanted.keys() & done)

    on_progress = JobProgress(progress, "extract", {job.video_id: _size(job) for job in jobs}, "bytes")
    frames = read = 0
    warnings: list[str] = []
    for outcome in engines.run(
        extract_video, jobs, workers=workers, hang_timeout_s=hang_timeout_s, on_progress=on_progress
    ):
        on_progress(outcome.job, 1.0)
        if isinstance(outcome.error, InputError):
            if not isinstance(outcome.error, ResourceError):  # that one is worth another try
                write_failure(outcome.job, outcome.error)
            failed.append(outcome.error)
        elif outcome.value:
            read += 1
            frames += outcome.value.frames
            warnings += outcome.value.warnings
            failed += [InputError(reason) for reason in outcome.value.errors]
    dataset.refresh()
    if found.ignored:
        log.info("left out %d files that are neither videos nor pictures", found.ignored)
    if not wanted and not failed:
        given = ", ".join(map(str, paths))
        failed.append(InputError(f"{given}: neither videos nor pictures here ({found.ignored} other files)"))
    if jobs and scoring and scoring.remark:
        warnings.insert(0, scoring.remark)
    summary = (
        f"{frames:,} frames; inputs: {read:,} new, {len(wanted) - len(jobs):,} known already, {len(failed):,} failed"
    )
    return Report("extract", summary, did_nothing=not jobs, failed=failed, warnings=warnings)


def put_in_force(dataset: Dataset, settings: config.Extract) -> None:
    """Make these settings the current ones, so that only parts made with them count."""
    versions = [f"{name}:{find_scorer(name).version}" for name in STATISTICS]
    dataset.put_in_force("extract", settings, config.digest(settings, str(VERSION), *versions))


def _job(dataset: Dataset, row: dict[str, Any], settings: config.Extract, scoring: ScoringJob | None) -> ExtractJob:
    video_id = row["video_id"]
    return ExtractJob(
        path=Path(row["path"]),
        video_id=video_id,
        mtime_ns=row["mtime_ns"],
        parts={t: dataset.part(t, video_id) for t in ("videos", "frames", "thumbnails", "packet_sizes")},
        exact=settings.exact,
        assume_matrix=settings.assume_matrix,
        pictures=tuple(row["pictures"]) if row.get("pictures") else None,
        scoring=scoring.for_video(dataset, video_id) if scoring else None,
    )


def _size(job: ExtractJob) -> int:
    return sum((job.path / n).stat().st_size for n in job.pictures) if job.pictures else job.path.stat().st_size


def _changed_failures(dataset: Dataset, rows: list[dict[str, Any]]) -> set[str]:
    """Videos that failed or had decode errors and whose file has changed since."""
    mtimes = {row["video_id"]: row["mtime_ns"] for row in rows}
    query = "SELECT video_id, mtime_ns FROM videos WHERE status = 'failed' OR decode_errors > 0"
    return {v for v, mtime_ns in dataset.sql(query).fetchall() if mtimes.get(v, mtime_ns) != mtime_ns}


def _known_failures(dataset: Dataset, video_ids: set[str]) -> list[InputError]:
    query = """
        SELECT video_id, if(is_cut_short, concat(path, ': ', reason), reason) AS error FROM videos
        WHERE status = 'failed' OR is_cut_short OR (kind = 'images' AND decode_errors > 0) ORDER BY error"""
    return [InputError(reason) for video_id, reason in dataset.sql(query).fetchall() if video_id in video_ids]
