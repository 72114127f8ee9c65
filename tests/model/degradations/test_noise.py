import numpy as np
import pytest

from apisr_model.degradations import Image
from apisr_model.degradations.noise import Gaussian, NoiseConfig, Poisson, draw


def flat(level: float = 0.5, side: int = 256) -> Image:
    return np.full((side, side, 3), level, np.float32)


@pytest.mark.parametrize("is_grey", [False, True])
def test_gaussian_noise_has_the_standard_deviation_that_was_drawn(is_grey: bool) -> None:
    spoiled = Gaussian(sigma=10.0, is_grey=is_grey, seed=1).apply(flat())
    assert spoiled.std() * 255 == pytest.approx(10, rel=0.02)
    assert bool((np.ptp(spoiled, axis=2) < 1e-6).all()) is is_grey


def test_poisson_noise_has_the_variance_of_its_photons() -> None:
    image = flat()
    image[:, :128] = np.linspace(0, 1, 128, dtype=np.float32)[:, None]  # 128 levels and one of them twice
    levels = len(np.unique(np.rint(image * 255)))
    photons = 2 ** int(np.ceil(np.log2(levels)))
    spoiled = Poisson(scale=0.5, is_grey=False, seed=2).apply(image)[:, 128:]
    level = round(0.5 * 255) / 255
    assert spoiled.var() == pytest.approx(0.5**2 * level / photons, rel=0.03)
    assert spoiled.mean() == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(("levels", "photons"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (256, 256)])
def test_photons_are_the_levels_rounded_up_to_a_power_of_two(levels: int, photons: int) -> None:
    image = flat(0.0)
    image[:levels, 0] = (np.arange(levels, dtype=np.float32) / 255)[:, None]
    image[200:] = 100 / 255 if levels == 256 else 0
    spoiled = Poisson(scale=1.0, is_grey=False, seed=3).apply(image)
    counts = spoiled * photons
    np.testing.assert_allclose(counts, np.rint(counts), atol=2e-4 * photons)


def test_grey_poisson_noise_is_the_same_on_all_channels() -> None:
    noise = Poisson(scale=0.3, is_grey=True, seed=4).apply(flat()) - flat()
    assert noise.std() > 0
    assert np.ptp(noise, axis=2).max() < 1e-6


def test_black_has_no_shot_noise_and_nothing_leaves_the_range() -> None:
    assert Poisson(scale=3.0, is_grey=False, seed=5).apply(flat(0.0)).max() == 0
    for noise in (Gaussian(sigma=80.0, is_grey=False, seed=6), Poisson(scale=3.0, is_grey=False, seed=6)):
        spoiled = noise.apply(flat(0.98))
        assert 0 <= spoiled.min() <= spoiled.max() <= 1


def test_draws_stay_in_their_ranges() -> None:
    rng = np.random.default_rng(0)
    for _ in range(1000):
        noise = draw(rng, NoiseConfig())
        if isinstance(noise, Gaussian):
            assert 1 <= noise.sigma <= 30
        else:
            assert 0.05 <= noise.scale <= 3
