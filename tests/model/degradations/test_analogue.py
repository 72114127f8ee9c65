from typing import get_args

import numpy as np
import pytest

from apisr_model.degradations import Image
from apisr_model.degradations.analogue import _TO_YIQ, Analogue, AnalogueConfig, Fault, draw
from tests.model.manifests import picture


def drawing() -> Image:
    return 0.2 + 0.6 * picture(1).astype(np.float32) / 255


def yiq(image: Image) -> Image:
    return image @ _TO_YIQ.T


@pytest.mark.parametrize("fault", get_args(Fault))
@pytest.mark.parametrize("size", [(48, 64), (7, 5), (1, 1), (1, 9)])
def test_a_flat_picture_has_no_fault_to_show(fault: Fault, size: tuple[int, int]) -> None:
    flat = np.full((*size, 3), (0.2, 0.5, 0.7), np.float32)
    np.testing.assert_allclose(Analogue(fault=fault, strength=1.0, phase=0.3).apply(flat), flat, atol=1e-5)


@pytest.mark.parametrize("fault", get_args(Fault))
def test_the_input_stays_and_the_result_is_in_range_and_repeatable(fault: Fault) -> None:
    before = drawing()
    step = Analogue(fault=fault, strength=1.0, phase=0.3)
    spoiled = step.apply(before)
    np.testing.assert_array_equal(before, drawing())
    np.testing.assert_array_equal(spoiled, step.apply(before))
    assert spoiled.dtype == np.float32
    assert 0 <= spoiled.min() <= spoiled.max() <= 1
    assert np.abs(spoiled - before).max() > 0.01


@pytest.mark.parametrize("fault", ["dot_crawl", "halo"])
def test_faults_of_luma_leave_the_colour(fault: Fault) -> None:
    spoiled = Analogue(fault=fault, strength=0.1).apply(drawing())
    np.testing.assert_allclose(yiq(spoiled)[..., 1:], yiq(drawing())[..., 1:], atol=1e-4)


@pytest.mark.parametrize("fault", ["rainbows", "chroma_bleed"])
def test_faults_of_colour_leave_the_luma(fault: Fault) -> None:
    soft = 0.5 + 0.1 * (drawing() - 0.5)
    np.testing.assert_allclose(
        yiq(Analogue(fault=fault, strength=0.3).apply(soft))[..., 0], yiq(soft)[..., 0], atol=1e-4
    )


def test_a_fine_grey_pattern_turns_into_colours_and_a_coarse_one_does_not() -> None:
    def colour(period_px: int) -> float:
        columns = 0.5 + 0.2 * np.cos(2 * np.pi * np.arange(128) / period_px)
        grey = np.broadcast_to(columns[None, :, None], (32, 128, 3)).astype(np.float32)
        return float(np.ptp(Analogue(fault="rainbows", strength=0.5).apply(grey), axis=2).mean())

    assert colour(4) > 10 * colour(32)


def test_interlacing_moves_every_other_line() -> None:
    woven = Analogue(fault="interlacing", strength=0.5).apply(drawing())
    np.testing.assert_array_equal(woven[::2], drawing()[::2])
    np.testing.assert_array_equal(woven[1::2, 2:], drawing()[1::2, :-2])


def test_every_fault_is_drawn() -> None:
    rng = np.random.default_rng(0)
    assert {draw(rng, AnalogueConfig()).fault for _ in range(100)} == set(get_args(Fault))
