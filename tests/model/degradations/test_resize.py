import numpy as np
import pytest

from apisr_model.degradations.resize import Kernel, Resize, ResizeConfig, apply, draw


@pytest.mark.parametrize("kernel", ["area", "bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(5, 7), (40, 33), (1, 1)])
def test_a_flat_picture_stays_flat(kernel: Kernel, size: tuple[int, int]) -> None:
    flat = np.full((12, 16, 3), 0.3, np.float32)
    resized = apply(flat, kernel, size)
    assert resized.shape == (size[1], size[0], 3)
    np.testing.assert_allclose(resized, 0.3, atol=1e-6)


def test_area_is_the_mean_of_what_it_covers() -> None:
    image = np.random.default_rng(0).random((12, 16, 3), dtype=np.float32)
    np.testing.assert_allclose(apply(image, "area", (4, 3)), image.reshape(3, 4, 4, 4, 3).mean((1, 3)), atol=1e-6)


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
def test_reduction_by_an_odd_number_takes_the_middle_pixel_without_antialiasing(kernel: Kernel) -> None:
    image = np.random.default_rng(0).random((15, 20, 3), dtype=np.float32)
    np.testing.assert_allclose(apply(image, kernel, (4, 3)), image[2::5, 2::5], atol=1e-6)


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 6, 7])
def test_a_factor_of_one_over_the_scale_divides_exactly(scale: int) -> None:
    for side in range(scale, 2000 * scale, 37 * scale):
        assert Resize(kernel="area", factor=1 / scale).size(side, side) == (side // scale, side // scale)


def test_a_picture_never_vanishes() -> None:
    assert Resize(kernel="area", factor=0.1).size(3, 2) == (1, 1)


def test_draws_stay_in_their_ranges() -> None:
    rng = np.random.default_rng(0)
    factors = [draw(rng, ResizeConfig(), base=0.25).factor * 4 for _ in range(2000)]
    assert 0.1 <= min(factors) < 0.11
    assert 1.19 < max(factors) <= 1.2
