"""What becomes of the processes that make pairs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.model.manifests import four_pictures

pytestmark = pytest.mark.slow  # each worker starts an interpreter and loads torch

LOOP = """
import multiprocessing, os, signal, sys
from pathlib import Path
from apisr_model.data import Pairs, batches, read_manifest
from apisr_model.degrade import Degradation, DegradationConfig
from apisr_model.errors import TrainingError

if __name__ == "__main__":
    rows = read_manifest(Path(sys.argv[1])).train
    pairs = Pairs(rows, Degradation(DegradationConfig(), 2), crop_px=16, crops=2, seed=0)
    source = batches(pairs, range(2**40), 4, workers=2)
    next(source)
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    try:
        for batch in source:
            pass
    except TrainingError as error:
        print(error, flush=True)
"""


def started(folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """A process that reads batches without end, and its workers."""
    script = folder / "loop.py"
    script.write_text(LOOP)
    command = [sys.executable, str(script), str(four_pictures(folder))]
    loop = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path.cwd())
    assert loop.stdout
    return loop, [int(pid) for pid in loop.stdout.readline().split()]


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" in status.read_text()


def assert_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 20
    while not all(map(is_gone, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [pid for pid in pids if not is_gone(pid)] == []


def test_a_worker_that_is_killed_stops_the_run_with_a_reason(tmp_path: Path) -> None:
    loop, workers = started(tmp_path)
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    told, _ = loop.communicate(timeout=60)
    assert "a process that makes training pairs died; its memory may have run out: try fewer workers" in told
    assert_gone(workers)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_end_by_a_signal_leaves_no_worker(tmp_path: Path, number: signal.Signals) -> None:
    loop, workers = started(tmp_path)
    loop.send_signal(number)
    loop.communicate(timeout=60)
    assert loop.returncode != 0
    assert_gone(workers)
