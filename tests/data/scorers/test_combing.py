import cv2
import numpy as np
import pytest

from apisr_data.scorers.combing import comb_share


def draw(x, noise=0.0):
    picture = np.full((240, 320), 190, np.uint8)
    cv2.circle(picture, (x, 120), 70, 60, -1, cv2.LINE_AA)
    grain = np.random.default_rng(1).normal(0, noise, picture.shape) if noise else 0
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("noise", [0, 5])
def test_two_moments_in_one_picture_are_combed(noise):
    woven = draw(120, noise)
    woven[1::2] = draw(128, noise)[1::2]
    assert comb_share(woven) > 0.05
    assert comb_share(woven.T.copy()) == 0


@pytest.mark.parametrize("noise", [0, 5, 12])
def test_one_moment_is_not_combed(noise):
    assert comb_share(draw(120, noise)) == 0


@pytest.mark.parametrize("thickness", [1, 2, 3])
@pytest.mark.parametrize("gap", [3, 4, 7])
def test_thin_horizontal_lines_are_not_combed(thickness, gap):
    picture = draw(120)
    for line in range(thickness):
        picture[line :: thickness + gap] = 0
    assert comb_share(picture) == 0


@pytest.mark.parametrize("amplitude", [4, 30, 120])
def test_a_checkerboard_is_not_combed(amplitude):
    rows, columns = np.indices((240, 320))
    picture = draw(120) // 2 + amplitude * ((rows + columns) % 2)
    assert comb_share(picture.astype(np.uint8)) == 0


@pytest.mark.parametrize("amplitude", [2, 8, 16])
def test_ordered_dithering_is_not_combed(amplitude):
    rows, columns = np.indices((240, 320))
    thresholds = np.array([[0, 2], [3, 1]])[rows % 2, columns % 2] / 4
    gradient = np.linspace(40, 200, 320) + amplitude * thresholds
    assert comb_share(np.floor(gradient).astype(np.uint8)) == 0


def test_three_parallel_lines_are_not_combed():
    picture = np.full((240, 320), 200, np.uint8)
    for top in range(10, 230, 20):
        picture[top : top + 5 : 2] = 0
    assert comb_share(picture) == 0


def test_a_tiny_picture_is_not_combed():
    assert comb_share(np.zeros((8, 8), np.uint8)) == 0
