from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import spectral_norm

from apisr_model.errors import ShapeError
from apisr_model.losses.discriminator import Discriminator
from tests.filled import fill, numbers, uniform
from tests.model.losses import golden_keys


def test_it_has_the_authors_entries(golden: Path) -> None:
    network = Discriminator()
    found = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    assert found == golden_keys.read(golden / "discriminator_multiscale.keys.tsv")
    assert sum(parameter.numel() for parameter in network.parameters()) == 8_294_211


def test_it_computes_what_the_reference_computes(golden: Path) -> None:
    expected = np.load(golden / "discriminator_multiscale.npz")
    network = fill(Discriminator())
    for key, buffer in network.named_buffers():
        vector = torch.from_numpy(numbers(f"{key}.vector", tuple(buffer.shape)))
        buffer.copy_(vector / vector.norm())
    with torch.inference_mode():
        verdicts = network(uniform(tuple(expected["in0_shape"]), int(expected["in0_seed"])))
    for i, verdict in enumerate(verdicts):
        reference = expected[f"out0_{i}"]
        np.testing.assert_allclose(verdict.numpy(), reference, atol=1e-4 * np.abs(reference).max(), rtol=0)


def test_training_follows_torchs_spectral_norm() -> None:
    network = Discriminator()
    ours = network.get_submodule("dis_list.0.model.2")
    theirs = spectral_norm(nn.Conv2d(64, 128, 4, 2, 1))
    theirs.load_state_dict(ours.state_dict())
    x = uniform((1, 64, 8, 8), 1)
    for _ in range(3):  # each forward moves the estimate
        (ours(x) + ours(x / 2)).sum().backward()
        (theirs(x) + theirs(x / 2)).sum().backward()
    for key, tensor in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[key], tensor)
    torch.testing.assert_close(ours.get_parameter("weight_orig").grad, theirs.weight_orig.grad)


def test_autocast_leaves_the_estimate_in_full_precision() -> None:
    network = Discriminator()
    before = {key: buffer.clone() for key, buffer in network.named_buffers()}
    picture = uniform((1, 3, 96, 96), 2)
    network(picture)
    full = {key: buffer.clone() for key, buffer in network.named_buffers()}
    for key, buffer in network.named_buffers():
        buffer.copy_(before[key])
    with torch.autocast("cpu", torch.bfloat16):
        verdicts = network(picture)
    assert [verdict.dtype for verdict in verdicts] == [torch.bfloat16] * 3
    for key, buffer in network.named_buffers():
        assert torch.equal(buffer, full[key])


def test_the_smallest_picture_has_one_verdict_at_the_coarsest_scale() -> None:
    verdicts = Discriminator()(torch.rand(2, 3, 96, 128))
    assert [tuple(verdict.shape) for verdict in verdicts] == [(2, 1, 10, 14), (2, 1, 4, 6), (2, 1, 1, 2)]


@pytest.mark.parametrize("shape", [(1, 3, 95, 128), (1, 1, 96, 96), (3, 96, 96)])
def test_what_it_cannot_judge_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="sides from 96 px, not"):
        Discriminator()(torch.rand(shape))
