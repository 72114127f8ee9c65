"""extract: every I-frame of every video becomes a row and a thumbnail; its pixels stay in the video."""

import hashlib
import itertools
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from apisr_data import config, engines, sources, tables, titles
from apisr_data.dataset import Dataset
from apisr_data.errors import InputError
from apisr_data.scorers import find as find_scorer
from apisr_data.stages import Progress, Report, Silence
from apisr_data.stages.extract.one_video import STATISTICS, ExtractJob, extract_video, write_failure
from apisr_data.stages.score.one_video import ScoringJob

log = logging.getLogger(__name__)

VERSION = 1
"""Raised whenever the same video would give other rows; enters the digest."""

PICTURES_A_BATCH = 500


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
    progress = progress or Silence()
    found = sources.find(paths)
    put_in_force(dataset, settings)
    rows, failed = update_sources(dataset, found, titles_csv)
    done = set() if force else dataset.done("extract") - _changed_failures(dataset, rows)
    wanted = {row["video_id"]: row for row in rows}  # one content at two places is one video
    jobs = [_job(dataset, row, settings, scoring) for video_id, row in wanted.items() if video_id not in done]
    failed += _known_failures(dataset, wanted.keys() & done)

    sizes = {job.path: _size(job) for job in jobs}
    shares = dict.fromkeys(sizes, 0.0)
    progress.begin("extract", sum(sizes.values()), "bytes")

    def on_progress(job: ExtractJob, share: float) -> None:
        progress.advance((share - shares[job.path]) * sizes[job.path])
        shares[job.path] = share

    frames = 0
    warnings: list[str] = []
    for outcome in engines.run(
        extract_video, jobs, workers=workers, hang_timeout_s=hang_timeout_s, on_progress=on_progress
    ):
        on_progress(outcome.job, 1.0)
        if isinstance(outcome.error, InputError):
            write_failure(outcome.job, outcome.error)
            failed.append(outcome.error)
        elif outcome.value:
            frames += outcome.value.frames
            warnings += outcome.value.warnings
            failed += [InputError(reason) for reason in outcome.value.failed_pictures]
    dataset.refresh()
    if found.ignored:
        log.info("left out %d files that are neither videos nor pictures", found.ignored)
    read = len(jobs) - len([f for f in failed if f])
    summary = f"{frames:,} frames of {max(read, 0)} new inputs; {len(wanted) - len(jobs)} known already"
    return Report("extract", summary, did_nothing=not jobs, failed=failed, warnings=warnings)


def put_in_force(dataset: Dataset, settings: config.Extract) -> None:
    """Make these settings the current ones, so that only parts made with them count."""
    versions = [f"{name}:{find_scorer(name).version}" for name in STATISTICS]
    dataset.put_in_force("extract", settings, config.digest(settings, str(VERSION), *versions))


def update_sources(
    dataset: Dataset, found: sources.Found, titles_csv: Path | None
) -> tuple[list[dict[str, Any]], list[InputError]]:
    """Write what was found into the table of sources; returns the rows of this call and what could not be read.

    Places that were seen by earlier calls stay in the table.
    """
    overrides = titles.read_titles_csv(titles_csv) if titles_csv else None
    path = dataset.table_path("sources")
    before = {(r["path"], r["video_id"]): r for r in dataset.sql("FROM sources").to_arrow_table().to_pylist()}
    known = {r["path"]: r for r in before.values() if r["kind"] == "video"}
    rows: list[dict[str, Any]] = []
    failed = list(found.errors)
    for video, root in found.videos.items():
        try:
            stat = video.stat()
            old = known.get(str(video))
            is_same = old is not None and (old["bytes"], old["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns)
            video_id = old["video_id"] if old and is_same else sources.content_id(video)
        except OSError as error:
            failed.append(InputError(f"{video}: {error.strerror}"))
            continue
        title = titles.title_of(video, root)
        rows.append(
            {
                "video_id": video_id,
                "path": str(video),
                "bytes": stat.st_size,
                "mtime_ns": stat.st_mtime_ns,
                "kind": "video",
                "title": title.title,
                "episode": title.episode,
            }
        )
    for folder, pictures in found.pictures.items():
        batches = [r for r in before.values() if r["path"] == str(folder) and r["kind"] == "images"]
        rows += _batches(folder, pictures, batches)
    for row in rows:
        row |= {"source": None, "licence": "unknown"}
        if overrides and (override := overrides.apply(Path(row["path"]))):
            row |= {k: v for k, v in override.items() if v}
        elif not overrides and (old := before.get((row["path"], row["video_id"]))):
            row |= {k: old[k] for k in ("title", "episode", "source", "licence")}
    seen = {row["path"] for row in rows}
    after = [r for r in before.values() if r["path"] not in seen] + rows
    table = tables.SOURCES.rows(after).sort_by([("path", "ascending"), ("video_id", "ascending")])
    if not path.exists() or table != pq.read_table(path):
        tables.write(table, path)
        dataset.refresh()
    return rows, failed


def _batches(folder: Path, pictures: list[Path], before: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows for a folder's pictures: a batch that is unchanged stays as it is, the other pictures make new ones."""
    stats = {p.name: p.stat() for p in pictures if p.exists()}

    def row(names: list[str]) -> dict[str, Any]:
        state = hashlib.blake2b(digest_size=8)
        for name in names:
            state.update(f"{name}\0{stats[name].st_size}\0{stats[name].st_mtime_ns}\n".encode(errors="surrogateescape"))
        return {
            "video_id": state.hexdigest(),
            "path": str(folder),
            "bytes": sum(stats[n].st_size for n in names),
            "mtime_ns": max(stats[n].st_mtime_ns for n in names),
            "kind": "images",
            "pictures": names,
            "title": folder.name,
            "episode": None,
        }

    left = set(stats)
    for old in before:
        if left.issuperset(old["pictures"]) and (same := row(old["pictures"]))["video_id"] == old["video_id"]:
            left.difference_update(old["pictures"])
            yield same
    rest = iter(sorted(left))
    while names := list(itertools.islice(rest, PICTURES_A_BATCH)):
        yield row(names)


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
    query = "SELECT video_id, reason FROM videos WHERE status = 'failed' ORDER BY reason"
    return [InputError(reason) for video_id, reason in dataset.sql(query).fetchall() if video_id in video_ids]
