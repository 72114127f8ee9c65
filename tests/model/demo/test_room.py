"""The folder of uploads and results."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from apisr_data.errors import InputError
from apisr_model.demo.room import Room


@pytest.fixture
def room() -> Iterator[Room]:
    made = Room(0.2, most_bytes=100)
    yield made
    made.close()
    assert not made.path.exists()


def uploaded(room: Room) -> Path:
    (room.path / "0123").mkdir()
    path = room.path / "0123" / "絵.png"
    path.write_bytes(b"picture")
    return path


def test_a_job_has_a_folder_of_its_own_and_keeps_its_results(room: Room) -> None:
    with room.job("a", uploaded(room)) as source:
        assert (source.name, source.read_bytes()) == ("絵.png", b"picture")
        result = source.with_name("result.png")
        result.write_bytes(b"large")
    assert result.exists()
    assert not source.exists()
    room.leave("b")
    assert result.exists()
    room.leave("a")
    assert not result.parent.exists()


def test_a_job_that_fails_leaves_nothing(room: Room) -> None:
    upload = uploaded(room)
    with pytest.raises(ValueError, match="broken"), room.job("a", upload) as source:  # noqa: PT012
        (source.parent / ".part").mkdir()
        raise ValueError("broken")
    assert not source.parent.exists()
    assert upload.exists()


def test_only_what_was_uploaded_is_taken(room: Room, tmp_path: Path) -> None:
    (tmp_path / "secret.png").touch()
    (room.path / "link.png").symlink_to(tmp_path / "secret.png")
    for path in (tmp_path / "secret.png", room.path / "link.png", room.path / "gone.png"):
        with pytest.raises(InputError, match="choose it again"), room.job("a", path):
            pass


def test_the_upload_not_used_for_longest_makes_way_and_a_job_keeps_its_own(room: Room) -> None:
    for name in ("old", "new"):
        (room.path / name).mkdir()
        (room.path / name / "x.png").write_bytes(bytes(40))
        time.sleep(0.02)
    with room.job("a", room.path / "old" / "x.png") as source:
        time.sleep(0.02)
        (room.path / "new" / "x.png").touch()
        with room.arrival(30) as has_room:
            assert has_room
            assert sorted(path.name for path in room.path.iterdir()) == sorted(("new", source.parent.name))
            assert source.stat().st_size == 40
            with room.arrival(80) as has_more:
                assert not has_more
        with room.arrival(100) as has_room:
            assert has_room
            assert not (room.path / "new").exists()


def test_what_is_left_alone_is_swept_and_what_is_at_work_is_not(room: Room) -> None:
    upload = uploaded(room)
    with room.job("a", upload) as source:
        deadline = time.monotonic() + 10
        while upload.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not upload.exists()
        assert source.exists()
