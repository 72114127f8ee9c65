import itertools

import cv2
import numpy as np
import pytest

from apisr_data.scorers.blockiness import blockiness


@pytest.fixture(scope="module")
def luma(picture, drawing):
    return picture(drawing).luma()


def jpeg(luma, quality):
    return cv2.imdecode(cv2.imencode(".jpg", luma, (cv2.IMWRITE_JPEG_QUALITY, quality))[1], cv2.IMREAD_GRAYSCALE)


def test_flat_blocks_have_the_height_of_their_steps():
    checkers = np.kron(np.indices((30, 40)).sum(axis=0) % 2, np.ones((8, 8))) * 5 + 100
    assert blockiness(checkers.astype(np.uint8)) == pytest.approx(5, rel=0.03)  # the last grid line has no far side


def test_it_rises_as_jpeg_quality_falls(luma):
    values = [blockiness(luma)] + [blockiness(jpeg(luma, quality)) for quality in (95, 85, 75, 60, 45, 30, 20, 10)]
    assert all(less < more for less, more in itertools.pairwise(values))
    assert values[-1] > 10 * values[0]


def test_a_crop_moves_the_grid_and_not_the_score(luma):
    compressed = jpeg(luma, 30)
    whole = blockiness(compressed)
    for top, left in ((1, 0), (3, 5), (7, 7)):
        assert blockiness(compressed[top:, left:]) == pytest.approx(whole, rel=0.03)


@pytest.mark.parametrize("scale", [1, 1.5, 2], ids=lambda scale: f"x{scale}")
def test_a_clean_or_upscaled_picture_has_almost_none(luma, scale):
    scaled = cv2.resize(luma, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    assert blockiness(scaled) < 0.05


def test_noise_and_gradients_have_almost_none():
    assert blockiness(np.random.default_rng(0).integers(0, 256, (360, 640), dtype=np.uint8)) < 0.05
    assert blockiness(np.tile(np.linspace(0, 255, 640).astype(np.uint8), (360, 1))) < 0.05
