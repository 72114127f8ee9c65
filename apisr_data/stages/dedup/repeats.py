"""Stretches that several videos share, at a constant shift in time: openings, endings, recaps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from apisr_data import tables
from apisr_data.dataset import Dataset
from apisr_data.stages.dedup.clusters import connected

SHIFT_S = 3.0
"""Two matches belong to one stretch when their shifts differ by no more. Encoders place I-frames at cuts, but also
inside long shots, there at instants of their own: a match can be off by the length of a held drawing."""
GAP_S = 30.0
"""Longest stretch without a match inside a run: shots that move have I-frames at other instants and match nothing."""
_NEXT_VIDEOS = 3  # a video is aligned with the next ones that show the picture, so that work grows with the dataset
_SAME_PICTURE = 16  # frames of one picture in one video that are looked at
_OPENING_ENDS = 0.3  # share of the video
_ENDING_STARTS = 0.7


@dataclass(frozen=True)
class Stretch:
    """A part of a video that is found in another one."""

    video_id: str
    start_s: float
    end_s: float


def find_repeats(dataset: Dataset, *, min_s: float, min_frames: int) -> pa.Table:
    """The rows of `repeats`, from the table of duplicates as it stands.

    A run has at least `min_frames` different pictures in common between two videos, over at least `min_s` seconds.
    """
    shared = [
        (Stretch(*row[:3]), Stretch(*row[3:]))
        for row in dataset.sql(
            _SHARED,
            {"shift_s": SHIFT_S, "gap_s": GAP_S, "min_s": min_s, "min_frames": min_frames}
            | {"next": _NEXT_VIDEOS, "same": _SAME_PICTURE},
        ).fetchall()
    ]
    runs = join_stretches(shared)
    schema = pa.schema([tables.REPEATS.schema.field(name) for name in ("run", "video_id", "start_s", "end_s")])
    found = [
        {"run": n, "video_id": s.video_id, "start_s": s.start_s, "end_s": s.end_s}
        for n, run in enumerate(runs)
        for s in run
    ]
    connection = dataset.connection
    connection.register("found_repeats", pa.Table.from_pylist(found, schema=schema))
    rows = connection.sql(_DESCRIBED).to_arrow_table().cast(tables.REPEATS.schema)
    connection.unregister("found_repeats")
    return rows


def join_stretches(shared: Sequence[tuple[Stretch, Stretch]]) -> list[list[Stretch]]:
    """Runs, from pairs of stretches that show the same: stretches of one video that overlap are one.

    Each run lists its stretches by video and start; the runs are in the order of their first stretch.
    """
    nodes = [stretch for pair in shared for stretch in pair]
    order = sorted(range(len(nodes)), key=lambda n: (nodes[n].video_id, nodes[n].start_s, nodes[n].end_s, n))
    merged: list[Stretch] = []
    merged_of = np.zeros(len(nodes), np.int64)
    for n in order:
        node = nodes[n]
        if merged and merged[-1].video_id == node.video_id and node.start_s <= merged[-1].end_s:
            merged[-1] = Stretch(node.video_id, merged[-1].start_s, max(merged[-1].end_s, node.end_s))
        else:
            merged.append(node)
        merged_of[n] = len(merged) - 1
    run_of = connected(len(merged), merged_of[0::2], merged_of[1::2])
    return [[merged[n] for n in np.flatnonzero(run_of == run)] for run in np.unique(run_of)]


# Each picture links its frames in videos that are neighbours by title and episode. The shifts of two videos are sorted
# into slots of twice the tolerance, in two grids half a slot apart, so that shifts within the tolerance share one.
_SHARED = """
WITH places AS (
    SELECT video_id, row_number() OVER (ORDER BY title, try_cast(episode AS DOUBLE), episode, path) AS place
    FROM videos WHERE kind = 'video'
), shown AS (
    SELECT d.kept_frame_id AS picture, video_id, f.time_s, place,
        dense_rank() OVER (PARTITION BY d.kept_frame_id ORDER BY place) AS seat
    FROM duplicates d JOIN frames f USING (frame_id) JOIN places USING (video_id)
    QUALIFY row_number() OVER (PARTITION BY d.kept_frame_id, video_id ORDER BY f.time_s) <= $same
), matches AS (
    SELECT a.picture, a.video_id AS a_video, b.video_id AS b_video, a.time_s AS a_s, b.time_s AS b_s,
        floor((b.time_s - a.time_s) / (2 * $shift_s) + phase) AS slot, phase
    FROM shown a JOIN shown b ON a.picture = b.picture AND b.seat BETWEEN a.seat + 1 AND a.seat + $next,
        (VALUES (0.0), (0.5)) grid(phase)
), gaps AS (
    SELECT *, coalesce(a_s - lag(a_s) OVER line > $gap_s, false) AS is_gap FROM matches
    WINDOW line AS (PARTITION BY a_video, b_video, phase, slot ORDER BY a_s, b_s)
), stretches AS (
    SELECT *, count_if(is_gap) OVER line AS stretch FROM gaps
    WINDOW line AS (PARTITION BY a_video, b_video, phase, slot ORDER BY a_s, b_s ROWS UNBOUNDED PRECEDING)
)
SELECT a_video, min(a_s), max(a_s), b_video, min(b_s), max(b_s)
FROM stretches GROUP BY a_video, b_video, phase, slot, stretch
HAVING count(DISTINCT picture) >= $min_frames AND max(a_s) - min(a_s) >= $min_s AND max(b_s) - min(b_s) >= $min_s
ORDER BY ALL"""

_DESCRIBED = f"""
WITH lengths AS (
    SELECT video_id, greatest(any_value(duration_s), max(time_s), 1e-3) AS length_s
    FROM frames JOIN videos USING (video_id) GROUP BY video_id
), counted AS (
    SELECT run, r.video_id, start_s, end_s, count(*) AS frames, any_value((start_s + end_s) / 2 / length_s) AS middle
    FROM found_repeats r JOIN lengths USING (video_id)
    JOIN frames f ON f.video_id = r.video_id AND f.time_s BETWEEN start_s AND end_s
    GROUP BY run, r.video_id, start_s, end_s
), placed AS (SELECT *, median(middle) OVER (PARTITION BY run) AS place FROM counted)
SELECT run, video_id, start_s, end_s, frames, CASE
    WHEN place <= {_OPENING_ENDS} THEN 'opening' WHEN place >= {_ENDING_STARTS} THEN 'ending' ELSE 'repeat' END AS kind
FROM placed ORDER BY run, video_id, start_s"""  # noqa: S608 (two numbers of this module)
