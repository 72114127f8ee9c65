"""Which frames of which clips, by the rule of the authors' script."""

import numpy as np
import pytest

from apisr_data import config
from apisr_data.errors import ConfigError, ImageError, VideoError
from apisr_data.images import encode_png
from apisr_model.evaluate.protocol import Protocol, from_clips
from tests.data.clips import make

AVC_REALLQ = config.load_recipe_as(Protocol, "evaluate_avc_reallq", job="evaluate")


def grey(number, size=(8, 6)):
    return np.full((size[1], size[0], 3), number, np.uint8)


def folder_of(path, numbers, size=(8, 6), name="{:04}.png"):
    path.mkdir(parents=True)
    for number in numbers:
        (path / name.format(number)).write_bytes(encode_png(grey(number, size)))


def named(cases):
    return [case.name for case in cases]


def test_the_recipe_is_the_papers():
    assert (AVC_REALLQ.clips, AVC_REALLQ.frames) == (46, ("first", "middle", "last"))
    assert AVC_REALLQ.split_above_px == 720 * 1080


@pytest.mark.parametrize(("count", "numbers"), [(1, [0]), (2, [0, 1]), (3, [0, 1, 2]), (8, [0, 4, 7]), (9, [0, 4, 8])])
def test_first_middle_and_last_frame_are_taken_each_once(tmp_path, count, numbers):
    folder_of(tmp_path / "frames", range(count))
    make(tmp_path / "video.mkv", "ffv1", size=(32, 32), frames=count, draw=lambda n: grey(20 * n, (32, 32)))
    cases = from_clips(tmp_path, AVC_REALLQ)
    assert [case.name for case in cases[: len(numbers)]] == [f"frames_{n:04}.png" for n in numbers]
    assert [int(case.read().low_res.mean()) for case in cases[: len(numbers)]] == numbers
    assert [round(case.read().low_res.mean() / 20) for case in cases[len(numbers) :]] == numbers
    assert cases[-1].source == f"frame {count} of {count} of video.mkv"


@pytest.mark.parametrize(("size", "is_split"), [((1080, 720), False), ((1081, 720), True), ((1280, 720), True)])
def test_frames_above_720x1080_px_are_split_into_left_and_right(tmp_path, size, is_split):
    folder_of(tmp_path / "a", [0], size)
    cases = from_clips(tmp_path, AVC_REALLQ)
    assert named(cases) == (["a_crop1_0000.png", "a_crop2_0000.png"] if is_split else ["a_0000.png"])
    widths = [case.read().low_res.shape[1] for case in cases]
    assert widths == ([size[0] // 2, size[0] - size[0] // 2] if is_split else [size[0]])


def test_a_videos_halves_are_its_own(tmp_path):
    left_is_black = np.concatenate([grey(0, (32, 32)), grey(255, (32, 32))], axis=1)
    make(tmp_path / "v.mkv", "ffv1", size=(64, 32), frames=1, draw=lambda _: left_is_black)
    one, two = from_clips(tmp_path, Protocol(frames=("middle",), split_above_px=100))
    assert (one.name, two.name) == ("v_crop1_middle.png", "v_crop2_middle.png")
    assert one.read().low_res.max() < 5
    assert two.read().low_res.min() > 250


def test_numbers_in_names_count_as_numbers(tmp_path):
    folder_of(tmp_path / "a", range(11), name="frame{}.png")
    assert named(from_clips(tmp_path, AVC_REALLQ)) == ["a_frame0.png", "a_frame5.png", "a_frame10.png"]


def test_clips_lie_at_any_depth_and_have_names_of_their_own(tmp_path):
    folder_of(tmp_path / "日 本" / "b", [1])
    folder_of(tmp_path / ".hidden", [1])
    for name in ("My.Show.S01.mkv", "twice.mkv", "twice.avi"):
        make(tmp_path / name, "ffv1", size=(32, 32), frames=1)
    (tmp_path / "notes.txt").write_text("no clip")
    found = named(from_clips(tmp_path, Protocol(frames=("first",))))
    assert sorted(found) == [
        "My.Show.S01_first.png",
        "twice.avi_first.png",
        "twice.mkv_first.png",
        "日 本/b_0001.png",
    ]


def test_what_cannot_be_read_is_told_when_its_turn_comes(tmp_path):
    (tmp_path / "a.mkv").write_bytes(b"\x1aE\xdf\xa3" + bytes(100))
    folder_of(tmp_path / "b", [1, 2, 3])
    (tmp_path / "b" / "0001.png").write_bytes(encode_png(grey(1))[:40])
    broken, damaged, *others = from_clips(tmp_path, AVC_REALLQ)
    with pytest.raises(VideoError, match=r"a\.mkv"):
        broken.read()
    with pytest.raises(ImageError, match=r"0001\.png"):
        damaged.read()
    assert [case.read().low_res.mean() for case in others] == [2, 3]


def test_pictures_beside_the_clips_are_passed_over_and_said(tmp_path, caplog):
    folder_of(tmp_path / "clips", [1])
    with pytest.raises(ConfigError, match=r"neither a video nor a folder of frames \(1 files\)"):
        from_clips(tmp_path / "clips", AVC_REALLQ)
    folder_of(tmp_path / "clips" / "a", [1])
    assert named(from_clips(tmp_path / "clips", Protocol(frames=("last",)))) == ["a_0001.png"]
    assert "pictures in no clip's folder are passed over: 1" in caplog.text
