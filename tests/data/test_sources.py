import os
import shutil
import sys
from pathlib import Path

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


@pytest.mark.parametrize("mark", [".apisr-export", ".apisr-replay"])
def test_what_was_exported_is_no_source(tmp_path, mark):
    write(tmp_path / "out" / mark)
    write(tmp_path / "out" / "train" / "a.png")
    assert sources.find([tmp_path]).pictures == {}


def test_pictures_that_were_seen_before_stay_in_their_batch(tmp_path):
    pictures = [write(tmp_path / f"{n}.png", bytes([n])) for n in range(3)]
    before = list(sources.batches(tmp_path, pictures, []))
    assert [row["pictures"] for row in before] == [["0.png", "1.png", "2.png"]]
    assert list(sources.batches(tmp_path, pictures[:1], before)) == before
    new = write(tmp_path / "3.png")
    assert [row["pictures"] for row in sources.batches(tmp_path, [new], before)][1:] == [["3.png"]]


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


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
@pytest.mark.parametrize("suffix", [".mkv", ".png"])
def test_what_is_no_regular_file_is_named_and_the_others_go_on(tmp_path, suffix):
    os.mkfifo(tmp_path / f"fifo{suffix}")
    (tmp_path / f"device{suffix}").symlink_to("/dev/zero")
    (tmp_path / f"gone{suffix}").symlink_to("nowhere")
    (tmp_path / f"loop{suffix}").symlink_to(f"loop{suffix}")
    good = write(tmp_path / f"a{suffix}")
    (tmp_path / f"link{suffix}").symlink_to(good)
    for given in ([tmp_path], sorted(tmp_path.iterdir())):
        found = sources.find(given)
        taken = [*found.videos, *found.pictures.get(tmp_path, [])]
        assert taken == [good, tmp_path / f"link{suffix}"]
        assert [str(error) for error in found.errors] == [
            f"{tmp_path}/device{suffix}: not a regular file",
            f"{tmp_path}/fifo{suffix}: not a regular file",
            f"{tmp_path}/gone{suffix}: a link to nothing",
            f"{tmp_path}/loop{suffix}: Too many levels of symbolic links",
        ]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems allow no such name")
def test_a_name_that_is_not_utf_8_is_named_and_the_others_go_on(tmp_path):
    def latin(name):
        return write(Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)))

    for name in (b"l\xe9.webm", b"l\xe9.png", b"l\xe9.srt", b"s\xe9rie/a.mkv", b"s\xe9rie/b/c.mkv"):
        latin(name)
    good = write(tmp_path / "é.mkv")
    found = sources.find([tmp_path])
    assert found.videos == {good: tmp_path}
    assert (found.pictures, found.ignored) == ({}, 1)
    assert sorted(str(error) for error in found.errors) == [
        rf"{tmp_path}/{name}: its name is not UTF-8; rename it" for name in (r"l\xe9.png", r"l\xe9.webm", r"s\xe9rie")
    ]


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device")
def test_an_id_ends_even_where_the_file_does_not():
    assert sources.content_id(Path("/dev/zero")) == sources.content_id(Path(os.devnull))
