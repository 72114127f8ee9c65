"""Run a function once a video: in this process, or in a pool of processes with a watchdog.

A decoder can hang while it holds the interpreter's lock, or take its process down; so each worker is a process that
reports as it goes, and one that stays silent is ended and replaced. Its video fails by name, the others go on.
"""

import errno
import logging
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from apisr_data.errors import ApisrError, HangError, InputError, ResourceError

log = logging.getLogger(__name__)

HANG_TIMEOUT_S = 120.0
_BEAT_S = 0.2  # a report more often than this costs more than it tells
_FATAL_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}

Beat = Callable[[float], None]
"""Called by the function as it goes, with the share of its job that is done (0..1)."""


class Job(Protocol):
    """What the function is called with: it must pickle and name its input."""

    @property
    def path(self) -> Path:
        """The file that errors are reported under."""


J = TypeVar("J", bound=Job)
R = TypeVar("R")


@dataclass(frozen=True)
class Outcome(Generic[J, R]):
    """What became of a job: `value`, or `error` with the reason."""

    job: J
    value: R | None = None
    error: ApisrError | None = None


def run(
    function: Callable[[J, Beat], R],
    jobs: Sequence[J],
    *,
    workers: int,
    hang_timeout_s: float = HANG_TIMEOUT_S,
    on_progress: Callable[[J, float], None] = lambda _job, _share: None,
) -> Iterator[Outcome[J, R]]:
    """Outcomes of `function` over `jobs`, as they come.

    `workers` 0 runs in this process, without a watchdog. Leaving the iterator early ends the workers.

    Raises:
        OSError: the disk is full or read-only, which no other job would survive either.
    """
    if workers == 0:
        yield from _run_here(function, jobs, on_progress)
        return
    pool: list[_Worker[J, R]] = []
    waiting = list(reversed(jobs))
    try:
        while waiting or any(w.job is not None for w in pool):
            while waiting and len([w for w in pool if w.job is not None]) < workers:
                idle = next((w for w in pool if w.job is None), None)
                if idle is None:
                    idle = _Worker(function, threads=max(1, (os.cpu_count() or 1) // workers))
                    pool.append(idle)
                idle.give(waiting.pop())
            yield from _next_outcomes(pool, hang_timeout_s, on_progress)
            pool = [w for w in pool if w.is_usable]
    finally:
        for worker in pool:
            worker.end()


def _run_here(
    function: Callable[[J, Beat], R], jobs: Sequence[J], on_progress: Callable[[J, float], None]
) -> Iterator[Outcome[J, R]]:
    for job in jobs:
        try:
            value = _attempt(function, job, lambda share, job=job: on_progress(job, share))  # type: ignore[misc]
        except InputError as error:
            yield Outcome(job, error=error)
        else:
            yield Outcome(job, value=value)


def _attempt(function: Callable[[J, Beat], R], job: J, beat: Beat) -> R:
    """The function's value; whatever goes wrong with this input alone becomes an InputError that names it."""
    try:
        return function(job, beat)
    except ApisrError:
        raise
    except OSError as error:
        if error.errno in _FATAL_ERRNOS:
            raise
        raise InputError(f"{job.path}: {error.strerror or error}") from error
    except MemoryError as error:
        raise ResourceError(f"{job.path}: out of memory; try fewer --workers") from error
    except Exception as error:
        log.debug("%s", traceback.format_exc())
        raise InputError(f"{job.path}: unexpected {type(error).__name__}: {error}") from error


class _Worker(Generic[J, R]):
    """A process that does one job after another, and when it was last heard."""

    def __init__(self, function: Callable[[J, Beat], R], *, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(theirs, function), daemon=True)
        with _environment(OMP_NUM_THREADS=threads, OPENBLAS_NUM_THREADS=1, OPENCV_FOR_THREADS_NUM=1), _no_interrupt():
            self.process.start()
        theirs.close()
        self.job: J | None = None
        self.heard_s = time.monotonic()
        self.is_usable = True

    def give(self, job: J) -> None:
        self.job = job
        self.heard_s = time.monotonic()
        self.connection.send(job)

    def take(self, *, error: ApisrError | None = None, value: R | None = None) -> Outcome[J, R]:
        assert self.job is not None
        outcome = Outcome(self.job, value, error)
        self.job = None
        return outcome

    def end(self) -> None:
        self.is_usable = False
        self.connection.close()
        self.process.terminate()
        self.process.join(2)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """A process that is started here is deaf to Ctrl-C from its first instruction on; here it comes when this ends."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _environment(**variables: int) -> Iterator[None]:
    """These environment variables for a process that is started here, unless the user has set them."""
    added = {name: str(value) for name, value in variables.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _next_outcomes(
    pool: list[_Worker[J, R]], hang_timeout_s: float, on_progress: Callable[[J, float], None]
) -> Iterator[Outcome[J, R]]:
    """Wait until some worker says something, dies or has been silent for too long."""
    busy = {w.connection: w for w in pool if w.job is not None}
    for ready in wait(list(busy), timeout=min(1.0, hang_timeout_s)):
        worker = busy[ready]  # type: ignore[index]
        assert worker.job is not None
        worker.heard_s = time.monotonic()
        try:
            kind, content = worker.connection.recv()
        except (EOFError, OSError):  # it died: a decoder took it down, or the system did
            path = worker.job.path
            worker.process.join(5)
            outcome = worker.take(
                error=ResourceError(f"{path}: the decoder crashed (exit code {worker.process.exitcode}); file skipped")
            )
            worker.end()
            yield outcome
            continue
        if kind == "beat":
            on_progress(worker.job, content)
        elif kind == "done":
            yield worker.take(value=content)
        elif kind == "failed":
            yield worker.take(error=content)
        else:
            raise content
    now = time.monotonic()
    for worker in busy.values():
        if worker.job is not None and now - worker.heard_s > hang_timeout_s:
            path = worker.job.path
            outcome = worker.take(
                error=HangError(f"{path}: the decoder did not answer for {hang_timeout_s:.0f} s and was stopped")
            )
            worker.end()
            yield outcome


def _work(connection: Connection, function: Callable[[Any, Beat], object]) -> None:
    """A worker's life: jobs come in, reports and results go out, until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    last_s = 0.0

    def beat(share: float) -> None:
        nonlocal last_s
        now = time.monotonic()
        if now - last_s >= _BEAT_S:
            last_s = now
            connection.send(("beat", share))

    try:
        while True:
            job = connection.recv()
            try:
                connection.send(("done", _attempt(function, job, beat)))
            except InputError as error:
                connection.send(("failed", error))
            except (ApisrError, OSError) as error:
                connection.send(("stop", error))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
