import cv2
import numpy as np
import pytest

from apisr_data.stages.export.tiles import complex_tiles


def flat(width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), 90, np.uint8)


def test_the_tile_with_the_drawing_comes_first() -> None:
    image = flat(640, 360)
    image[200:320, 400:520] = np.random.default_rng(0).integers(0, 256, (120, 120, 3))
    left, top = complex_tiles(image, 128, 4)[0]
    assert left <= 400 <= 520 <= left + 128
    assert top <= 200 <= 320 <= top + 128


def test_the_order_is_that_of_the_mean_gradient() -> None:
    image = np.random.default_rng(1).integers(0, 256, (256, 512, 3), np.uint8)
    image = (image * np.linspace(0, 1, 512)[None, :, None]).astype(np.uint8)
    tiles = complex_tiles(image, 64, 8)
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(float)
    down, across = np.gradient(luma)
    energy = [float(np.hypot(down, across)[t : t + 64, x : x + 64].mean()) for x, t in tiles]
    assert len(tiles) == 8
    assert energy == pytest.approx(sorted(energy, reverse=True), rel=0.1)
    assert tiles[0][0] > 400


@pytest.mark.parametrize("size", [(1280, 720), (512, 512), (700, 513), (1920, 816)])
def test_tiles_lie_inside_and_hardly_overlap(size: tuple[int, int]) -> None:
    width, height = size
    image = np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8)
    tiles = complex_tiles(image, 512, 16)
    assert tiles
    for n, (left, top) in enumerate(tiles):
        assert 0 <= left <= width - 512
        assert 0 <= top <= height - 512
        for x, y in tiles[:n]:
            assert max(0, 512 - abs(x - left)) * max(0, 512 - abs(y - top)) <= 0.25 * 512 * 512


def test_a_flat_image_has_tiles_too() -> None:
    assert complex_tiles(flat(1024, 512), 512, 4) == [(0, 0), (384, 0)]  # 128 of 512 px in common: a quarter


@pytest.mark.parametrize("size", [(511, 720), (1280, 511)])
def test_an_image_smaller_than_a_tile_has_none(size: tuple[int, int]) -> None:
    assert complex_tiles(flat(*size), 512, 4) == []
