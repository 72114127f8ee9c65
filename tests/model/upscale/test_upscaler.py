import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from apisr_data.errors import ConfigError
from apisr_model.errors import ShapeError
from apisr_model.upscale import upscale_image
from apisr_model.upscale.upscaler import Finish, Upscaler
from tests.model.upscale.networks import convolutions, enlarging

SMOOTH = cv2.resize(
    np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8), (64, 48), interpolation=cv2.INTER_CUBIC
)
DEEP = (SMOOTH.astype(np.uint16) * 257) ^ 0x55


@pytest.mark.parametrize("image", [SMOOTH, DEEP, SMOOTH[..., 0]], ids=["8 bits", "16 bits", "grey"])
def test_the_networks_result_is_every_level_exactly(image: NDArray[np.uint8 | np.uint16]) -> None:
    result = upscale_image(enlarging(2), image, tile=24)
    assert result.dtype == image.dtype
    assert np.array_equal(result, image.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize(
    ("finish", "size"),
    [
        (Finish(), (256, 192)),
        (Finish(scale=2), (128, 96)),
        (Finish(scale=0.25), (16, 12)),
        (Finish(scale=6.5), (416, 312)),
        (Finish(height=101), (135, 101)),
        (Finish(size=(7, 300)), (7, 300)),
    ],
    ids=str,
)
def test_the_output_has_the_size_that_was_asked_for(finish: Finish, size: tuple[int, int]) -> None:
    upscaler = Upscaler(convolutions(4), finish)
    assert upscaler.size(64, 48) == size
    assert upscaler(SMOOTH).shape == (size[1], size[0], 3)


@pytest.mark.parametrize("size", [(100, 75), (31, 200), (500, 400)], ids=str)
def test_another_size_is_an_antialiased_bicubic_resize_of_the_networks_result(size: tuple[int, int]) -> None:
    enlarged = SMOOTH.repeat(4, 0).repeat(4, 1)
    expected = np.asarray(Image.fromarray(enlarged).resize(size, Image.Resampling.BICUBIC))
    result = Upscaler(enlarging(4), Finish(size=size))(SMOOTH)
    assert np.abs(result.astype(int) - expected).max() <= 1


def test_a_fine_checkerboard_becomes_grey_and_not_stripes() -> None:
    board = (np.indices((60, 60)).sum(0) % 2 * 255).astype(np.uint8)
    small = Upscaler(enlarging(1), Finish(scale=0.3))(board)
    assert np.abs(small[2:-2, 2:-2].astype(int) - 127.5).max() < 10


def test_sixteen_bits_keep_more_than_eight_through_a_resize() -> None:
    ramp = np.linspace(20000, 20500, 64).round().astype(np.uint16)[None].repeat(48, 0)
    result = Upscaler(enlarging(4), Finish(scale=2))(ramp)
    assert (
        np.abs(
            result[10, 16:-16].astype(int) - np.interp(np.arange(128) / 2 - 0.25, np.arange(64), ramp[0])[16:-16]
        ).max()
        <= 6
    )


def test_no_strength_is_the_plain_resize_and_half_is_between() -> None:
    plain, half, full = (
        Upscaler(convolutions(2), Finish(strength=strength))(DEEP // 4 + 20000).astype(float)  # far from clipping
        for strength in (0, 0.5, 1)
    )
    expected = np.asarray(Image.fromarray(SMOOTH).resize((128, 96), Image.Resampling.BICUBIC)).astype(float)
    is_inside = (expected > 0) & (expected < 255)
    assert np.abs((plain - 20000) * 4 / 257 - expected)[is_inside].max() < 2
    assert np.abs(half - (plain + full) / 2).max() <= 1
    assert np.abs(full - plain).max() > 1000


def test_matched_colour_has_the_inputs_low_frequencies() -> None:
    network = convolutions(2)
    far, near = (
        np.abs(_low(Upscaler(network, Finish(match_colour=matched))(DEEP)) - _low(DEEP)).mean()
        for matched in (False, True)
    )
    assert near < 0.15 * far


def test_matched_colour_keeps_the_networks_detail() -> None:
    network = enlarging(2)
    assert (
        np.abs(Upscaler(network, Finish(match_colour=True))(SMOOTH).astype(int) - Upscaler(network)(SMOOTH)).max() <= 4
    )


def _low(image: NDArray[np.uint16]) -> NDArray[np.float64]:
    """Means of large blocks; the outermost are left out, where a blur mirrors."""
    return cv2.resize(image.astype(np.float64), (4, 3), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize(
    "finish", [Finish(), Finish(scale=3, strength=0.7, match_colour=True)], ids=["plain", "finished"]
)
def test_a_picture_without_colour_stays_so_exactly(finish: Finish) -> None:
    grey = SMOOTH[..., :1].repeat(3, 2)
    result = Upscaler(convolutions(2), finish)(grey)
    assert (result == result[..., :1]).all()
    assert np.array_equal(result[..., 0], Upscaler(convolutions(2), finish)(grey[..., 0]))


@pytest.mark.parametrize(
    "finish", [Finish(), Finish(height=5, match_colour=True, strength=0.5)], ids=["plain", "finished"]
)
@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 40, 3), (40, 1, 3), (2, 3, 3), (1, 1)], ids=str)
def test_any_size_down_to_one_pixel(shape: tuple[int, ...], finish: Finish) -> None:
    result = Upscaler(convolutions(4, grid=8), finish)(np.full(shape, 100, np.uint8))
    assert result.shape[0] == (5 if finish.height else 4 * shape[0])
    assert result.shape[2:] == shape[2:]


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
    ids=["float", "two channels", "empty", "one row"],
)
def test_other_arrays_are_refused(image: NDArray[np.uint8]) -> None:
    with pytest.raises(ShapeError, match=r"found"):
        upscale_image(enlarging(), image)


@pytest.mark.parametrize(
    "values",
    [{"scale": 0}, {"scale": -1}, {"height": 0}, {"size": (4, 0)}, {"strength": 1.1}, {"scale": 2, "height": 4}],
    ids=str,
)
def test_an_impossible_finish_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"scale|height|output|strength"):
        Finish(**values)
