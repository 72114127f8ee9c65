import errno
from pathlib import Path

import pytest

from apisr_data import engines
from apisr_data.errors import FetchError, HangError
from tests.data.jobs import Task, act

IN_PROCESS_AND_POOL = pytest.mark.parametrize("workers", [0, 2])


def run(tasks: list[Task], workers: int, **options):
    return {o.job.path.name: o for o in engines.run(act, tasks, workers=workers, **options)}


@IN_PROCESS_AND_POOL
def test_every_job_comes_back_with_its_value(workers):
    outcomes = run([Task(Path(f"{i}.mkv"), value=i) for i in range(6)], workers)
    assert {name: o.value for name, o in outcomes.items()} == {f"{i}.mkv": 2 * i for i in range(6)}


@IN_PROCESS_AND_POOL
@pytest.mark.parametrize(
    ("does", "message"),
    [
        ("refuse", "bad.mkv: refused"),
        ("surprise", "bad.mkv: unexpected ZeroDivisionError: by nothing"),
        ("lose the file", "bad.mkv: No such file or directory"),
    ],
)
def test_a_failing_input_fails_alone_and_by_name(workers, does, message):
    outcomes = run([Task(Path("a.mkv")), Task(Path("bad.mkv"), does), Task(Path("b.mkv"))], workers)
    assert str(outcomes["bad.mkv"].error) == message
    assert outcomes["a.mkv"].value == outcomes["b.mkv"].value == 2


def test_a_silent_worker_is_stopped_and_its_video_named():
    outcomes = run([Task(Path("a.mkv")), Task(Path("bad.mkv"), "hang"), Task(Path("b.mkv"))], 1, hang_timeout_s=6.0)
    assert isinstance(outcomes["bad.mkv"].error, HangError)
    assert str(outcomes["bad.mkv"].error) == "bad.mkv: the decoder did not answer for 6 s and was stopped"
    assert outcomes["a.mkv"].value == outcomes["b.mkv"].value == 2


def test_a_worker_that_dies_fails_its_video_only():
    outcomes = run([Task(Path("bad.mkv"), "crash"), Task(Path("b.mkv"))], 1)
    assert str(outcomes["bad.mkv"].error) == "bad.mkv: the decoder crashed (exit code 9); file skipped"
    assert outcomes["b.mkv"].value == 2


@IN_PROCESS_AND_POOL
def test_a_full_disk_stops_the_run(workers):
    with pytest.raises(OSError, match="No space left") as caught:
        run([Task(Path("a.mkv"), "fill the disk"), Task(Path("b.mkv"))], workers)
    assert caught.value.errno == errno.ENOSPC


@IN_PROCESS_AND_POOL
def test_an_error_that_is_no_input_s_stops_the_run(workers):
    with pytest.raises(FetchError, match="no weights"):
        run([Task(Path("a.mkv"), "miss weights")], workers)


@IN_PROCESS_AND_POOL
def test_progress_is_reported_by_job(workers):
    heard = []
    run([Task(Path("a.mkv"))], workers, on_progress=lambda job, share: heard.append((job.path.name, share)))
    assert ("a.mkv", 0.5) in heard


def test_leaving_early_ends_the_workers():
    outcomes = engines.run(act, [Task(Path("a.mkv")), Task(Path("b.mkv"), "hang")], workers=2)
    assert next(outcomes).value == 2
    outcomes.close()
    import multiprocessing

    assert not multiprocessing.active_children()
