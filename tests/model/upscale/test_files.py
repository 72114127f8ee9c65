import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from apisr_data.errors import ConfigError, UsageError
from apisr_model.upscale.files import kind_of, plan
from tests.data import clips


def picture(path: Path, form: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path, form)
    return path


def _clip(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return clips.make(path, "mpeg4", size=(64, 48), frames=3)


def targets(*inputs: Path, **options: object) -> list[str]:
    root = inputs[0] if inputs[0].is_dir() else inputs[0].parent
    return [job.target.relative_to(root.parent).as_posix() for job in plan(inputs, **options).jobs]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.png", "a.apisr.png"),
        ("a.JPG", "a.apisr.png"),
        ("a.tif", "a.apisr.tif"),
        ("a.webp", "a.apisr.webp"),
        ("日本 1.v2.bmp", "日本 1.v2.apisr.png"),
    ],
)
def test_an_output_lies_beside_its_input(tmp_path: Path, name: str, expected: str) -> None:
    assert targets(picture(tmp_path / "in" / name)) == [f"in/{expected}"]


def test_a_format_that_is_asked_for_decides(tmp_path: Path) -> None:
    a = picture(tmp_path / "in" / "a.png")
    assert targets(a, picture_format="jpg") == ["in/a.apisr.jpg"]
    assert targets(a, output=tmp_path / "in" / "b.webp") == ["in/b.webp"]
    (job,) = plan([a], tmp_path / "b.webp").jobs
    assert job.format is not None
    assert job.format.name == "WEBP"
    with pytest.raises(ConfigError, match=r"written as '\.xyz'"):
        plan([a], tmp_path / "b.xyz")


