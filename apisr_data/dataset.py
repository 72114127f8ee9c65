"""A dataset folder: which parts are current, where they lie, and one DuckDB connection over all of them.

    dataset.toml                            format version; per stage its settings and digest in force
    tables/sources.parquet                  the only table that is updated
    tables/<table>/<video_id>.<digest>.parquet      one part a video; `digest` names the settings that made it
    tables/<table>.parquet                  tables over all videos; each names the digest of what it was made from
    images/  manifest.parquet

A part is current when its digest is the stage's and its video is in `sources`; old parts stay on disk, unread.
"""

import hashlib
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import filelock
import pyarrow as pa
import pyarrow.parquet as pq
import tomli_w

from apisr_data import tables
from apisr_data.config import Recipe, Settings, parse
from apisr_data.errors import DatasetError, MissingStageError, QueryError
from apisr_data.views import connect, refuse_damaged

FORMAT = 1

STAGE_OF_TABLE = {
    "videos": "extract",
    "frames": "extract",
    "thumbnails": "extract",
    "packet_sizes": "extract",
    "descale": "score",
    "scores": "score",
}
_DONE_TABLE = {"extract": "videos", "score": "scores"}  # the table that a stage writes last for a video


class Dataset:
    """An open dataset folder.

    `sql` sees every table of `tables.TABLES` as a view of its current parts; `videos` also has what `sources` says of
    the title and what `native_heights` says of its native height.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state: dict[str, Any] = _read_state(path)
        self._connection: duckdb.DuckDBPyConnection | None = None

    # --- what is in force -------------------------------------------------------------------------------------

    def digest(self, stage: str) -> str | None:
        """Digest of the settings in force for `stage`; None before it ever ran."""
        stages: dict[str, dict[str, Any]] = self._state.get("stages", {})
        return stages[stage]["digest"] if stage in stages else None

    def settings(self, stage: str, model: type[Settings]) -> Settings | None:
        """The settings in force for `stage`, as `model`; None before it ever ran."""
        stages: dict[str, dict[str, Any]] = self._state.get("stages", {})
        if stage not in stages:
            return None
        return parse(model, stages[stage].get("settings", {}), f"{self.path / 'dataset.toml'}: stages.{stage}")

    def recipe(self) -> Recipe:
        """The settings in force for every stage; the defaults where none are."""
        in_force = {stage: self.settings(stage, type(default)) or default for stage, default in Recipe()}
        return Recipe.model_validate(in_force)

    def put_in_force(self, stage: str, settings: Settings, digest: str) -> None:
        """From now on the parts of `stage` with `digest` are the current ones."""
        entry = {"digest": digest, "settings": settings.model_dump(mode="json", exclude_none=True)}
        if self._state.get("stages", {}).get(stage) == entry:
            return
        self._state.setdefault("stages", {})[stage] = entry
        _write_state(self.path, self._state)
        self.refresh()

    # --- parts ------------------------------------------------------------------------------------------------

    def part(self, table: str, video_id: str) -> Path:
        """Where the current part of `table` for this video stands, or will stand."""
        stage = STAGE_OF_TABLE[table]
        digest = self.digest(stage)
        if digest is None:
            raise MissingStageError(f"{self.path}: nothing extracted yet; run 'apisr-data {stage}' first")
        return self._folder(table) / f"{video_id}.{digest}.parquet"

    def done(self, stage: str) -> set[str]:
        """Ids of the videos that have every current part of `stage`, or only the one that says why they failed.

        A table of which there is no folder was never written and asks for no parts.
        """
        last = self._video_ids(_DONE_TABLE[stage])
        tables_of_stage = [t for t, s in STAGE_OF_TABLE.items() if s == stage and self._folder(t).is_dir()]
        whole = last.intersection(*map(self._video_ids, tables_of_stage))
        return whole | {v for v in last - whole if stage == "extract" and self._has_failed(v)}

    def parts(self, table: str) -> list[Path]:
        """The current parts of `table`, sorted; only of videos in `sources` whose stage is complete."""
        done = self.done(STAGE_OF_TABLE[table]) & self.done("extract")
        return [self.part(table, v) for v in sorted(done & self._known_videos() & self._video_ids(table))]

    def table_path(self, table: str) -> Path:
        """Where a table over all videos stands."""
        return self.path / ("manifest.parquet" if table == "manifest" else f"tables/{table}.parquet")

    def write_table(self, table: tables.Table, rows: pa.Table, made_from: str) -> None:
        """Replace a table over all videos; `made_from` is the digest that `is_up_to_date` will compare."""
        metadata = {**(rows.schema.metadata or {}), b"made_from": made_from.encode()}
        tables.write(rows.replace_schema_metadata(metadata), self.table_path(table.name))
        self.refresh()

    def is_up_to_date(self, table: str, made_from: str) -> bool:
        """Whether the table over all videos stands and was made from exactly this."""
        path = self.table_path(table)
        if not path.exists():
            return False
        refuse_damaged([path])
        return (pq.read_schema(path).metadata or {}).get(b"made_from") == made_from.encode()

    def fingerprint(self, *names: str) -> str:
        """A digest of the current content of these tables, by file names, sizes and times; cheap."""
        state = hashlib.blake2b(digest_size=6)
        for name in names:
            files = self.parts(name) if name in STAGE_OF_TABLE else [self.table_path(name)]
            for path in files:
                if path.exists():
                    stat = path.stat()
                    state.update(f"{path.name}:{stat.st_size}:{stat.st_mtime_ns};".encode())
        return state.hexdigest()

    # --- SQL --------------------------------------------------------------------------------------------------

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """An in-memory DuckDB connection whose views are this dataset's tables; files are only read.

        Raises:
            DatasetError: a table's file is empty or cut off.
        """
        if self._connection is None:
            self._connection = connect(self.path, {t.name: self._files(t) for t in tables.TABLES})
        return self._connection

    def sql(self, query: str, parameters: Mapping[str, object] | list[object] | None = None) -> duckdb.DuckDBPyRelation:
        """The result of `query` over the views, as a DuckDB relation (`.df()`, `.to_arrow_table()`, `.fetchall()`)."""
        try:
            return self.connection.sql(query, params=parameters)
        except duckdb.Error as error:
            raise QueryError(str(error)) from None

    def manifest(self) -> pa.Table:
        """The manifest, one row a training image."""
        path = self.table_path("manifest")
        if not path.exists():
            raise MissingStageError(f"{path}: not written yet; run 'apisr-data run' or 'apisr-data export' first")
        refuse_damaged([path])
        return pq.read_table(path)

    def _files(self, table: tables.Table) -> list[Path]:
        """The current files of a table."""
        if table.is_per_video:
            return self.parts(table.name)
        path = self.table_path(table.name)
        return [path] if path.exists() else []

    def refresh(self) -> None:
        """Let the views see what was written since the connection was made."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # --- one writer -------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the dataset for writing, and clear what a killed run left half-written.

        Raises:
            DatasetError: another run is writing it.
        """
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise DatasetError(f"{self.path}: another run is writing this dataset; wait for it to end") from None
        try:
            self._state = _read_state(self.path)  # another run may have ended since it was opened
            self._clear_leftovers()
            yield
        finally:
            self._clear_leftovers()
            lock.release()

    def _clear_leftovers(self) -> None:
        for leftover in (*self.path.glob("tables/**/.*.tmp"), *self.path.glob("images/.*.tmp")):
            leftover.unlink(missing_ok=True)

    def _known_videos(self) -> set[str]:
        path = self.table_path("sources")
        if not path.exists():
            return set()
        refuse_damaged([path])
        return set(pq.read_table(path, columns=["video_id"]).column(0).to_pylist())

    def _folder(self, table: str) -> Path:
        return self.path / "tables" / table

    def _video_ids(self, table: str) -> set[str]:
        """Ids of the videos that have a current part of `table`."""
        digest, folder = self.digest(STAGE_OF_TABLE[table]), self._folder(table)
        if digest is None or not folder.is_dir():
            return set()
        end = f".{digest}.parquet"
        names = os.listdir(folder)  # noqa: PTH208 -- a Path for each of many thousands takes three times as long
        return {name.removesuffix(end) for name in names if name.endswith(end) and name[0] != "."}

    def _has_failed(self, video_id: str) -> bool:
        path = self.part("videos", video_id)
        refuse_damaged([path])
        statuses: list[str] = pq.read_table(path, columns=["status"]).column(0).to_pylist()
        return statuses == ["failed"]


def is_dataset(path: Path) -> bool:
    """Whether the folder holds a dataset."""
    return (path / "dataset.toml").exists()


def open_dataset(path: str | Path) -> Dataset:
    """The dataset in this folder.

    Raises:
        DatasetError: the folder holds no dataset, a damaged one or one of a newer format.
    """
    folder = Path(path)
    if not is_dataset(folder):
        raise DatasetError(f"{folder}: no dataset here; 'apisr-data extract VIDEOS -d {folder}' makes one")
    return Dataset(folder)


def create_dataset(path: str | Path) -> Dataset:
    """The dataset in this folder, made where there is none.

    Raises:
        DatasetError: the folder holds other things, or a damaged or newer dataset.
    """
    folder = Path(path)
    if is_dataset(folder):
        return open_dataset(folder)
    if folder.exists() and (
        not folder.is_dir() or any(f for f in folder.iterdir() if f.name not in (".lock", ".dataset.toml.tmp"))
    ):
        raise DatasetError(f"{folder}: not empty and not a dataset; give a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    _write_state(folder, {"format": FORMAT})
    return Dataset(folder)


def _read_state(path: Path) -> dict[str, Any]:
    file = path / "dataset.toml"
    try:
        state = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise DatasetError(f"{file}: cannot be read: {error}") from None
    if state.get("format") != FORMAT:
        raise DatasetError(f"{file}: format {state.get('format')!r}, this version reads {FORMAT}; update apisr")
    return state


def _write_state(path: Path, state: dict[str, Any]) -> None:
    temporary = path / ".dataset.toml.tmp"
    try:
        temporary.write_text(tomli_w.dumps(state), encoding="utf-8")
        temporary.replace(path / "dataset.toml")
    finally:
        temporary.unlink(missing_ok=True)
