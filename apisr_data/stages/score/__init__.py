"""score: what each frame is worth, by the scorers that the settings name, and the height each title was drawn at."""

import logging
from pathlib import Path
from typing import Any

from apisr_data import cache, config, engines, native_height, scorers, tables
from apisr_data.dataset import Dataset
from apisr_data.errors import ConfigError, FetchError, InputError, MissingStageError
from apisr_data.scorers import icnet
from apisr_data.stages import JobProgress, Progress, Report
from apisr_data.stages.origin import origin_of
from apisr_data.stages.score.one_video import ScoreJob, ScoringJob, score_video

log = logging.getLogger(__name__)

VERSION = 1
"""Raised whenever the same frames would give other rows for a reason outside the scorers; enters the digest."""


def plan(settings: config.Score, *, weights: Path | None = None, device: str = "auto") -> ScoringJob:
    """The scoring that `settings` ask for on this machine: `auto` is decided, and the weights are named by their sum.

    Raises:
        FetchError: icnet was asked for, and its weights or torch are absent.
    """
    scorer, options, sha256, remark = settings.scorer, {}, None, None
    if learned := [name for name in settings.also if scorers.is_complexity(name) and name != "detail"]:
        raise ConfigError(f"score.also: '{learned[0]}' needs weights; choose it as score.scorer")
    if scorer == "auto":
        missing = icnet.missing(weights)
        scorer = "detail" if missing else "icnet"
        remark = f"complexity is scored by 'detail': {missing}" if missing else None
    if scorer == "icnet":
        if missing := icnet.missing(weights):
            raise FetchError(missing)
        path = icnet.weights_path(weights)
        options = {"device": device, "weights": path, "precision": settings.precision}
        sha256 = cache.sha256_of(path)
    return ScoringJob(settings, settings.model_copy(update={"scorer": scorer}), sha256, options, remark=remark)


def put_in_force(dataset: Dataset, scoring: ScoringJob) -> None:
    """Make this scoring the current one; it depends on how the frames were extracted."""
    names = (scoring.settings.scorer, *scoring.settings.also)
    versions = [f"{name}:{scorers.find(name).version}" for name in names]
    extracted = dataset.digest("extract")
    if extracted is None:
        raise MissingStageError(f"{dataset.path}: nothing to score; run 'apisr-data extract' first")
    digest = config.digest(scoring.settings, extracted, str(VERSION), str(scoring.weights_sha256), *versions)
    dataset.put_in_force("score", scoring.asked, digest)


def score(
    dataset: Dataset,
    scoring: ScoringJob,
    *,
    workers: int = 1,
    hang_timeout_s: float = engines.HANG_TIMEOUT_S,
    force: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Score the frames of every video that has not been scored so; each video is decoded again.

    Raises:
        MissingStageError: nothing has been extracted.
        OSError: the disk is full.
    """
    put_in_force(dataset, scoring)
    extracted = config.Extract.model_validate(dataset.settings("extract", config.Extract) or config.Extract())
    done = set() if force else dataset.done("score")
    query = "SELECT video_id, i_frames, kind FROM videos WHERE status = 'done' ORDER BY path"
    videos = dataset.sql(query).fetchall()
    frames = {video_id: i_frames for video_id, i_frames, _ in videos}
    jobs: list[ScoreJob] = []
    failed: list[InputError] = []
    for video_id, _, kind in videos:
        if video_id in done:
            continue
        origin = origin_of(dataset, video_id)
        if isinstance(origin, InputError):
            failed.append(origin)
            continue
        jobs.append(
            ScoreJob(
                path=origin.path,
                video_id=video_id,
                frames_part=dataset.part("frames", video_id),
                is_video=kind == "video",
                scoring=scoring.for_video(dataset, video_id),
                exact=extracted.exact,
                assume_matrix=extracted.assume_matrix,
            )
        )
    known = len(videos) - len(jobs) - len(failed)
    on_progress = JobProgress(progress, "score", {job.video_id: frames[job.video_id] for job in jobs}, "frames")
    for outcome in engines.run(
        score_video, jobs, workers=workers, hang_timeout_s=hang_timeout_s, on_progress=on_progress
    ):
        on_progress(outcome.job, 1.0)
        if isinstance(outcome.error, InputError):
            failed.append(outcome.error)
    dataset.refresh()
    write_native_heights(dataset)
    scored = sum(frames[job.video_id] for job in jobs)
    summary = f"{scored:,} frames by {scoring.settings.scorer}; inputs: {known:,} scored already"
    remarks = [scoring.remark] if jobs and scoring.remark else []
    return Report("score", summary, did_nothing=not jobs and not failed, failed=failed, warnings=remarks)


def write_native_heights(dataset: Dataset) -> None:
    """The native height of each title and source height, from the descale curves of all its videos."""
    made_from = dataset.fingerprint("descale", "sources")
    if dataset.is_up_to_date("native_heights", made_from):
        return
    query = """
        SELECT v.title, v.height AS source_height, d.video_id, d.kernel, d.height, d.log_error, d.frames
        FROM descale d JOIN videos v USING (video_id) ORDER BY ALL"""
    by_title: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in dataset.sql(query).to_arrow_table().to_pylist():
        by_title.setdefault((row["title"], row["source_height"]), []).append(row)
    heights = []
    for (title, source_height), rows in by_title.items():
        estimate = native_height.estimate_by_title(rows, source_height)
        frames = {row["video_id"]: row["frames"] for row in rows}
        heights.append(
            {
                "title": title,
                "source_height": source_height,
                "height": estimate.height,
                "kernel": estimate.kernel,
                "confidence": estimate.confidence,
                "videos": len(frames),
                "frames": sum(frames.values()),
            }
        )
    dataset.write_table(tables.NATIVE_HEIGHTS, tables.NATIVE_HEIGHTS.rows(heights), made_from)
