"""Jobs one at a time, in a thread of their own, that tell how far they are and can be stopped."""

import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar

from apisr_model.errors import JobError

_LOOK_UP_S = 0.2

Result = TypeVar("Result")


@dataclass(frozen=True)
class Update:
    """How far a job is: its `stage` the `share` of it that is done, 0..1 (None: nobody knows), and more."""

    stage: str
    share: float | None = None
    told: str = ""


Report = Callable[[Update], None]
"""What a job calls now and then.

Raises:
    JobError: it is to stop.
"""


@dataclass(eq=False)
class _Job:
    session: str
    future: Future[Any] = field(init=False)
    stop: threading.Event = field(default_factory=threading.Event)
    latest: Update | None = None
    """None: not begun."""


class Jobs:
    """Works off jobs in the order in which they come: `waiting` of them may wait, and none takes above `longest_s`."""

    def __init__(self, *, waiting: int, longest_s: float) -> None:
        self._pool = ThreadPoolExecutor(1, "demo-job")
        self._waiting, self._longest_s = waiting, longest_s
        self._lock = threading.Lock()
        self._unfinished: list[_Job] = []

    def run(self, session: str, work: Callable[[Report], Result]) -> Generator[Update, None, Result]:
        """Queue `work` and yield what it reports; closing the generator stops it.

        Raises:
            JobError: too many wait, it was stopped, or it took too long; and whatever `work` raises.
        """
        job = self._submit(session, work)
        shown: Update | None = None
        try:
            while not job.future.done():
                update = self._update(job)
                if update != shown:
                    yield update
                shown = update
                wait([job.future], _LOOK_UP_S)
            result: Result = job.future.result()
        except CancelledError:
            raise JobError(_STOPPED) from None
        finally:
            _stop(job)
        return result

    def stop(self, session: str) -> None:
        """Stop the jobs of a session, at their next report; those that wait never begin."""
        with self._lock:
            theirs = [job for job in self._unfinished if job.session == session]
        for job in theirs:
            _stop(job)

    def close(self) -> None:
        """Stop all, and wait until nothing runs any more."""
        with self._lock:
            jobs = list(self._unfinished)
        for job in jobs:
            _stop(job)
        self._pool.shutdown()

    def _submit(self, session: str, work: Callable[[Report], Any]) -> _Job:
        job = _Job(session)
        with self._lock:
            if len(self._unfinished) > self._waiting:
                raise JobError(f"{self._waiting} jobs wait already, as many as may; try again a little later")
            self._unfinished.append(job)
            job.future = self._pool.submit(self._work, job, work)
        job.future.add_done_callback(lambda _: self._forget(job))
        return job

    def _work(self, job: _Job, work: Callable[[Report], Result]) -> Result:
        begun = time.monotonic()

        def report(update: Update) -> None:
            if job.stop.is_set():
                raise JobError(_STOPPED)
            if time.monotonic() - begun > self._longest_s:
                raise JobError(f"stopped after {self._longest_s / 60:g} min, the longest that a job may take here")
            job.latest = update

        report(Update("starting"))
        return work(report)

    def _update(self, job: _Job) -> Update:
        if job.stop.is_set():
            return Update("stopping")
        if job.latest is not None:
            return job.latest
        with self._lock:
            ahead = self._unfinished.index(job) if job in self._unfinished else 0
        return Update("waiting", None, f"{ahead} before this one" if ahead else "")

    def _forget(self, job: _Job) -> None:
        with self._lock:
            self._unfinished.remove(job)


_STOPPED = "stopped; nothing of it was kept"


def _stop(job: _Job) -> None:
    job.stop.set()
    job.future.cancel()
