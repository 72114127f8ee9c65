"""Nothing is read from flags."""

import cv2
import numpy as np
import pytest

from apisr_data import interlacing
from apisr_data.interlacing import Interlacing, judge
from tests.data.fields import HEIGHT, WIDTH, draw_hatched, draw_mover, draw_pan, film, telecine, weave


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
