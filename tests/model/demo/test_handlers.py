"""What the events say when something goes wrong, and a video that would take too long."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from apisr_data.errors import UsageError
from apisr_model import checkpoint
from apisr_model.demo import previews, videos
from apisr_model.demo.handlers import Handlers
from apisr_model.demo.jobs import Jobs
from apisr_model.demo.limits import Limits
from apisr_model.demo.room import Room
from apisr_model.demo.shelf import Shelf
from apisr_model.upscale.video.options import Options
from tests.model.upscale.video.films import film

VISITOR: Any = SimpleNamespace(session_hash="visitor")


@pytest.fixture
def handlers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Handlers]:
    monkeypatch.setenv("APISR_CACHE", str(tmp_path / "cache"))
    room, jobs = Room(60, most_bytes=10**6), Jobs(waiting=2, longest_s=60)
    yield Handlers(Shelf(), Limits(), room, jobs, jobs)
    jobs.close()
    room.close()


def upload(handlers: Handlers) -> str:
    """A picture where Gradio would put it."""
    Image.new("RGB", (16, 16), "white").save(handlers.room.path / "a.png")
    return str(handlers.room.path / "a.png")


def test_a_fault_of_ours_is_logged_in_full_and_told_without_a_word_of_it(
    handlers: Handlers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(previews, "enhance", broken)
    *_, last = handlers.enhance(upload(handlers), 0.975, VISITOR)
    assert "Something went wrong on the server" in last[0]
    assert "secret" not in last[0]
    assert "RuntimeError: secret" in caplog.text
    assert [path.name for path in handlers.room.path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), "The memory ran out"),
        (OSError(28, "No space left on device", "/secret"), "No space left on device"),
    ],
)
def test_a_full_machine_is_told_without_its_folders(
    handlers: Handlers, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(previews, "enhance", full)
    *_, last = handlers.enhance(upload(handlers), 0.975, VISITOR)
    assert told in last[0]
    assert "secret" not in last[0]


def test_no_weights_are_told_with_what_to_do(handlers: Handlers) -> None:
    *_, last = handlers.upscale_picture(upload(handlers), None, 0, 1, 0, False, VISITOR)
    assert "apisr-model weights fetch" in last[0]


def test_a_file_that_is_here_no_more_is_to_be_chosen_again(handlers: Handlers) -> None:
    *_, last = handlers.enhance(str(handlers.room.path / "gone.png"), 0.975, VISITOR)
    assert ">gone.png is here no more" in last[0]


def test_a_video_that_cannot_end_in_time_is_told_so_early(
    tmp_path: Path, small_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(videos, "_TRIAL_S", 0.0)
    network, source = checkpoint.load(small_weights), film(tmp_path / "film.mkv")
    with pytest.raises(UsageError, match="choose a shorter part or faster weights"):
        videos.upscale(source, network, Options(), Limits(max_minutes=1e-9), lambda _: None)
    assert not list(tmp_path.glob("film.apisr.*"))


def test_a_job_empties_what_the_last_one_showed_when_it_starts_and_when_it_fails(handlers: Handlers) -> None:
    (handlers.room.path / "text.png").write_text("no picture")
    updates = list(handlers.enhance(str(handlers.room.path / "text.png"), 0.975, VISITOR))
    assert len(updates) > 1
    for _, slider, steps, _ in (updates[0], updates[-1]):
        assert slider["value"] is steps["value"] is None
    assert [updates[0][-1]["interactive"], updates[-1][-1]["interactive"]] == [True, False]  # Cancel
    (refused,) = handlers.upscale_picture(None, None, 0, 1, 0, False, VISITOR)
    assert refused[2] == {**refused[2], "value": None, "interactive": False}
