import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from apisr_model import architectures
from apisr_model.architectures import State
from apisr_model.errors import WeightsError
from tests.filled import fill


def published_forward(state: State, x: Tensor, *, scale: int, normalise: bool) -> Tensor:
    """SPAN as its paper draws it, straight from the state, with the convolutions that training uses."""

    def convolve(x: Tensor, name: str) -> Tensor:
        y = functional.pad(x, (1, 1, 1, 1))
        for i in range(3):
            y = functional.conv2d(y, state[f"{name}.conv.{i}.weight"], state[f"{name}.conv.{i}.bias"])
        return y + functional.conv2d(x, state[f"{name}.sk.weight"], state[f"{name}.sk.bias"])

    x = (x - torch.tensor([0.4488, 0.4371, 0.4040]).to(x.dtype).view(1, 3, 1, 1)) * 255 if normalise else x
    outputs = [convolve(x, "conv_1")]
    for i in range(1, 7):
        inside = functional.silu(convolve(outputs[-1], f"block_{i}.c1_r"))
        result = convolve(functional.silu(convolve(inside, f"block_{i}.c2_r")), f"block_{i}.c3_r")
        outputs.append((result + outputs[-1]) * (torch.sigmoid(result) - 0.5))
    joined = torch.cat([outputs[0], convolve(outputs[6], "conv_2"), outputs[1], inside], 1)
    joined = functional.conv2d(joined, state["conv_cat.weight"], state["conv_cat.bias"])
    last = functional.conv2d(joined, state["upsampler.0.weight"], state["upsampler.0.bias"], padding=1)
    return functional.pixel_shuffle(last, scale)


@pytest.mark.parametrize("is_training", [True, False])
@pytest.mark.parametrize("normalise", [True, False])
def test_it_computes_what_the_paper_says(normalise: bool, is_training: bool) -> None:
    network = fill(architectures.build("span", scale=2, features=8, normalise=normalise)).double().train(is_training)
    x = torch.rand(2, 3, 9, 12).double()
    with torch.no_grad():
        expected = published_forward(network.state_dict(), x, scale=2, normalise=normalise)
        assert torch.allclose(network(x), expected, rtol=1e-5)


def test_loading_into_an_eval_network_merges_the_convolutions_again() -> None:
    source, target = (architectures.build("span", features=8).eval() for _ in range(2))
    x = torch.rand(1, 3, 6, 6)
    with torch.no_grad():
        target.load_state_dict(source.state_dict())
        assert torch.equal(target(x), source(x))


def test_stale_merged_convolutions_in_a_file_do_not_count() -> None:
    network = architectures.build("span", features=8).eval()
    state = {key: torch.zeros_like(t) if "eval_conv" in key else t for key, t in network.state_dict().items()}
    x = torch.rand(1, 3, 6, 6)
    with torch.no_grad():
        expected = network(x)
        network.load_state_dict(state)
        assert torch.equal(network(x), expected)


def test_merged_convolutions_are_no_parameters() -> None:
    network = architectures.build("span", features=8)
    assert not [name for name, _ in network.named_parameters() if "eval_conv" in name]
    assert "block_1.c1_r.eval_conv.weight" in network.state_dict()


def test_an_averaged_copy_merges_on_eval() -> None:
    network = architectures.build("span", features=8).eval()
    average = copy.deepcopy(network)
    for parameter in average.parameters():
        nn.init.constant_(parameter, 0.01)
    average.eval()
    x = torch.rand(1, 3, 6, 6)
    with torch.no_grad():
        assert torch.allclose(average(x), copy.deepcopy(average).train()(x), atol=1e-6)


def test_nothing_beyond_the_overlap_changes_the_result() -> None:
    network = fill(architectures.build("span", scale=1, features=4))
    reach = architectures.get("span").overlap_px(None)
    x = torch.rand(1, 3, 4, reach + 6)
    with torch.inference_mode():
        assert torch.allclose(network(x)[..., -4:], network(x[..., 2:])[..., -4:], atol=1e-6)


def test_a_network_for_grey_pictures_is_refused_by_name() -> None:
    state = dict(architectures.build("span", features=8).state_dict())
    state["conv_1.sk.weight"] = torch.zeros(8, 1, 1, 1)
    with pytest.raises(WeightsError, match="span weights for grey pictures"):
        architectures.detect(state)
