"""What `Network` promises around any module."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from apisr_model.errors import ShapeError
from apisr_model.network import Network


def doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="nearest")


def network(multiple_of: int = 8, smallest_px: int = 16, **fields: str) -> Network:
    def module(x: Tensor) -> Tensor:
        assert x.dtype == torch.float32
        assert all(side % multiple_of == 0 and side >= smallest_px for side in x.shape[2:])
        return doubled(x)

    return Network(module, "nearest", 2, multiple_of=multiple_of, smallest_px=smallest_px, **fields)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 2), (16, 16), (17, 33), (90, 1)])
def test_any_size_is_brought_to_the_grid_and_back(size):
    rgb = torch.rand(2, 3, *size)
    assert torch.equal(network()(rgb), doubled(rgb))


def test_the_edges_are_continued_by_reflection():
    seen = []
    padding = Network(lambda x: seen.append(x) or x, "identity", 1, multiple_of=4)
    padding(torch.arange(3.0).repeat(3, 1).expand(1, 3, 3, 3))
    assert seen[0][0, 0, 0].tolist() == [0, 1, 2, 1]


def test_a_network_trained_on_bgr_sees_bgr_and_answers_rgb():
    def lose_the_third(x: Tensor) -> Tensor:
        return x * torch.tensor([1.0, 1.0, 0.0]).view(1, 3, 1, 1)

    rgb = torch.rand(1, 3, 4, 4)
    output = Network(lose_the_third, "drop", 1, channel_order="bgr")(rgb)
    assert torch.equal(output, rgb * torch.tensor([0.0, 1.0, 1.0]).view(1, 3, 1, 1))


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 1, 8, 8), (1, 4, 8, 8), (1, 3, 0, 8), (0, 3, 8, 8)])
def test_anything_but_a_batch_of_rgb_pictures_is_a_shape_error(shape):
    with pytest.raises(ShapeError, match=r"nearest wants RGB of shape \(b, 3, h, w\), found"):
        network()(torch.zeros(shape))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_reduced_precision_reaches_the_arithmetic_and_not_the_result(dtype):
    seen = []
    convolution = torch.nn.Conv2d(3, 3, 1)

    def module(x: Tensor) -> Tensor:
        y = convolution(x)
        seen.append(y.dtype)
        return y

    output = Network(module, "one", 1, dtype=dtype)(torch.rand(1, 3, 4, 4))
    assert (seen, output.dtype) == ([dtype], torch.float32)
