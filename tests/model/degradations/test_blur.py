import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from apisr_model.degradations.blur import Blur, BlurConfig, draw, kernel

GOLDEN = dict(np.load(Path(__file__).parents[2] / "golden" / "blur_kernels.npz"))


def parsed(key: str) -> Blur:
    """`family;name=value;...` of the reference file."""
    family, *fields = key.split(";")
    values: dict[str, Any] = {name: float(value) for name, value in (field.split("=") for field in fields)}
    names = {"size": "taps", "omega_c": "cutoff"}
    values = {names.get(name, name): value for name, value in values.items()}
    return Blur.model_validate(values | {"family": family, "taps": int(values["taps"])})


@pytest.mark.parametrize("key", GOLDEN)
def test_kernels_are_the_references(key: str) -> None:
    np.testing.assert_allclose(kernel(parsed(key)), GOLDEN[key], atol=1e-9, rtol=0)


def test_every_family_is_in_the_reference() -> None:
    assert {key.partition(";")[0] for key in GOLDEN} == {*BlurConfig().families, "sinc"}


@pytest.mark.parametrize("family", ["iso", "aniso", "plateau_aniso", "sinc"])
def test_an_impulse_turns_into_the_kernel(family: Any) -> None:
    impulse = np.zeros((63, 47, 3), np.float32)
    impulse[31, 23] = 1
    blur = Blur(family=family, taps=13, sigma_x=1.4, sigma_y=0.7, theta=0.5, beta=1.5, cutoff=2.0)
    blurred = blur.apply(impulse)
    expected = kernel(blur)[::-1, ::-1]  # a correlation turns it round
    for channel in range(3):
        np.testing.assert_allclose(blurred[25:38, 17:30, channel], expected, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (2, 30), (5, 3)])
def test_pictures_smaller_than_the_kernel_stay_flat_where_they_are(size: tuple[int, int]) -> None:
    flat = np.full((*size, 3), 0.4, np.float32)
    for family in ("iso", "aniso", "sinc"):
        blur = Blur(family=family, taps=21, sigma_x=3.0, sigma_y=1.0, cutoff=1.0)  # type: ignore[arg-type]
        np.testing.assert_allclose(blur.apply(flat), 0.4, atol=1e-5)


def test_draws_stay_in_their_ranges() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw(rng, BlurConfig()) for _ in range(4000)]
    assert {blur.taps for blur in drawn} == set(range(7, 22, 2))
    for blur in drawn:
        if blur.family == "sinc":
            assert (math.pi / 3 if blur.taps < 13 else math.pi / 5) <= blur.cutoff <= math.pi
            continue
        assert 0.2 <= blur.sigma_x <= 3
        if blur.family.endswith("aniso"):
            assert 0.2 <= blur.sigma_y <= 3
            assert -math.pi <= blur.theta <= math.pi
        if blur.family.startswith("generalized"):
            assert 0.5 <= blur.beta <= 4
        if blur.family.startswith("plateau"):
            assert 1 <= blur.beta <= 2


def test_the_authors_shapes_have_half_of_the_plateaus_at_1() -> None:
    config = BlurConfig(families={"plateau_iso": 1.0}, sinc_probability=0.0, is_beta_halved=True)
    rng = np.random.default_rng(0)
    at_one = sum(draw(rng, config).beta == 1 for _ in range(2000))
    assert abs(at_one - 1000) < 5 * math.sqrt(500)


@pytest.mark.parametrize("taps", [(6, 21), (7, 20)])
def test_an_even_kernel_is_refused(taps: tuple[int, int]) -> None:
    with pytest.raises(ValidationError, match="odd number of taps"):
        BlurConfig(taps=taps)
