"""Files of weights of the networks that look at pictures for us: read and checked."""

import pickle
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from apisr_model.errors import WeightsError

State = dict[str, Tensor]


def load_into(network: nn.Module, path: Path, body: Callable[[State], State]) -> None:
    """Load `body` of what the file holds; every entry of the network must be there in its shape, and no other.

    Nothing in the file is run. Batch norm's counters, which no evaluation needs, may be absent.

    Raises:
        WeightsError: the file is absent, damaged or holds something else; the message says what differs.
    """
    state = body(_read(path))
    own = network.state_dict()
    counters = {key for key in own if key.endswith("num_batches_tracked")}
    lacks = own.keys() - counters - state.keys()
    others = state.keys() - own.keys()
    shapes = {key for key in own.keys() & state.keys() if own[key].shape != state[key].shape}
    found = (("it lacks", lacks), ("it also has", others), ("of another shape are", shapes))
    if wrong := [f"{what} {_some(keys)}" for what, keys in found if keys]:
        raise WeightsError(f"{path}: not the weights of {type(network).__name__}: {'; '.join(wrong)}")
    network.load_state_dict(state, strict=False)


def _read(path: Path) -> State:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, AttributeError) as error:
        reason = getattr(error, "strerror", None) or str(error).strip().partition("\n")[0]
        raise WeightsError(f"{path}: cannot be read as weights: {reason}") from None
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: holds one {type(content).__name__}, not weights by name")
    return {str(key): value for key, value in content.items() if isinstance(value, Tensor)}


def _some(keys: set[str]) -> str:
    first = ", ".join(sorted(keys)[:3])
    return first if len(keys) <= 3 else f"{first} and {len(keys) - 3} more"
