import re
from pathlib import Path

import numpy as np
import pytest
import torch

from apisr_data.errors import ConfigError
from apisr_model import architectures, checkpoint
from apisr_model.architectures import State
from apisr_model.errors import WeightsError
from tests.filled import fill, uniform


@pytest.mark.parametrize("scale", [4, 2])
def test_it_computes_what_the_reference_computes(golden: Path, scale: int) -> None:
    expected = np.load(golden / "rrdb6.npz")
    network = fill(architectures.build("rrdb", scale=scale))
    with torch.inference_mode():
        output = network(uniform(tuple(expected["shape"]), int(expected["seed"]))).numpy()
    np.testing.assert_allclose(output[..., :32, :32], expected[f"x{scale}_first"], atol=1e-4)
    np.testing.assert_allclose(output[..., -32:, -32:], expected[f"x{scale}_last"], atol=1e-4)


def test_real_weights_agree_with_the_ncnn_runtime(golden: Path, peer_weights: Path) -> None:
    peer = np.load(golden / "peers.npz")
    network = checkpoint.load(peer_weights / "realesrgan-x4plus-anime-6b.pth")
    output = network(torch.from_numpy(peer["image"]).permute(2, 0, 1)[None] / 255)[0].numpy()
    np.testing.assert_allclose(output, peer["realesrgan-x4plus-anime"].astype(np.float32), atol=1 / 255)


@pytest.mark.parametrize(
    ("scale", "doublings", "grid"), [(1, 2, 4), (2, 2, 2), (4, 2, 1), (1, 0, 1), (2, 1, 1), (8, 3, 1)]
)
def test_scales_below_the_doublings_unshuffle_the_input(scale: int, doublings: int, grid: int) -> None:
    config = {"scale": scale, "doublings": doublings, "blocks": 1, "features": 4, "growth": 2}
    network = architectures.build("rrdb", **config)
    assert network(torch.rand(1, 3, 8, 4)).shape == (1, 3, 8 * scale, 4 * scale)
    found = architectures.detect(network.state_dict())
    assert found is not None
    assert found[0].multiple_of(found[1]) == grid
    assert found[1].model_dump() == config


def test_a_scale_that_doublings_cannot_reach_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="scale 3 does not divide"):
        architectures.build("rrdb", scale=3)


def as_esrgan(key: str) -> str:
    """The key that ESRGAN's first release gave a 4x network of two blocks."""
    layers = {
        "conv_first": "0",
        "conv_body": "1.sub.2",
        "conv_up1": "3",
        "conv_up2": "6",
        "conv_hr": "8",
        "conv_last": "10",
    }
    name, kind = key.rsplit(".", 1)
    dense = re.fullmatch(r"body\.(\d)\.rdb(\d)\.conv(\d)", name)
    return f"model.1.sub.{dense[1]}.RDB{dense[2]}.conv{dense[3]}.0.{kind}" if dense else f"model.{layers[name]}.{kind}"


def as_bsrgan(key: str) -> str:
    names = {"body.": "RRDB_trunk.", "rdb": "RDB", "conv_body": "trunk_conv", "conv_up": "upconv", "conv_hr": "HRconv"}
    for ours, theirs in names.items():
        key = key.replace(ours, theirs) if ours != "body." or not key.startswith("conv_body") else key
    return key


@pytest.mark.parametrize("rename", [as_esrgan, as_bsrgan])
def test_older_names_of_the_same_network_are_known(rename: object) -> None:
    assert callable(rename)
    small = {"blocks": 2, "features": 4, "growth": 2}
    state = architectures.build("rrdb", **small).state_dict()
    older: State = {rename(key): tensor for key, tensor in state.items()}
    assert not state.keys() & older.keys() - {
        "conv_first.weight",
        "conv_first.bias",
        "conv_last.weight",
        "conv_last.bias",
    }
    found = architectures.detect(older)
    assert found is not None
    assert found[1].model_dump() == small | {"scale": 4, "doublings": 2}
    renamed = found[0].rename(older)
    assert list(renamed) == list(state)
    assert all(renamed[key] is state[key] or torch.equal(renamed[key], state[key]) for key in state)


def test_a_network_for_grey_pictures_is_refused_by_name() -> None:
    state = dict(architectures.build("rrdb", blocks=1, features=4, growth=2).state_dict())
    state["conv_first.weight"] = torch.zeros(4, 1, 3, 3)
    with pytest.raises(WeightsError, match="rrdb weights for grey pictures"):
        architectures.detect(state)


def test_esrgan_plus_is_another_architecture() -> None:
    state = dict(architectures.build("rrdb", blocks=1, features=4, growth=2).state_dict())
    state["body.0.rdb1.conv1x1.weight"] = torch.zeros(2, 4, 1, 1)
    assert architectures.detect(state) is None
