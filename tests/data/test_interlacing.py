"""Fields are woven here as a camera, a telecine machine and an encoder weave them; nothing is read from flags."""

import cv2
import numpy as np
import pytest

from apisr_data import interlacing
from apisr_data.interlacing import Interlacing, judge

HEIGHT, WIDTH = 240, 360


def draw_pan(time):
    """Line art that moves 4 px a frame to the left."""
    rng = np.random.default_rng(7)
    picture = np.full((HEIGHT, WIDTH), 200, np.uint8)
    for _ in range(12):
        x, y, radius, level = (int(v) for v in rng.integers((0, 0, 8, 20), (WIDTH, HEIGHT, 40, 240)))
        cv2.circle(picture, (x, y), radius, level, -1, cv2.LINE_AA)
        cv2.circle(picture, (x, y), radius, 15, 2, cv2.LINE_AA)
    shift = np.array([[1, 0, -4 * time], [0, 1, 0]], np.float32)
    return cv2.warpAffine(picture, shift, (WIDTH, HEIGHT), borderMode=cv2.BORDER_WRAP)


def draw_mover(time):
    """A disc that crosses a still background with thin and double horizontal lines."""
    picture = draw_pan(0)
    for y in range(5, HEIGHT, 23):
        picture[y] = 0
        picture[y + 4 : y + 8 : 2] = 255
    x = int(40 + 6 * time) % WIDTH
    cv2.circle(picture, (x, 120), 30, 230, -1, cv2.LINE_AA)
    cv2.circle(picture, (x, 120), 30, 10, 2, cv2.LINE_AA)
    return picture


def draw_hatched(time):
    """A sheet of lines two px apart that moves sideways: each picture looks woven, and none is."""
    picture = np.full((HEIGHT, WIDTH), 200, np.uint8)
    left = int(20 + 3 * time) % 100
    picture[40:200:2, left : left + 200] = 20
    return picture


def film(draw, frames, hold=1):
    return [draw(frame // hold * hold) for frame in range(frames)]


def weave(first, second):
    woven = first.copy()
    woven[1::2] = second[1::2]
    return woven


def telecine(frames):
    """3:2 pull-down, top field first: four frames become five."""
    woven = []
    for a, b, c, d in zip(*(frames[start::4] for start in range(4)), strict=False):
        woven += [a, b, weave(b, c), weave(c, d), d]
    return woven


@pytest.mark.parametrize("hold", [1, 2, 3])
@pytest.mark.parametrize("draw", [draw_pan, draw_mover, draw_hatched])
def test_progressive_frames_are_progressive(draw, hold):
    verdict = judge(film(draw, 48, hold))
    assert verdict.kind == "progressive"
    assert verdict.combed_share < 0.05


@pytest.mark.parametrize("draw", [draw_pan, draw_mover])
def test_two_moments_a_frame_are_interlaced(draw):
    verdict = judge(weave(draw(frame), draw(frame + 0.5)) for frame in range(40))
    assert verdict.kind == "interlaced"
    assert verdict.combed_share == 1


@pytest.mark.parametrize("offset", [0, 1, 2, 3])
@pytest.mark.parametrize("hold", [1, 2, 3])
@pytest.mark.parametrize("draw", [draw_pan, draw_mover])
def test_hard_telecine_is_found_for_drawings_on_ones_twos_and_threes(draw, hold, offset):
    verdict = judge(telecine(film(draw, 48, hold)[offset:]))
    assert verdict.kind == "telecine"
    assert verdict.in_cadence == verdict.combed


def test_telecine_survives_noise():
    rng = np.random.default_rng(3)
    noisy = [
        np.clip(frame + rng.normal(0, 4, frame.shape), 0, 255).astype(np.uint8)
        for frame in telecine(film(draw_pan, 48, 2))
    ]
    assert judge(noisy).kind == "telecine"


def test_drawings_held_for_three_fields_are_interlaced():
    fields = [draw_pan(field // 3 * 1.5) for field in range(80)]
    assert judge(weave(*pair) for pair in zip(fields[::2], fields[1::2], strict=True)).kind == "interlaced"


def test_a_still_picture_tells_nothing():
    still = weave(draw_pan(0), draw_pan(3))
    assert judge([still] * 30).kind is None
    assert judge([]) == Interlacing()
    rng = np.random.default_rng(1)
    grain = [np.clip(draw_pan(0) + rng.normal(0, 1.5, (HEIGHT, WIDTH)), 0, 255).astype(np.uint8) for _ in range(20)]
    assert judge(grain).kind is None


def test_scene_cuts_between_progressive_frames_are_progressive():
    rng = np.random.default_rng(2)
    scenes = [cv2.resize(rng.integers(0, 256, (12, 18), np.uint8), (WIDTH, HEIGHT)) for _ in range(12)]
    assert judge(scenes).kind == "progressive"


def test_windows_add_up_to_one_verdict():
    still, moving = judge([draw_pan(0)] * 20), judge(telecine(film(draw_pan, 32)))
    both = still + moving
    assert (both.frames, both.kind) == (18 + moving.frames, "telecine")
    assert judge(telecine(film(draw_pan, 32))) + judge(telecine(film(draw_pan, 32))[2:]) != moving


def test_windows_lie_within_the_file_and_apart():
    stretches = interlacing.windows(1440)
    assert len(stretches) == 6
    ends = [start + seconds for start, seconds in stretches]
    assert all(start >= 0 for start, _ in stretches)
    assert ends[-1] <= 1440
    assert all(start > end for (start, _), end in zip(stretches[1:], ends, strict=False))
    assert interlacing.windows(12.0) == interlacing.windows(None) == [(0, 15)]


def test_flags_or_combed_i_frames_make_a_suspect():
    assert interlacing.is_suspect("tff", [])
    assert interlacing.is_suspect(None, [0.0, 0.01])
    assert not interlacing.is_suspect(None, [])
    assert not interlacing.is_suspect("progressive", [0.0] * 99 + [0.05])  # one picture with hatching


@pytest.mark.parametrize("shape", [(1, 1), (15, 200), (200, 15), (17, 33)])
def test_small_pictures_are_no_error(shape):
    frames = [np.full(shape, level, np.uint8) for level in (0, 80, 160, 240)]
    assert judge(frames).combed == 0


def test_a_change_of_size_starts_again():
    small = [cv2.resize(frame, (WIDTH // 2, HEIGHT)) for frame in film(draw_pan, 6)]
    verdict = judge(film(draw_pan, 6) + small)
    assert (verdict.frames, verdict.kind) == (8, "progressive")


def test_one_combed_frame_is_not_enough_to_tell():
    frames = film(draw_pan, 9)
    assert judge([*frames[:4], weave(frames[4], frames[6]), *frames[5:]]).kind is None
