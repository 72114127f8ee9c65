from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from apisr_model import architectures, checkpoint
from apisr_model.errors import WeightsError


def test_real_weights_agree_with_the_ncnn_runtime(golden: Path, peer_weights: Path) -> None:
    peer = np.load(golden / "peers.npz")
    network = checkpoint.load(peer_weights / "realesr-animevideov3-x4.pth")
    output = network(torch.from_numpy(peer["image"]).permute(2, 0, 1)[None] / 255)[0].numpy()
    np.testing.assert_allclose(output, peer["realesr-animevideov3-x4"].astype(np.float32), atol=1 / 255)


@pytest.mark.parametrize("base", ["nearest", "bicubic"])
def test_without_detail_it_is_the_plain_enlargement(base: str) -> None:
    network = architectures.build("compact", scale=3, features=4, convolutions=1, base=base)
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    x = torch.rand(1, 3, 5, 7)
    assert torch.equal(network(x), functional.interpolate(x, scale_factor=3, mode=base))


@pytest.mark.parametrize("activation", ["prelu", "relu"])
@pytest.mark.parametrize("convolutions", [0, 3])
@pytest.mark.parametrize("base", ["nearest", "bicubic"])
def test_the_configuration_is_read_from_the_keys(activation: str, convolutions: int, base: str) -> None:
    config = {"scale": 2, "features": 4, "convolutions": convolutions, "activation": activation, "base": base}
    found = architectures.detect(architectures.build("compact", **config).state_dict())
    assert found is not None
    assert found[1].model_dump() == config


@pytest.mark.parametrize(("base", "convolutions"), [("nearest", 2), ("bicubic", 2), ("bicubic", 0)])
def test_nothing_beyond_the_overlap_changes_the_result(base: str, convolutions: int) -> None:
    network = architectures.build("compact", features=4, convolutions=convolutions, base=base).eval()
    found = architectures.detect(network.state_dict())
    assert found is not None
    reach = found[0].overlap_px(found[1])
    x = torch.rand(1, 3, 6, reach + 8)
    with torch.inference_mode():
        assert torch.allclose(network(x)[..., -16:], network(x[..., 4:])[..., -16:], atol=1e-6)


def test_a_network_for_grey_pictures_is_refused_by_name() -> None:
    state = dict(architectures.build("compact", features=4).state_dict())
    state["body.0.weight"] = torch.zeros(4, 1, 3, 3)
    with pytest.raises(WeightsError, match="compact weights for grey pictures"):
        architectures.detect(state)


def test_another_sequential_network_is_not_taken_for_compact() -> None:
    state = architectures.build("compact", features=4).state_dict()
    assert architectures.detect(dict(state) | {"head.weight": torch.zeros(1)}) is None