def test_a_folder_is_mirrored_without_hidden_files_earlier_results_and_what_is_no_picture(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for name in ("a.png", "deep/er/b.jpg", ".hidden.png", ".git/c.png", "d.apisr.png", "out/e.png"):
        picture(folder / name)
    (folder / "notes.txt").write_text("hello")
    found = plan([folder], folder / "out")
    assert [job.target for job in found.jobs] == [folder / "out" / "a.png", folder / "out" / "deep" / "er" / "b.png"]
    assert found.ignored == 1
    assert targets(folder) == ["in/a.apisr.png", "in/deep/er/b.apisr.png", "in/out/e.apisr.png"]


def test_content_and_not_the_name_tells_pictures_from_videos(tmp_path: Path) -> None:
    clip = _clip(tmp_path / "clip.mkv")
    clip.rename(renamed := tmp_path / "clip.png")
    assert kind_of(renamed) == "video"
    assert kind_of(picture(tmp_path / "picture.mkv", "PNG")) == "picture"
    (tmp_path / "empty.png").touch()
    assert kind_of(tmp_path / "empty.png") == "picture"  # and so it fails by name
    (tmp_path / "notes").write_text("hello")
    assert kind_of(tmp_path / "notes") is None


@pytest.mark.parametrize("name", ["x.mkv", "x.mp4", "x.mov", "x.avi", "x.ts"])
def test_videos_of_every_container_are_known_and_go_where_all_streams_fit(tmp_path: Path, name: str) -> None:
    clip = _clip(tmp_path / name)
    clip.rename(bare := tmp_path / "x")
    assert kind_of(bare) == "video"
    bare.rename(clip)
    expected = name if Path(name).suffix in (".mkv", ".mp4", ".mov") else "x.mkv"
    (job,) = plan([clip]).jobs
    assert (job.kind, job.target.name) == ("video", expected.replace("x.", "x.apisr."))
    assert plan([clip], container="mp4").jobs[0].target.name == "x.apisr.mp4"


def test_two_inputs_with_one_output_are_refused_by_name(tmp_path: Path) -> None:
    a, b = picture(tmp_path / "a.png"), picture(tmp_path / "a.jpg")
    with pytest.raises(UsageError, match=r"a\.png and .*a\.jpg would both become .*a\.apisr\.png"):
        plan([a, b])


@pytest.mark.parametrize("output", ["a.png", ".", "link.png"])
def test_an_output_never_is_an_input(tmp_path: Path, output: str) -> None:
    a = picture(tmp_path / "a.png")
    (tmp_path / "link.png").symlink_to(a)
    with pytest.raises(UsageError, match="would overwrite the input"):
        plan([a], tmp_path / output, force=True)


def test_a_file_that_is_there_is_overwritten_only_with_force_or_if_it_is_ours(tmp_path: Path) -> None:
    a, other = picture(tmp_path / "a.png"), picture(tmp_path / "b.png")
    with pytest.raises(UsageError, match=r"b\.png is there already; --resume"):
        plan([a], other)
    assert len(plan([a], other, force=True).jobs) == 1
    picture(tmp_path / "a.apisr.png")
    assert len(plan([a]).jobs) == 1


def test_resume_leaves_out_what_is_done_and_not_older(tmp_path: Path) -> None:
    a, b, c = (picture(tmp_path / f"{name}.png") for name in "abc")
    picture(tmp_path / "a.apisr.png")
    os.utime(picture(tmp_path / "b.apisr.png"), (0, 0))
    found = plan([a, b, c], resume=True)
    assert [job.source for job in found.done] == [a]
    assert [job.source for job in found.jobs] == [b, c]


def test_one_file_for_many_inputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one file for 2 inputs"):
        plan([picture(tmp_path / "a.png"), picture(tmp_path / "b.png")], tmp_path / "c.png")


def test_what_is_not_there_fails_alone(tmp_path: Path) -> None:
    found = plan([tmp_path / "gone.png", picture(tmp_path / "a.png")])
    assert len(found.jobs) == 1
    assert [str(error) for error in found.failed] == [f"{tmp_path / 'gone.png'}: No such file or folder"]


def test_the_same_file_given_twice_is_done_once(tmp_path: Path) -> None:
    a = picture(tmp_path / "a.png")
    assert len(plan([a, tmp_path, a]).jobs) == 1


@pytest.mark.parametrize(
    ("start", "duration", "name"),
    [
        (90, 20, "a.90-110s.apisr.mkv"),
        (1, 0.5, "a.1-1.5s.apisr.mkv"),
        (None, 20, "a.0-20s.apisr.mkv"),
        (90.25, None, "a.90.25s-end.apisr.mkv"),
        (0, None, "a.apisr.mkv"),
    ],
)
def test_a_part_of_a_video_never_meets_the_whole(
    tmp_path: Path, start: float | None, duration: float | None, name: str
) -> None:
    clip = _clip(tmp_path / "in" / "a.mkv")
    assert targets(clip, start_s=start, duration_s=duration) == [f"in/{name}"]
    (job,) = plan([clip], tmp_path / "out", start_s=start, duration_s=duration).jobs
    assert job.target == tmp_path / "out" / name.replace(".apisr", "")
    assert plan([clip], tmp_path / "b.mkv", start_s=start, duration_s=duration).jobs[0].target.name == "b.mkv"
    assert targets(picture(tmp_path / "in" / "b.png"), start_s=start, duration_s=duration) == ["in/b.apisr.png"]


@pytest.mark.parametrize("output", [None, "out"])
def test_a_finished_video_is_left_unless_forced_and_pictures_beside_it_are_written_again(
    tmp_path: Path, output: str | None
) -> None:
    folder = tmp_path / "in"
    _clip(folder / "e1.mkv"), _clip(folder / "e2.mkv"), picture(folder / "a.png")
    place = tmp_path / output if output else None
    (finished,) = (job.target for job in plan([folder], place).jobs if job.source.name == "e1.mkv")
    _clip(finished)
    for _ in range(2):
        found = plan([folder], place)
        assert [job.source.name for job in found.left] == ["e1.mkv"]
        assert [job.source.name for job in found.jobs] == ["a.png", "e2.mkv"]
        os.utime(finished, (0, 0))  # older than its input, and left all the same
    assert len(plan([folder], place, force=True).jobs) == 3
    assert [job.source.name for job in plan([folder], place, resume=True).left] == ["e1.mkv"]


def test_soundtracks_beside_videos_are_no_videos(tmp_path: Path) -> None:
    clip = _clip(tmp_path / "a.mkv")
    for name in ("a.mka", "b.ogg", "a.mks"):
        (tmp_path / name).write_bytes(clip.read_bytes() if name != "b.ogg" else b"OggS" + bytes(600))
    found = plan([tmp_path])
    assert [job.source for job in found.jobs] == [clip]
    assert found.ignored == 3
    assert plan([tmp_path / "a.mka"]).jobs[0].kind == "video"  # named by hand, so it fails by name


def test_a_suffix_and_a_format_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    a, b = picture(tmp_path / "a.png"), _clip(tmp_path / "b.mkv")
    with pytest.raises(UsageError, match=r"-o .*x\.png and --format jpeg contradict each other"):
        plan([a], tmp_path / "x.png", picture_format="jpg")
    assert plan([a], tmp_path / "x.JPEG", picture_format="jpg").jobs
    assert plan([a], tmp_path / "x.out", picture_format="jpg").jobs
    with pytest.raises(UsageError, match=r"-o .*x\.mkv and --container mp4 contradict each other"):
        plan([b], tmp_path / "x.mkv", container="mp4")
    assert plan([b], tmp_path / "x.mp4", container="mp4").jobs


def test_all_clashes_are_told_at_once(tmp_path: Path) -> None:
    given = [picture(tmp_path / "in" / name) for name in ("a.png", "a.jpg", "b.png", "b.jpg")]
    with pytest.raises(
        UsageError, match=r"a\.png and .*a\.jpg would both become .*a\.png; .*b\.png and .*b\.jpg would"
    ):
        plan(given, tmp_path / "out")


def test_one_file_in_two_spellings_is_taken_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a = picture(tmp_path / "in" / "a.png")
    (tmp_path / "linked").symlink_to(tmp_path / "in")
    monkeypatch.chdir(tmp_path)
    given = [a, Path("in/a.png"), Path("in/../in/a.png"), Path("linked/a.png"), tmp_path / "in"]
    assert [job.source for job in plan(given, tmp_path / "out").jobs] == [a]


def test_two_links_to_one_file_are_two_pictures(tmp_path: Path) -> None:
    a = picture(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(a)
    assert len(plan([a, tmp_path / "b.png"], tmp_path / "out").jobs) == 2


def test_a_picture_of_a_telephone_is_called_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    (error,) = plan([tmp_path / "a.heic"]).failed
    assert "a.heic: is an HEIC picture, which is not read; save it as PNG or JPEG" in str(error)


def test_an_output_that_cannot_be_written_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = picture(tmp_path / "a.png")
    with pytest.raises(UsageError, match=r"as .*a\.png is no folder"):
        plan([a], tmp_path / "a.png" / "deep" / "x.png")
    with monkeypatch.context() as full:
        full.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
        with pytest.raises(UsageError, match="the disk is full"):
            plan([a])
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(UsageError, match=rf"new.*: nothing can be written there: {tmp_path} is read-only"):
        plan([a], tmp_path / "new" / "x.png")
