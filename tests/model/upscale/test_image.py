import numpy as np
import pytest
import torch
from torch import Tensor, nn

from apisr_data.errors import ResourceError
from apisr_model.network import Network
from apisr_model.upscale import memory, upscale_image
from apisr_model.upscale.image import upscale_picture
from apisr_model.upscale.picture import Picture
from apisr_model.upscale.upscaler import Finish, Upscaler
from tests.model.upscale.networks import convolutions, enlarging


class _Blurring(nn.Module):
    """Enlarged, and blurred so that whatever is beside a pixel shows."""

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.avg_pool2d(nn.functional.pad(x, (2, 2, 2, 2), mode="replicate"), 5, 1)
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def _disc(top: int = 255) -> np.ndarray:
    """A red disc of radius 9 in clear black, RGBA (32, 32, 4)."""
    rgba = np.zeros((32, 32, 4), np.uint8 if top == 255 else np.uint16)
    is_in = np.hypot(*(np.indices((32, 32)) - 15.5)) < 9
    rgba[is_in] = (200 * top // 255, 30 * top // 255, 40 * top // 255, top)
    return rgba


@pytest.mark.parametrize("top", [255, 65535])
def test_what_is_under_clear_pixels_makes_no_fringe(top: int) -> None:
    network = Network(_Blurring(), "blurring", 2, overlap_px=2)
    result = upscale_image(network, _disc(top)).astype(float) / top * 255
    is_seen = result[..., 3] > 0
    assert np.abs(result[is_seen][:, :3] - (200, 30, 40)).max() <= 1


def test_transparency_goes_through_the_network_as_grey_does() -> None:
    network = Network(_Blurring(), "blurring", 2, overlap_px=2)
    disc = _disc()
    assert np.array_equal(upscale_image(network, disc)[..., 3], upscale_image(network, disc[..., 3]))


def test_opaque_and_clear_areas_stay_exactly_so() -> None:
    class Fading(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 0.02 + 0.96 * x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    alpha = upscale_image(Network(Fading(), "fading", 2), _disc())[..., 3]
    assert alpha[0, 0] == 0
    assert alpha[32, 32] == 255
    assert np.count_nonzero((alpha != 0) & (alpha != 255)) > 0


def test_a_flat_transparency_is_not_computed() -> None:
    calls = []

    def module(x: Tensor) -> Tensor:
        calls.append(x.shape)
        return x

    rgba = np.full((9, 9, 4), 128, np.uint8)
    assert (upscale_image(Network(module, "counting", 1), rgba) == 128).all()
    assert len(calls) == 1


def test_a_picture_with_nothing_to_see_keeps_its_colour() -> None:
    rgba = np.full((4, 4, 4), (7, 8, 9, 0), np.uint8)
    assert np.array_equal(upscale_image(enlarging(2), rgba), rgba.repeat(2, 0).repeat(2, 1))


def test_transparency_is_resized_with_the_colour() -> None:
    assert upscale_image(convolutions(4), _disc(), finish=Finish(height=50)).shape == (50, 50, 4)


def test_a_result_beyond_the_memory_is_refused_before_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1000)

    def module(x: Tensor) -> Tensor:
        raise AssertionError

    with pytest.raises(ResourceError, match="400x400 px needs"):
        upscale_picture(Upscaler(Network(module, "none", 4)), Picture(np.zeros((100, 100, 3), np.uint8)))


@pytest.mark.parametrize("finish", [Finish(strength=0.5), Finish(match_colour=True), Finish(scale=4.01)], ids=str)
def test_what_a_finish_takes_counts_too(monkeypatch: pytest.MonkeyPatch, finish: Finish) -> None:
    picture = Picture(np.zeros((100, 100, 3), np.uint8))
    monkeypatch.setattr(memory, "free_bytes", lambda device: 400 * 400 * 3 * 4)  # of the result's planes in floats
    assert upscale_picture(Upscaler(enlarging(4), tile=64), picture).size == (400, 400)
    with pytest.raises(ResourceError, match="px needs"):
        upscale_picture(Upscaler(enlarging(4), finish, tile=64), picture)


def test_the_network_runs_without_keeping_gradients() -> None:
    seen = []

    def module(x: Tensor) -> Tensor:
        seen.append(torch.is_inference_mode_enabled())
        return x

    upscale_image(Network(module, "asking", 1), np.zeros((4, 4, 3), np.uint8))
    assert seen == [True]
