import os
import shutil

import pytest

from apisr_data import sources


def write(path, content=b"x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_folders_are_walked_and_only_videos_and_pictures_taken(tmp_path):
    video = write(tmp_path / "season 1" / '第01話 "x" [a].MKV')
    picture = write(tmp_path / "art" / "a.png")
    for other in ("sub.srt", "note.txt", ".hidden.mkv", ".trash/b.mkv"):
        write(tmp_path / other)
    found = sources.find([tmp_path])
    assert found.videos == {video: tmp_path}
    assert found.pictures == {tmp_path / "art": [picture]}
    assert found.ignored == 2
    assert found.errors == []


def test_a_dataset_inside_a_source_is_not_its_own_source(tmp_path):
    write(tmp_path / "set" / "dataset.toml")
    write(tmp_path / "set" / "images" / "a.png")
    assert sources.find([tmp_path]).pictures == {}


def test_a_file_that_is_named_is_tried_whatever_its_suffix(tmp_path):
    video = write(tmp_path / "episode.dat")
    assert list(sources.find([video]).videos) == [video]


def test_the_same_file_given_twice_is_taken_once(tmp_path):
    video = write(tmp_path / "a.mkv")
    assert list(sources.find([video, tmp_path, video]).videos) == [video]


def test_a_missing_path_is_named_and_the_others_go_on(tmp_path):
    video = write(tmp_path / "a.mkv")
    found = sources.find([tmp_path / "nothing", video])
    assert list(found.videos) == [video]
    assert "nothing: no such file or folder" in str(found.errors[0])


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")
def test_a_folder_that_links_to_itself_ends(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path)
    video = write(tmp_path / "a.mkv")
    assert list(sources.find([tmp_path]).videos) == [video]


@pytest.mark.parametrize("size", [0, 1, 3 << 20, 9 << 20])
def test_an_id_follows_the_content_not_the_name(tmp_path, size):
    content = os.urandom(size)
    video = write(tmp_path / "a.mkv", content)
    copy = tmp_path / "b.mkv"
    shutil.copy(video, copy)
    assert sources.content_id(copy) == sources.content_id(video)
    copy.write_bytes(content[: size // 2] if size else b"x")
    assert sources.content_id(copy) != sources.content_id(video)
