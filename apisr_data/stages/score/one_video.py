"""One video's frames through the scorers, into its parts."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from apisr_data import native_height, scorers, tables, video
from apisr_data.config import Score
from apisr_data.dataset import Dataset
from apisr_data.engines import Beat
from apisr_data.errors import VideoError
from apisr_data.images import ImageFile, Picture

PICTURES_AT_ONCE = 4


@dataclass(frozen=True)
class ScoringJob:
    """How frames are scored, and where one video's parts go."""

    asked: Score
    """The settings as they were given."""
    settings: Score
    """What they mean on this machine: `auto` decided."""
    weights_sha256: str | None = None
    """Of the weights that the complexity scorer uses."""
    options: dict[str, Any] = field(default_factory=dict)
    """Of the complexity scorer: weights and device."""
    parts: dict[str, Path] = field(default_factory=dict)
    remark: str | None = None
    """What a user should know of the choice of scorer, once something is scored by it."""

    def for_video(self, dataset: Dataset, video_id: str) -> "ScoringJob":
        """The same for one video of a dataset, into its current parts."""
        return replace(self, parts={t: dataset.part(t, video_id) for t in ("scores", "descale")})


@dataclass(frozen=True)
class ScoreJob:
    """One video whose frames are known and are to be scored."""

    path: Path
    video_id: str
    frames_part: Path
    is_video: bool
    scoring: ScoringJob
    exact: bool = False
    assume_matrix: str | None = None


def score_video(job: ScoreJob, beat: Beat) -> int:
    """Decode the frames of one video again and write their scores; returns how many.

    Raises:
        VideoError: the video cannot be read any more.
    """
    known = pq.read_table(job.frames_part, columns=["frame_id", "packet", "time_s", "image_name"]).to_pylist()
    with scoring(job.scoring, job.video_id, is_video=job.is_video) as ongoing:
        done = 0
        pictures = _pictures(job, known, lambda: beat(done / len(known)))
        while batch := list(itertools.islice(pictures, PICTURES_AT_ONCE)):
            ongoing.add(batch)
            done += len(batch)
        if done != len(known):
            raise VideoError(f"{job.path}: changed since it was extracted; run extract again")
    return done


def table(settings: Score) -> tables.Table:
    """The table of scores with the columns that these settings ask for."""
    names = dict.fromkeys((settings.scorer, *settings.also))
    return tables.SCORES.with_columns(c for name in names for c in scorers.columns(name))


def measure(by: Sequence[scorers.Scorer], pictures: Sequence[Picture]) -> list[dict[str, float]]:
    """Each picture's columns by these scorers, to six decimals: what lies below depends on the processor."""
    measured = {column: values for scorer in by for column, values in scorer.score(pictures).items()}
    return [{column: round(values[i].item(), 6) for column, values in measured.items()} for i in range(len(pictures))]


class Scoring:
    """Scores pictures as they come, into a part."""

    def __init__(self, job: ScoringJob, video_id: str, part: tables.PartWriter, *, is_video: bool) -> None:
        self._complexity = job.settings.scorer
        self._video_id = video_id
        self._part = part
        self._scorers = [_build(self._complexity, **job.options), *(_build(name) for name in job.settings.also)]
        self._heights = native_height.Sampler() if job.settings.native_height and is_video else None

    def add(self, frames: Sequence[tuple[str, float, Picture]]) -> None:
        """Score (frame_id, time_s, picture) triples."""
        rows = measure(self._scorers, [picture for _, _, picture in frames])
        for (frame_id, time_s, picture), row in zip(frames, rows, strict=True):
            named = {"complexity": row[self._complexity], "complexity_scorer": self._complexity}
            self._part.add({"frame_id": frame_id, "video_id": self._video_id, **named, **row})
            if self._heights:
                self._heights.offer(time_s, picture.luma())

    def descale_rows(self) -> Iterator[dict[str, object]]:
        """The descale curves of the frames that tell most about the native height."""
        for row in self._heights.curves() if self._heights else ():
            yield {"video_id": self._video_id, **row}


@contextmanager
def scoring(job: ScoringJob, video_id: str, *, is_video: bool) -> Iterator[Scoring]:
    """Score one video or batch of pictures; when the block ends well its parts are there, `scores` last.

    Pictures have no native height in common.
    """
    with (
        tables.PartWriter(table(job.settings), job.parts["scores"]) as scores,
        tables.PartWriter(tables.DESCALE, job.parts["descale"]) as descale,
    ):
        ongoing = Scoring(job, video_id, scores, is_video=is_video)
        yield ongoing
        for row in ongoing.descale_rows():
            descale.add(row)


@lru_cache(maxsize=8)
def _build(name: str, **options: Any) -> scorers.Scorer:
    """A scorer, once a process: a network is loaded for the first video and serves the others."""
    return scorers.build(name, **options)


def _pictures(
    job: ScoreJob, known: list[dict[str, Any]], on_packet: Callable[[], None]
) -> Iterator[tuple[str, float, Picture]]:
    by_packet = {row["packet"]: row for row in known}
    if not job.is_video:
        for row in known:
            yield row["frame_id"], row["time_s"], ImageFile(job.path / row["image_name"])
        return
    for frame in video.iframes(job.path, exact=job.exact, assume_matrix=job.assume_matrix, on_packet=on_packet):
        if frame.packet not in by_packet:
            raise VideoError(f"{job.path}: changed since it was extracted; run extract again")
        yield by_packet[frame.packet]["frame_id"], frame.time_s, frame
