"""What holds for every architecture, whichever there are."""

import contextlib
from typing import Any

import pytest
import torch
from torch import nn

from apisr_data.errors import ConfigError
from apisr_model import architectures
from apisr_model.errors import WeightsError
from tests.filled import fill, uniform


def variants() -> list[Any]:
    """(name, variant) of all; None is the defaults."""
    return [
        pytest.param(name, variant, id=f"{name}-{variant or 'default'}")
        for name in architectures.names()
        for variant in architectures.get(name).variants or [None]
    ]


@pytest.fixture(scope="module", params=architectures.names())
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def network(name: str) -> nn.Module:
    return fill(architectures.build(name))


def a_batch(name: str, count: int = 1) -> torch.Tensor:
    """A batch of the smallest pictures with unequal sides that fit the grid."""
    architecture = architectures.get(name)
    grid = architecture.multiple_of(architecture.config())
    height = -(-8 // grid) * grid
    return uniform((count, 3, height, height + grid), 7)


def test_there_are_the_four_that_the_manual_names() -> None:
    assert {"grl", "rrdb", "span", "compact"} <= set(architectures.names())


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize(("name", "variant"), variants())
def test_every_variant_and_scale_knows_its_own_state(name: str, variant: str | None, scale: int) -> None:
    state = architectures.build(name, variant=variant, scale=scale).state_dict()
    found = architectures.detect(state)
    assert found is not None
    assert found[0].name == name
    assert found[1] == architectures.configure(name, variant=variant, scale=scale)
    assert found[0].rename(state).keys() == state.keys()


def test_no_architecture_knows_a_foreign_state() -> None:
    assert architectures.detect({"layer.weight": torch.zeros(3, 3)}) is None
    assert architectures.detect({}) is None


@pytest.mark.parametrize("shape", [(), (0,), (48,), (3, 48, 3, 3), (0, 0, 0, 0), (7, 7, 7, 7, 7)])
def test_no_entry_of_a_foreign_shape_stops_the_search(name: str, network: nn.Module, shape: tuple[int, ...]) -> None:
    """Whatever another network has under a key of ours: its architecture is unknown, or it is not for RGB."""
    state = network.state_dict()
    for key in [*list(state)[:6], *list(state)[-4:]]:
        with contextlib.suppress(WeightsError):
            architectures.detect(state | {key: torch.zeros(shape)})


@pytest.mark.parametrize("key", ["body.norm.weight", "model.norm.weight", "layers.norm.weight", "upsample.up.x.weight"])
def test_no_key_of_a_foreign_network_stops_the_search(name: str, network: nn.Module, key: str) -> None:
    architectures.detect(network.state_dict() | {key: torch.zeros(3)})


def test_numbers_that_no_configuration_has_are_another_networks() -> None:
    blocks = {"body.0.rdb1.conv1.weight": torch.zeros(32, 64, 3, 3)}
    for channels, doublings in ((48, 1), (12, 0)):  # more unshuffling than doubling
        first = {"conv_first.weight": torch.zeros(64, channels, 3, 3)}
        ups = {f"conv_up{i + 1}.weight": torch.zeros(64, 64, 3, 3) for i in range(doublings)}
        assert architectures.detect(first | blocks | ups) is None


def test_the_output_is_scale_times_the_input(name: str, network: nn.Module) -> None:
    x = a_batch(name)
    with torch.inference_mode():
        assert network(x).shape == (1, 3, 4 * x.shape[2], 4 * x.shape[3])


def test_a_batch_is_its_pictures_one_by_one(name: str, network: nn.Module) -> None:
    x = a_batch(name, 2)
    with torch.inference_mode():
        alone = torch.cat([network(picture[None]) for picture in x])
        assert torch.allclose(network(x), alone, atol=1e-5)


def test_gradients_reach_every_parameter(name: str) -> None:
    torch.manual_seed(0)  # some training drops paths: not all in every picture
    network = fill(architectures.build(name)).train()
    network(a_batch(name, 3)).square().mean().backward()
    without = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not without


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no architecture 'swin'.*compact"):
        architectures.build("swin")
    with pytest.raises(ConfigError, match=r"rrdb has no variant '7'.*23"):
        architectures.build("rrdb", variant="7")
    with pytest.raises(ConfigError, match="no such setting"):
        architectures.build("compact", width=3)
