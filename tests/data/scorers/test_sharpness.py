import cv2
import numpy as np
import pytest
from skimage.measure import blur_effect

from apisr_data.scorers.sharpness import sharpness


@pytest.fixture(scope="module")
def luma(picture, drawing):
    return picture(drawing).luma()


@pytest.mark.parametrize("shape", [(720, 1280), (65, 301), (130, 14)], ids=str)
def test_it_is_one_less_the_blur_effect(luma, shape):
    image = luma[: shape[0], : shape[1]]
    assert sharpness(image) == pytest.approx(1 - blur_effect(image), abs=1e-6)


def test_blur_lowers_it(luma):
    values = [sharpness(luma)] + [sharpness(cv2.GaussianBlur(luma, (0, 0), sigma)) for sigma in (0.7, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 2 * values[-1]


@pytest.mark.parametrize("kernel", [cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4])
def test_an_upscaled_picture_has_less_than_the_true_one(luma, kernel):
    small = cv2.resize(luma, (854, 480), interpolation=cv2.INTER_AREA)
    assert sharpness(cv2.resize(small, (1280, 720), interpolation=kernel)) < sharpness(luma) - 0.02


def test_a_fade_is_no_blur(luma):
    assert sharpness((luma * 0.3).astype(np.uint8)) == pytest.approx(sharpness(luma), abs=0.02)


def test_a_flat_picture_has_none():
    assert sharpness(np.full((90, 160), 77, np.uint8)) == 0
