"""One DuckDB connection whose views are the Parquet files of a dataset; it reads them and writes nothing."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb

from apisr_data import tables
from apisr_data.errors import DatasetError

_NAMED = 5  # damaged files that a message names

_VIDEOS = """
    CREATE VIEW videos AS
    SELECT v.*, s.kind, s.path, s.title, s.episode, s.source, s.licence,
        n.height AS native_height, n.kernel AS native_kernel, n.confidence AS native_confidence
    FROM parts.videos v
    JOIN (SELECT * FROM sources QUALIFY row_number() OVER (PARTITION BY video_id ORDER BY path) = 1) s USING (video_id)
    LEFT JOIN native_heights n ON n.title = s.title AND n.source_height = v.height"""


def connect(root: Path, files: Mapping[str, Sequence[Path]]) -> duckdb.DuckDBPyConnection:
    """An in-memory connection with a view over each table's `files`, all of them under `root`; empty where none are.

    Raises:
        DatasetError: a file is empty, cut off or overwritten at its end.
    """
    connection = duckdb.connect(":memory:")
    connection.execute("CREATE SCHEMA parts")
    folder = as_pattern(root.resolve()).replace("'", "''")
    for table in tables.TABLES:
        parts = files[table.name]
        refuse_damaged(parts)
        name = "parts.videos" if table.name == "videos" else table.name
        if parts:
            listed = ", ".join(f"'{folder}/{f.relative_to(root).as_posix()}'" for f in parts)
            connection.execute(
                f"CREATE VIEW {name} AS SELECT * FROM read_parquet([{listed}], hive_partitioning = false)"  # noqa: S608
            )
        else:
            empty = table.schema.empty_table()  # noqa: F841 -- DuckDB finds it by name
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM empty")  # noqa: S608
    connection.execute(_VIDEOS)
    return connection


def refuse_damaged(files: Iterable[Path]) -> None:
    """Raise a DatasetError that names the files (five at most) that are empty, cut off or overwritten at their end.

    DuckDB opens the files of a view when rows are asked for, which is too late for a message of ours.
    """
    damaged = [f for f in files if not _has_end(f)]
    if damaged:
        more = f" and {len(damaged) - _NAMED} more" if len(damaged) > _NAMED else ""
        them = "it" if len(damaged) == 1 else "them"
        raise DatasetError(f"{', '.join(map(str, damaged[:_NAMED]))}{more}: damaged; delete {them} and run again")


def _has_end(parquet: Path) -> bool:
    with parquet.open("rb", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 4, 0))
        return size >= 12 and file.read(4) == b"PAR1"  # head, length of the footer and tail take 12


def as_pattern(path: Path) -> str:
    """The pattern that matches `path` alone: DuckDB takes every path for one."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))
