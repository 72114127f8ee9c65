"""The folder for what visitors bring and get: nobody else can read it, and nothing in it stays."""

import os
import secrets
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from apisr_data.errors import InputError

_SWEEP_S = 30.0
_ARRIVES_S = 60.0
"""A file beside the uploads' folders that has not grown for so long is of an upload that was broken off."""


class Room:
    """A new temporary folder; what in it has been left alone for `keep_s` goes, and all of it with `close`.

    Uploads together take at most `most_bytes`.
    """

    def __init__(self, keep_s: float, most_bytes: int) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="apisr-demo-")).resolve()
        self._keep_s, self._most_bytes = keep_s, most_bytes
        self._arriving_bytes = 0
        self._lock = threading.Lock()
        self._at_work: set[Path] = set()
        self._of_session: defaultdict[str, set[Path]] = defaultdict(set)
        self._closing = threading.Event()
        self._sweeper = threading.Thread(target=self._sweep_on, name="demo-sweeper", daemon=True)
        self._sweeper.start()

    @contextmanager
    def arrival(self, size: int) -> Iterator[bool]:
        """Whether there is room for an upload of `size` bytes, which is counted until the block ends.

        Uploads not used for longest make way; jobs hold theirs in folders of their own.
        """
        with self._lock:
            self._arriving_bytes += size
            has_room = self._make_way()
        try:
            yield has_room
        finally:
            with self._lock:
                self._arriving_bytes -= size

    @contextmanager
    def job(self, session: str, upload: Path) -> Iterator[Path]:
        """The upload, in a folder of its own whose name nobody can guess; results are written beside it.

        The folder goes if the block raises; else the results stay until they are swept or their session leaves.

        Raises:
            InputError: the upload is not here, or not any more.
        """
        if not upload.resolve().is_relative_to(self.path) or not upload.is_file():
            raise InputError(f"{upload.name} is here no more; choose it again")
        folder = self.path / secrets.token_hex(16)
        with self._lock:
            self._at_work.add(folder)
            self._of_session[session].add(folder)
        try:
            folder.mkdir()
            source = folder / upload.name
            _link(upload, source)
            yield source
            source.unlink()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            with self._lock:
                self._at_work.discard(folder)

    def leave(self, session: str) -> None:
        """Remove the results of a session."""
        with self._lock:
            theirs = self._of_session.pop(session, set()) - self._at_work
        for folder in theirs:
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what has been left alone for long enough."""
        with self._lock:
            at_work = set(self._at_work)
        for path in self.path.iterdir():
            if path not in at_work and time.time() - _changed(path) > self._keep_s:
                _remove(path)
        with self._lock:
            for session, folders in list(self._of_session.items()):
                folders -= {folder for folder in folders - self._at_work if not folder.exists()}
                if not folders:
                    del self._of_session[session]

    def close(self) -> None:
        """Remove the folder."""
        self._closing.set()
        self._sweeper.join()
        shutil.rmtree(self.path, ignore_errors=True)

    def _make_way(self) -> bool:
        """Remove the uploads that were used least lately until those that stay and those that arrive fit."""
        if self._arriving_bytes > self._most_bytes:
            return False
        results = set[Path]().union(self._at_work, *self._of_session.values())
        uploads = [(_changed(path), path) for path in self.path.iterdir() if path not in results]
        complete = sorted(at for at in uploads if at[1].is_dir() or time.time() - at[0] > _ARRIVES_S)
        sizes = [_bytes(path) for _, path in complete]
        left = self._arriving_bytes + sum(sizes)
        for (_, path), size in zip(complete, sizes, strict=True):
            if left > self._most_bytes:
                _remove(path)
                left -= size
        return True

    def _sweep_on(self) -> None:
        while not self._closing.wait(min(_SWEEP_S, self._keep_s)):
            self.sweep()


def _link(upload: Path, source: Path) -> None:
    try:
        os.link(upload, source)
    except OSError:  # a file system without hard links
        shutil.copyfile(upload, source)


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    if not path.is_dir():
        path.unlink(missing_ok=True)


def _bytes(path: Path) -> int:
    """What the files in a folder, or one file, take."""
    sizes = [0]
    for one in (path, *path.rglob("*")):
        with suppress(FileNotFoundError):
            sizes.append(one.lstat().st_size if one.is_file() else 0)
    return sum(sizes)


def _changed(path: Path) -> float:
    """When it, or what lies in it, was last changed: seconds since the epoch."""
    times = [0.0]
    for one in (path, *path.rglob("*")):
        with suppress(FileNotFoundError):
            times.append(one.lstat().st_ctime)
    return max(times)
