"""RRDB, the network of ESRGAN, Real-ESRGAN and APISR's faster weights: residual blocks of densely joined convolutions.

Source: Wang et al., ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks, 2018, section 3.1; the keys and
the way to scales below 4 (pixel unshuffle before a network for 4) are BasicSR's.
"""

import math
import re

import pydantic
import torch
from torch import Tensor, nn
from torch.nn import functional

from apisr_model.architectures.record import Architecture, Config, State, require_rgb

_SLOPE = 0.2
_RESIDUAL = 0.2
_OVERLAP_PX = 56
"""Of the body's input. Its 90 convolutions in a row (at 6 blocks) reach further, but weakly: on Real-ESRGAN's anime
network 40 px leave 5/255 at hard edges, 48 px 1.5/255 and 56 px 0.2/255; on its 23-block one 48 px leave 0.7/255."""

_OTHER_NAMES = (
    (re.compile(r"model\.0\.(\w+)"), r"conv_first.\1"),
    (re.compile(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.(\w+)"), r"body.\1.rdb\2.conv\3.\4"),
    (re.compile(r"model\.1\.sub\.\d+\.(\w+)"), r"conv_body.\1"),
    (re.compile(r"RRDB_trunk\.(\d+)\.RDB(\d)\.conv(\d)\.(\w+)"), r"body.\1.rdb\2.conv\3.\4"),
    (re.compile(r"trunk_conv\.(\w+)"), r"conv_body.\1"),
    (re.compile(r"upconv(\d)\.(\w+)"), r"conv_up\1.\2"),
    (re.compile(r"HRconv\.(\w+)"), r"conv_hr.\1"),
)
"""Keys of ESRGAN's first release and of BSRGAN, by which most networks of the community are known, and ours."""


class RrdbConfig(Config):
    """Defaults: the 4x network of 6 blocks, 4,467,779 parameters."""

    scale: int = pydantic.Field(default=4, ge=1)
    blocks: int = pydantic.Field(default=6, ge=1)
    features: int = pydantic.Field(default=64, ge=1)
    growth: int = pydantic.Field(default=32, ge=1)
    """Channels that each convolution of a dense block adds."""
    doublings: int = pydantic.Field(default=2, ge=0)
    """How often the body's output is doubled in size; where that is more than `scale`, the input is unshuffled."""

    @pydantic.model_validator(mode="after")
    def _scale_is_reached(self) -> "RrdbConfig":
        if self.scale > 2**self.doublings or 2**self.doublings % self.scale:
            raise ValueError(f"scale {self.scale} does not divide 2 ** doublings = {2**self.doublings}")
        return self

    @property
    def unshuffle(self) -> int:
        """How much smaller the body works than the input."""
        return int(2**self.doublings) // self.scale


class Rrdb(nn.Module):
    """Blocks at the input's size or below, then nearest-neighbour doublings with a convolution each."""

    def __init__(self, config: RrdbConfig) -> None:
        super().__init__()
        features = config.features
        self.unshuffle = config.unshuffle
        self.conv_first = _conv(3 * config.unshuffle**2, features)
        self.body = nn.Sequential(*(_Block(features, config.growth) for _ in range(config.blocks)))
        self.conv_body = _conv(features, features)
        for i in range(config.doublings):
            self.add_module(f"conv_up{i + 1}", _conv(features, features))
        self.conv_hr = _conv(features, features)
        self.conv_last = _conv(features, 3)
        self.doublings = config.doublings

    def forward(self, x: Tensor) -> Tensor:
        """RGB (b, 3, h, w) in [0, 1], sides multiples of `unshuffle` -> (b, 3, scale * h, scale * w)."""
        x = self.conv_first(functional.pixel_unshuffle(x, self.unshuffle))
        x = x + self.conv_body(self.body(x))
        for i in range(self.doublings):
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
            x = _leaky(self.get_submodule(f"conv_up{i + 1}")(x))
        x = _leaky(self.conv_hr(x))
        last: Tensor = self.conv_last(x)
        return last


class _Block(nn.Module):
    """Residual in residual: three dense blocks, weakened and added to the input."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = _DenseBlock(features, growth)
        self.rdb2 = _DenseBlock(features, growth)
        self.rdb3 = _DenseBlock(features, growth)

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.rdb3(self.rdb2(self.rdb1(x))), alpha=_RESIDUAL)


class _DenseBlock(nn.Module):
    """Five convolutions, each of which sees the input and all outputs before it."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.conv1 = _conv(features, growth)
        self.conv2 = _conv(features + growth, growth)
        self.conv3 = _conv(features + 2 * growth, growth)
        self.conv4 = _conv(features + 3 * growth, growth)
        self.conv5 = _conv(features + 4 * growth, features)

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat((seen, _leaky(conv(seen))), 1)
        return torch.add(x, self.conv5(seen), alpha=_RESIDUAL)


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, _SLOPE, inplace=True)


def _rename(state: State) -> State:
    renamed = {_our_name(key): tensor for key, tensor in state.items()}
    if "model.0.weight" not in state:
        return renamed
    numbers = sorted({int(key.split(".")[1]) for key in renamed if re.fullmatch(r"model\.\d+\.weight", key)})
    if len(numbers) < 2:
        return renamed
    *ups, high, last = numbers  # its layers are numbered through
    names = {up: f"conv_up{i + 1}" for i, up in enumerate(ups)} | {high: "conv_hr", last: "conv_last"}
    return {re.sub(r"^model\.(\d+)", lambda m: names.get(int(m[1]), m[0]), key): t for key, t in renamed.items()}


def _our_name(key: str) -> str:
    for pattern, ours in _OTHER_NAMES:
        if pattern.fullmatch(key):
            return pattern.sub(ours, key)
    return key


def _detect(state: State) -> RrdbConfig | None:
    if not {"conv_first.weight", "model.0.weight"} & state.keys():
        return None
    state = _rename(state)
    first, dense = state.get("conv_first.weight"), state.get("body.0.rdb1.conv1.weight")
    has_others = any(".conv1x1." in key for key in state)  # ESRGAN+
    if first is None or dense is None or has_others or first.ndim != 4:
        return None
    doublings = sum(bool(re.fullmatch(r"conv_up\d\.weight", key)) for key in state)
    unshuffle = math.isqrt(first.shape[1] // 3) or 1
    require_rgb("rrdb", first.shape[1] // unshuffle**2)
    return RrdbConfig(
        scale=2**doublings // unshuffle,
        blocks=1 + max(int(key.split(".")[1]) for key in state if key.startswith("body.")),
        features=first.shape[0],
        growth=dense.shape[0],
        doublings=doublings,
    )


ARCHITECTURE = Architecture(
    "rrdb",
    RrdbConfig,
    Rrdb,
    _detect,
    rename=_rename,
    multiple_of=lambda config: int(config.unshuffle),
    overlap_px=lambda config: _OVERLAP_PX * int(config.unshuffle),
    variants={"6": {"blocks": 6}, "23": {"blocks": 23}},
)
