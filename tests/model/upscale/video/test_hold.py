from collections.abc import Callable

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from apisr_model.upscale.video.hold import (
    LARGEST_THRESHOLD,
    SMALLEST_THRESHOLD,
    Holds,
    largest_difference,
    threshold_for,
)

Picture = NDArray[np.uint8]
FORMATS = ["yuv420p", "yuv444p", "yuv422p10le", "nv12", "rgb24", "gbrp", "gray", "p010le"]


def frame(rgb: Picture, pixel_format: str = "yuv420p") -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format=pixel_format)


def luma_frame(luma: Picture) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(luma, "gray")


@pytest.fixture
def still() -> Picture:
    rng = np.random.default_rng(0)
    return cv2.GaussianBlur(rng.integers(0, 256, (90, 120, 3), dtype=np.uint8), (0, 0), 5)


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_an_equal_frame_is_held_and_another_is_not(still: Picture, pixel_format: str) -> None:
    holds = Holds(SMALLEST_THRESHOLD)
    moved = still.copy()
    moved[40:48, 33:41] = 255 - moved[40:48, 33:41] // 2
    pictures = [still, still, moved, moved, still]
    assert [holds.is_held(frame(p, pixel_format)) for p in pictures] == [False, True, False, True, False]


def test_the_difference_is_the_largest_mean_of_any_8x8_px_wherever_they_stand() -> None:
    rng = np.random.default_rng(1)
    a, b = (rng.integers(0, 256, (37, 53), dtype=np.uint8) for _ in range(2))
    apart = np.abs(a.astype(float) - b)
    windows = np.lib.stride_tricks.sliding_window_view(apart, (8, 8)).mean((2, 3))
    assert largest_difference(luma_frame(a), luma_frame(b)) == pytest.approx(windows.max())


def test_ten_bits_are_measured_in_levels_of_eight() -> None:
    black, grey = (av.VideoFrame.from_ndarray(np.full((64, 64), v, np.uint16), "gray10le") for v in (400, 420))
    assert largest_difference(black, grey) == 5


def test_a_colour_that_changes_under_the_same_luma_is_seen() -> None:
    planes = [np.full((96, 64), 128, np.uint8) for _ in range(2)]
    planes[1][64:66, [0, 1, 2, 3, 32, 33, 34, 35]] = 140  # 4x4 samples of the first chroma plane, two rows to a row
    one, other = (av.VideoFrame.from_ndarray(p, "yuv420p") for p in planes)
    assert largest_difference(one, other) == 12
    assert not [holds := Holds(8.0), holds.is_held(one), holds.is_held(other)][2]


def test_a_slow_change_of_a_part_cannot_drift_away(still: Picture) -> None:
    holds = Holds(4.0)
    luma = np.tile(still[..., 0], (8, 8)) // 2
    computed = []
    for level in range(20):
        luma[40:56, 40:56] = 50 + level
        if not holds.is_held(luma_frame(luma)):
            computed.append(level)
    assert computed == [0, 5, 10, 15]


@pytest.mark.parametrize("step", [0.5, 1, 2])
def test_a_slow_fade_is_no_held_drawing(still: Picture, step: float) -> None:
    """Levels a frame, of a picture of 100 levels in the mean."""
    holds = Holds(SMALLEST_THRESHOLD)
    bright = still[..., 0] * (100 / still.mean())
    held = [holds.is_held(luma_frame((bright * (1 - step * n / 100)).round().astype(np.uint8))) for n in range(20)]
    assert held.count(True) == 0


def test_a_slow_pan_is_no_held_drawing() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 400), dtype=np.uint8)
    wide = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 20), np.empty(()), 30, 220, cv2.NORM_MINMAX).astype(np.float32)
    holds = Holds(SMALLEST_THRESHOLD)
    shifts = [np.array([[1, 0, -0.125 * n], [0, 1, 0]]) for n in range(10)]
    pan = [cv2.warpAffine(wide, shift, (200, 120)).round().astype(np.uint8) for shift in shifts]
    assert [holds.is_held(luma_frame(picture)) for picture in pan].count(True) <= 3


def test_a_small_mouth_that_moves_is_computed(still: Picture) -> None:
    spoken = still.copy()
    spoken[50:53, 60:66] = (still[50:53, 60:66].astype(int) + 60).clip(0, 255)
    holds = Holds(SMALLEST_THRESHOLD)
    assert not holds.is_held(frame(still))
    assert not holds.is_held(frame(spoken))


def test_another_size_or_format_is_never_held(still: Picture) -> None:
    holds = Holds(255.0)
    shapes = [frame(still), frame(still[:80]), frame(still[:80], "yuv444p"), frame(still[:80], "yuv444p")]
    assert [holds.is_held(f) for f in shapes] == [False, False, False, True]


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (7, 7), (1, 9)])
def test_frames_smaller_than_a_block_are_compared(size: tuple[int, int]) -> None:
    one, other = (frame(np.full((*size, 3), v, np.uint8)) for v in (20, 200))
    holds = Holds(4.0)
    assert [holds.is_held(f) for f in (one, one, other)] == [False, True, False]


def test_without_a_threshold_nothing_is_held(still: Picture) -> None:
    holds = Holds(None)
    assert not any(holds.is_held(frame(still)) for _ in range(3))


def noisy(still: Picture, sigma: float) -> Callable[[int], av.VideoFrame]:
    def draw(seed: int) -> av.VideoFrame:
        noise = np.random.default_rng(seed).normal(0, sigma, still.shape[:2])[..., None]
        return frame((still + noise).clip(0, 255).astype(np.uint8))

    return draw


def test_the_threshold_follows_the_noise_within_its_bounds(still: Picture) -> None:
    thresholds = [threshold_for([map(noisy(still, sigma), range(12))]) for sigma in (0, 0.5, 2, 2.5, 3, 30)]
    assert thresholds[0] == thresholds[1] == SMALLEST_THRESHOLD
    assert SMALLEST_THRESHOLD < thresholds[2] < thresholds[3] <= LARGEST_THRESHOLD
    assert thresholds[-1] == SMALLEST_THRESHOLD  # no pair looks like a held drawing


def test_with_the_measured_threshold_a_noisy_still_is_held(still: Picture) -> None:
    draw = noisy(still, 2)
    holds = Holds(threshold_for([map(draw, range(12))]))
    assert [holds.is_held(draw(seed)) for seed in range(20, 30)].count(False) <= 2


def test_a_mouth_that_moves_does_not_raise_the_threshold(still: Picture) -> None:
    def speak(number: int) -> av.VideoFrame:
        spoken = still.copy()
        spoken[50:56, 60:66] = (20, 200)[number % 2]
        return frame(np.tile(spoken, (4, 4, 1)) if number < 0 else np.vstack([spoken, *[still] * 6]))

    assert threshold_for([map(speak, range(12))]) == SMALLEST_THRESHOLD


def test_a_fade_does_not_raise_the_threshold() -> None:
    fade = [luma_frame(np.full((48, 64), level, np.uint8)) for level in range(50, 90, 3)]
    assert threshold_for([fade]) == SMALLEST_THRESHOLD


def test_no_frames_give_the_smallest_threshold() -> None:
    assert threshold_for([]) == SMALLEST_THRESHOLD
