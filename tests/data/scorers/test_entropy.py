import numpy as np
import pytest

from apisr_data.scorers.entropy import entropy_bits


@pytest.mark.parametrize("levels", [1, 2, 4, 16, 256])
def test_equally_frequent_levels_have_the_logarithm_of_their_number(levels):
    luma = np.tile(np.arange(levels, dtype=np.uint8), (8, 256 // levels))
    assert entropy_bits(luma) == pytest.approx(np.log2(levels))


def test_unequal_frequencies_follow_the_formula():
    luma = np.array([[0, 0, 0, 0, 9, 9, 200, 255]], np.uint8)  # 1/2, 1/4, 1/8, 1/8
    assert entropy_bits(luma) == pytest.approx(1.75)
