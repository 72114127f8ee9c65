"""Ten million frame rows as parts of a dataset: the queries of every day, timed against pandas on the same files.

    python benchmarks/query.py [--frames 10000000] [--videos 1000] [--select]

Each answer is checked to be the same. --select also times a whole selection by both policies.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from apisr_data import config, tables
from apisr_data.dataset import Dataset, create_dataset
from apisr_data.stages.select import select

BY_SCENE = """
    SELECT video_id, count(*) AS frames, avg(complexity) AS complexity, avg(entropy) AS entropy
    FROM frames JOIN scores USING (video_id, frame_id) GROUP BY video_id ORDER BY video_id"""
BEST = """
    SELECT frame_id FROM frames JOIN scores USING (video_id, frame_id) WHERE entropy > 5 AND time_s > 90
    QUALIFY row_number() OVER (PARTITION BY video_id ORDER BY complexity DESC, frame_id) <= 10 ORDER BY frame_id"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=10_000_000)
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--select", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dataset = make_dataset(Path(folder) / "dataset", arguments.frames, arguments.videos)
        for name, query, answer in (
            ("ten best of each video", BEST, best),
            ("means of each video", BY_SCENE, by_video),
        ):
            with timed(f"{name}, SQL"):
                ours = dataset.sql(query).df()
            with timed(f"{name}, pandas"):
                theirs = answer(dataset)
            pd.testing.assert_frame_equal(ours, theirs, check_dtype=False)
        for policy in ("diverse", "paper") if arguments.select else ():
            with timed(f"select, {policy}"):
                print("   ", select(dataset, config.Select(policy=policy)).summary)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


def best(dataset: Dataset) -> pd.DataFrame:
    rows = read(dataset, ["video_id", "frame_id", "entropy", "time_s"], ["video_id", "frame_id", "complexity"])
    rows = rows[(rows["entropy"] > 5) & (rows["time_s"] > 90)]
    rows = rows.sort_values(["complexity", "frame_id"], ascending=[False, True]).groupby("video_id").head(10)
    return rows[["frame_id"]].sort_values("frame_id", ignore_index=True)


def by_video(dataset: Dataset) -> pd.DataFrame:
    rows = read(dataset, ["video_id", "frame_id", "entropy"], ["video_id", "frame_id", "complexity"])
    groups = rows.groupby("video_id")
    means = {"frames": groups.size(), "complexity": groups["complexity"].mean(), "entropy": groups["entropy"].mean()}
    return pd.DataFrame(means).reset_index()


def read(dataset: Dataset, frames: list[str], scores: list[str]) -> pd.DataFrame:
    parts: Callable[[str, list[str]], pd.DataFrame] = lambda table, columns: pd.concat(  # noqa: E731
        pd.read_parquet(part, columns=columns) for part in dataset.parts(table)
    )
    return parts("frames", frames).merge(parts("scores", scores), on=["video_id", "frame_id"])


def make_dataset(folder: Path, frames: int, videos: int) -> Dataset:
    dataset = create_dataset(folder)
    dataset.put_in_force("extract", config.Extract(), "e" * 12)
    dataset.put_in_force("score", config.Score(), "5" * 12)
    rng = np.random.default_rng(0)
    count = frames // videos
    ids = [f"{n:016x}" for n in range(videos)]
    numbers = np.arange(count)
    for video_id in ids:
        named: dict[str, Any] = {
            "frame_id": pa.array([f"{video_id}-{n}" for n in numbers]),
            "video_id": pa.array([video_id] * count),
        }
        measured = {
            "time_s": numbers * 1440 / count,
            "entropy": rng.normal(6, 1, count),
            "combing": np.zeros(count),
            "complexity": rng.random(count),
            "sharpness": rng.random(count),
            "phash": rng.integers(0, 2**64, count, np.uint64),
            "packet": numbers.astype(np.int32),
            "scene": (numbers // 3).astype(np.int32),
            "width": np.full(count, 1920, np.int32),
            "height": np.full(count, 1080, np.int32),
        }
        write(tables.FRAMES.with_columns(double("entropy", "combing")), named | measured, dataset, video_id)
        write(tables.SCORES.with_columns(double("sharpness")), named | measured, dataset, video_id)
        tables.write(tables.VIDEOS.rows([{"video_id": video_id, "status": "done"}]), dataset.part("videos", video_id))
    sources = [{"video_id": video_id, "path": f"/{video_id}.mkv", "kind": "video", "title": "T"} for video_id in ids]
    dataset.write_table(tables.SOURCES, tables.SOURCES.rows(sources), "")
    for table in (tables.DUPLICATES, tables.REPEATS):
        dataset.write_table(table, table.rows([]), "")
    return dataset


def double(*names: str) -> list[tables.Column]:
    return [tables.Column(name, pa.float64(), "") for name in names]


def write(table: tables.Table, columns: dict[str, Any], dataset: Dataset, video_id: str) -> None:
    """One part; a column that is not given is null."""
    count = len(columns["frame_id"])
    arrays = [columns.get(c.name, pa.nulls(count, c.type)) for c in table.columns]
    tables.write(pa.table([pa.array(a) for a in arrays], schema=table.schema), dataset.part(table.name, video_id))


@contextmanager
def timed(what: str) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    print(f"{what}: {time.perf_counter() - wall:.1f} s, {time.process_time() - cpu:.1f} s of CPU time", flush=True)


if __name__ == "__main__":
    main()
