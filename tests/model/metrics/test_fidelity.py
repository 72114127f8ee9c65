"""PSNR, SSIM and consistency by closed forms, and by what each is there to expose."""

import math

import cv2
import numpy as np
import pytest

from apisr_model.errors import ShapeError
from apisr_model.metrics import METRICS, consistency, psnr, ssim
from tests.model.manifests import picture


@pytest.fixture(scope="module")
def drawing():
    return picture(3, (96, 64))


def test_identical_images_have_infinite_psnr_and_an_ssim_of_one(drawing):
    assert psnr(drawing, drawing) == math.inf
    assert ssim(drawing, drawing) == 1


@pytest.mark.parametrize("step", [1, 5, 20])
def test_psnr_of_a_constant_difference_is_its_closed_form(step):
    grey = np.full((20, 30, 3), 100, np.uint8)
    assert psnr(grey + np.uint8(step), grey) == pytest.approx(20 * math.log10(255 / step))


def test_psnr_counts_all_channels_and_every_border_pixel():
    grey = np.full((10, 10, 3), 100, np.uint8)
    other = grey.copy()
    other[0, 0, 2] += 30
    assert psnr(other, grey) == pytest.approx(10 * math.log10(255**2 / (30**2 / 300)))


def test_ssim_of_two_flat_pictures_is_its_luminance_term():
    one, other = np.full((32, 32, 3), 100, np.uint8), np.full((32, 32, 3), 120, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert ssim(one, other) == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1))


def test_ssim_falls_with_blur_and_is_the_same_for_flipped_pictures(drawing):
    blurred = cv2.GaussianBlur(drawing, (0, 0), 1.5)
    assert ssim(blurred, drawing) < ssim(cv2.GaussianBlur(drawing, (0, 0), 0.6), drawing) < 1
    assert ssim(blurred[:, ::-1], drawing[:, ::-1]) == pytest.approx(ssim(blurred, drawing))


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_repeated_pixels_are_consistent_without_end(drawing, scale):
    assert consistency(drawing.repeat(scale, 0).repeat(scale, 1), drawing) == math.inf


def test_consistency_of_a_colour_shift_is_its_closed_form():
    low_res = np.full((12, 17, 3), 90, np.uint8)
    shifted = np.full((48, 68, 3), (93, 90, 90), np.uint8)
    assert consistency(shifted, low_res) == pytest.approx(10 * math.log10(255**2 / (3**2 / 3)))


def test_consistency_is_not_rounded_before_it_compares():
    low_res = np.full((8, 8, 3), 100, np.uint8)
    result = np.full((16, 16, 3), 100, np.uint8)
    result[::2, ::2] = 101  # a mean of 100.25
    assert consistency(result, low_res) == pytest.approx(20 * math.log10(255 / 0.25), abs=1e-3)


def test_consistency_falls_with_darkened_lines(drawing):
    exact = drawing.repeat(4, 0).repeat(4, 1)
    darkened = np.where((exact == 20).all(axis=2, keepdims=True), np.uint8(0), exact)
    share = (drawing == 20).all(axis=2).mean()
    assert consistency(darkened, drawing) == pytest.approx(10 * math.log10(255**2 / (20**2 * share)), abs=1e-3)


def test_consistency_falls_with_over_sharpening(drawing):
    enlarged = cv2.resize(drawing, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    sharpened = cv2.addWeighted(enlarged, 4, cv2.GaussianBlur(enlarged, (0, 0), 4), -3, 0)
    assert consistency(sharpened, drawing) < consistency(enlarged, drawing) - 3


def test_consistency_takes_scales_that_are_not_whole(drawing):
    enlarged = cv2.resize(drawing, (155, 101), interpolation=cv2.INTER_LINEAR)
    assert 20 < consistency(enlarged, drawing) < math.inf


@pytest.mark.parametrize("function", [psnr, ssim, METRICS["line_f1"].function])
def test_sizes_that_differ_are_named(function, drawing):
    with pytest.raises(ShapeError, match="96x64 against a reference of 95x64"):
        function(drawing, drawing[:, 1:])


@pytest.mark.parametrize("array", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)])
@pytest.mark.parametrize("name", sorted(METRICS))
def test_every_metric_refuses_what_is_no_picture(name, array):
    metric = METRICS[name]
    with pytest.raises(ShapeError, match="RGB uint8"):
        metric.function(*[array] * (1 if metric.needs == "nothing" else 2))


def test_ssim_says_when_a_picture_is_smaller_than_its_window(drawing):
    with pytest.raises(ShapeError, match="window of 11 px"):
        ssim(drawing[:10], drawing[:10])


def test_consistency_refuses_a_result_smaller_than_its_input(drawing):
    with pytest.raises(ShapeError, match="no smaller than its input"):
        consistency(drawing[:40], drawing)
