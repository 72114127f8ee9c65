"""What an architecture tells about itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from apisr_data.config import Settings
from apisr_model.errors import WeightsError

State = Mapping[str, Tensor]
"""A network's state entries by key, without any wrapper's prefix."""


class Config(Settings):
    """Base of the architectures' configurations: numbers that fix every shape of the state."""

    scale: int = 4
    """Output side over input side."""


@dataclass(frozen=True)
class Architecture:
    """One architecture: how to build it, how to know it by its keys, and which sizes it takes."""

    name: str
    config: type[Any]
    """A `Config`; its defaults are the variant that the paper or its authors use."""
    build: Callable[[Any], nn.Module]
    """Config -> module: RGB (b, 3, h, w) in [0, 1] -> (b, 3, scale * h, scale * w); h, w fit `multiple_of`."""
    detect: Callable[[State], Any]
    """State -> the config of the module that holds exactly these keys and shapes; None where it is another's state.

    Raises WeightsError where it is this architecture's, but for pictures that are not RGB. A LookupError,
    ValueError or ArithmeticError, over an entry without the shape or number looked for, also says: another's.
    """
    rename: Callable[[State], State] = lambda state: state
    """State, as published by whoever trained it -> state with exactly the module's keys."""
    multiple_of: Callable[[Any], int] = lambda _config: 1
    """Config -> what both sides of the input, and the origin of a tile, must be multiples of, px."""
    overlap_px: Callable[[Any], int] = lambda _config: 16
    """Config -> input px around a tile after which the result no longer depends on what lies beyond, below 1/255."""
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Name -> the config's fields that differ from the defaults."""


def require_rgb(name: str, channels: int) -> None:
    """Say no to a network that takes anything but RGB.

    Raises:
        WeightsError: `channels`, the number that the network named takes, is not 3.
    """
    if channels != 3:
        kind = "grey pictures" if channels == 1 else f"{channels} channels"
        raise WeightsError(f"these are {name} weights for {kind}; only networks for RGB, 3 channels, are run")
