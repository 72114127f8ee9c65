import os

import pytest

from apisr_model import cores


@pytest.mark.parametrize(("allowed", "processes", "expected"), [(12, "1", 12), (12, "5", 2), (2, "8", 1)])
def test_processes_share_the_cores_that_they_may_use(
    monkeypatch: pytest.MonkeyPatch, allowed: int, processes: str, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(allowed)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
    assert cores.mine() == expected


def test_where_no_system_tells_which_they_are_all_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert cores.mine() == 6
