"""Jobs one at a time."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from apisr_model.demo.jobs import Jobs, Report, Update
from apisr_model.errors import JobError


def finished(jobs: Jobs, session: str, work: Callable[[Report], Any]) -> tuple[list[Update], Any]:
    """What a job tells, and its result."""
    told, running = [], jobs.run(session, work)
    while True:
        try:
            told.append(next(running))
        except StopIteration as end:
            return told, end.value


def test_a_job_tells_how_far_it_is_and_gives_its_result() -> None:
    jobs, seen = Jobs(waiting=0, longest_s=10), threading.Event()

    def work(report: Report) -> int:
        report(Update("upscaling", 0.5))
        seen.wait(1)
        return 7

    told, result = finished(jobs, "a", work)
    assert Update("upscaling", 0.5) in told
    assert result == 7
    jobs.close()


def test_a_jobs_error_is_raised_where_it_is_followed() -> None:
    jobs = Jobs(waiting=0, longest_s=10)
    with pytest.raises(ZeroDivisionError):
        finished(jobs, "a", lambda _: 1 // 0)
    jobs.close()


def test_one_runs_others_wait_and_more_are_refused() -> None:
    jobs, go = Jobs(waiting=1, longest_s=10), threading.Event()
    first = jobs.run("a", lambda _: go.wait(10))
    assert next(first).stage in ("waiting", "starting")
    second = jobs.run("b", lambda _: True)
    assert next(second) == Update("waiting", None, "1 before this one")
    with pytest.raises(JobError, match="1 jobs wait already"):
        next(jobs.run("c", lambda _: True))
    go.set()
    assert list(second)[-1:] != [Update("stopping")]
    first.close()
    jobs.close()


def test_stopping_a_session_ends_its_jobs_alone() -> None:
    jobs, begun, go = Jobs(waiting=2, longest_s=10), threading.Event(), threading.Event()

    def work(report: Report) -> str:
        begun.set()
        while not go.wait(0.01):
            report(Update("upscaling"))
        return "done"

    running, waiting, other = jobs.run("a", work), jobs.run("a", work), jobs.run("b", lambda _: "done")
    for job in (running, waiting, other):
        next(job)
    begun.wait(5)
    jobs.stop("a")
    for job in (running, waiting):
        with pytest.raises(JobError, match="nothing of it was kept"):
            list(job)
    list(other)
    jobs.close()


def test_a_job_that_takes_too_long_is_stopped() -> None:
    jobs = Jobs(waiting=0, longest_s=0.05)

    def work(report: Report) -> None:
        while True:
            report(Update("upscaling"))

    with pytest.raises(JobError, match="the longest that a job may take here"):
        finished(jobs, "a", work)
    jobs.close()


def test_closing_the_follower_stops_the_job() -> None:
    jobs, stopped = Jobs(waiting=0, longest_s=10), threading.Event()

    def work(report: Report) -> None:
        try:
            while True:
                report(Update("upscaling"))
        except JobError:
            stopped.set()
            raise

    running = jobs.run("a", work)
    next(running)
    running.close()
    assert stopped.wait(5)
    jobs.close()
