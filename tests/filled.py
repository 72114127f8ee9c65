"""Networks filled with reproducible numbers, as the references in golden/ were made: no weight file is needed."""

import zlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def fill(network: nn.Module, salt: str = "apisr", *, skip: tuple[str, ...] = ()) -> nn.Module:
    """Overwrite parameters and running statistics, except keys that end in one of `skip`; returned in eval mode."""
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for key, tensor in network.state_dict().items():
            is_filled = key in parameters or key.endswith(("running_mean", "running_var"))
            if is_filled and not (skip and key.endswith(skip)):
                tensor.copy_(torch.from_numpy(numbers(key, tuple(tensor.shape), salt)))
    return network.eval()


def numbers(key: str, shape: tuple[int, ...], salt: str = "apisr") -> NDArray[np.float32]:
    """The numbers of one state entry."""
    noise = np.random.default_rng(zlib.crc32(f"{salt}:{key}".encode())).standard_normal(shape).astype(np.float32)
    if key.endswith("logit_scale"):
        return np.asarray(np.float32(np.log(10.0)) + 0.1 * noise, np.float32)
    if key.endswith("running_var"):
        return np.asarray(1 + 0.2 * np.abs(noise), np.float32)
    if key.endswith("running_mean"):
        return np.asarray(0.1 * noise, np.float32)
    if len(shape) >= 2:
        return np.asarray(noise / np.float32(np.sqrt(np.prod(shape[1:]))), np.float32)
    return np.asarray(1 + 0.1 * noise if key.endswith("weight") else 0.05 * noise, np.float32)


def uniform(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """A reproducible batch in [0, 1): uniform, smoothed once."""
    x: NDArray[Any] = np.random.default_rng(seed).random(shape, dtype=np.float32)
    x = (x + np.roll(x, 1, -1) + np.roll(x, 1, -2) + np.roll(x, (1, 1), (-1, -2))) / 4
    return torch.from_numpy(x.astype(np.float32))
