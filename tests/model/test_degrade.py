import numpy as np
import pytest
from pydantic import ValidationError

from apisr_model.degradations import Image, image_codecs, noise, resize
from apisr_model.degrade import Degradation, DegradationConfig
from apisr_model.errors import ShapeError


def image(height: int = 48, width: int = 64) -> Image:
    return np.random.default_rng(0).random((height, width, 3), dtype=np.float32)


def test_what_was_drawn_can_be_replayed() -> None:
    degradation = Degradation(DegradationConfig(noise_probability=1.0, jpeg_probability=1.0), 2)
    drawn = degradation.draw(np.random.default_rng(3))
    assert drawn == degradation.draw(np.random.default_rng(3))
    np.testing.assert_array_equal(degradation.apply(image(), drawn), degradation.apply(image(), drawn))


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_the_result_is_smaller_by_the_scale_and_within_range(scale: int) -> None:
    degradation = Degradation(DegradationConfig(noise_probability=1.0, noise_sigma=(50.0, 50.0)), scale)
    for seed in range(8):
        low_res = degradation.apply(image(), degradation.draw(np.random.default_rng(seed)))
        assert low_res.shape == (48 // scale, 64 // scale, 3)
        assert low_res.dtype == np.float32
        assert 0 <= low_res.min() <= low_res.max() <= 1


def test_sides_that_are_no_multiple_of_the_scale_are_refused() -> None:
    degradation = Degradation(DegradationConfig(), 4)
    with pytest.raises(ShapeError, match="64x46"):
        degradation.apply(image(46), degradation.draw(np.random.default_rng(0)))


def test_a_range_that_descends_is_refused() -> None:
    with pytest.raises(ValidationError, match="found 90 to 50"):
        DegradationConfig(jpeg_quality=(90, 50))


@pytest.mark.parametrize("kernel", ["area", "bilinear", "bicubic"])
def test_a_flat_picture_stays_flat_when_resized(kernel: resize.Kernel) -> None:
    flat = np.full((12, 16, 3), 0.3, np.float32)
    np.testing.assert_allclose(resize.apply(flat, kernel, (5, 7)), 0.3, atol=1e-6)


@pytest.mark.parametrize("is_grey", [False, True])
def test_noise_has_the_standard_deviation_that_was_drawn(is_grey: bool) -> None:
    flat = np.full((256, 256, 3), 0.5, np.float32)
    spoiled = noise.apply(flat, noise.Gaussian(sigma=10.0, is_grey=is_grey, seed=1))
    assert spoiled.std() * 255 == pytest.approx(10, rel=0.02)
    assert bool((np.ptp(spoiled, axis=2) == 0).all()) is is_grey


def test_a_lower_jpeg_quality_is_further_away() -> None:
    smooth = np.broadcast_to(np.linspace(0, 1, 64, dtype=np.float32)[:, None, None], (64, 64, 3))
    near, far = (float(np.abs(image_codecs.apply(smooth, image_codecs.Jpeg(q)) - smooth).mean()) for q in (95, 20))
    assert 0 < near < far
