"""SPAN: six blocks whose attention has no parameters, and convolutions that are three while training and one after it.

Source: Wan et al., Swift Parameter-free Attention Network for Efficient Super-Resolution, 2024; the keys are the
authors', and so those of traiNNer's and neosr's files.
"""

import math

import pydantic
import torch
from torch import Tensor, nn
from torch.nn import functional

from apisr_model.architectures.record import Architecture, Config, State, require_rgb

_REACH_PX = 21
"""Exact: each of the 3x3 convolutions in a row, of which there are three a block, reaches one pixel further."""
_GAIN = 2
"""How many times wider a convolution is while it trains."""


class SpanConfig(Config):
    """Defaults: the authors' network for 4x, as traiNNer and neosr train it."""

    scale: int = pydantic.Field(default=4, ge=1)
    features: int = pydantic.Field(default=48, ge=1)
    normalise: bool = False
    """Subtract `mean` and multiply by `image_range` first, as the authors' own networks do."""
    image_range: float = pydantic.Field(default=255.0, gt=0)
    mean: tuple[float, float, float] = (0.4488, 0.4371, 0.4040)
    """RGB, of DIV2K."""


class Span(nn.Module):
    """Six blocks; the first features and the outputs of the first, the fifth and the sixth are joined at the end."""

    mean: Tensor

    def __init__(self, config: SpanConfig) -> None:
        super().__init__()
        features = config.features
        self.normalise, self.image_range = config.normalise, config.image_range
        self.register_buffer("mean", torch.tensor(config.mean).view(1, 3, 1, 1), persistent=False)
        if not config.normalise:
            self.register_buffer("no_norm", torch.zeros(1))  # how the authors' files say so
        self.conv_1 = _Conv(3, features)
        self.block_1 = _Block(features)
        self.block_2 = _Block(features)
        self.block_3 = _Block(features)
        self.block_4 = _Block(features)
        self.block_5 = _Block(features)
        self.block_6 = _Block(features)
        self.conv_cat = nn.Conv2d(4 * features, features, 1)
        self.conv_2 = _Conv(features, features)
        self.upsampler = nn.Sequential(
            nn.Conv2d(features, 3 * config.scale**2, 3, padding=1), nn.PixelShuffle(config.scale)
        )

    def forward(self, x: Tensor) -> Tensor:
        """RGB (b, 3, h, w) in [0, 1] -> (b, 3, scale * h, scale * w)."""
        if self.normalise:
            x = (x - self.mean) * self.image_range
        first = self.conv_1(x)
        after_1, _ = self.block_1(first)
        x, _ = self.block_2(after_1)
        x, _ = self.block_3(x)
        x, _ = self.block_4(x)
        x, _ = self.block_5(x)
        x, inside_6 = self.block_6(x)
        upscaled: Tensor = self.upsampler(self.conv_cat(torch.cat((first, self.conv_2(x), after_1, inside_6), 1)))
        return upscaled


class _Block(nn.Module):
    """Three convolutions whose result, odd about zero, weighs itself."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.c1_r = _Conv(features, features)
        self.c2_r = _Conv(features, features)
        self.c3_r = _Conv(features, features)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(b, c, h, w) -> the block's output, and what its first convolution saw."""
        inside = functional.silu(self.c1_r(x))
        result = self.c3_r(functional.silu(self.c2_r(inside)))
        return (result + x) * (torch.sigmoid(result) - 0.5), inside


class _Conv(nn.Module):
    """A 3x3 convolution: the sum of a 1x1 and of 1x1, 3x3, 1x1 in a row while training, their merger in eval mode."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.sk = nn.Conv2d(inputs, outputs, 1)
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, _GAIN * inputs, 1),
            nn.Conv2d(_GAIN * inputs, _GAIN * outputs, 3),
            nn.Conv2d(_GAIN * outputs, outputs, 1),
        )
        self.eval_conv = _Merged(inputs, outputs)
        self.register_load_state_dict_post_hook(_merge_loaded)  # type: ignore[no-untyped-call]

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            result: Tensor = self.conv(functional.pad(x, (1, 1, 1, 1))) + self.sk(x)
            return result
        return functional.conv2d(x, self.eval_conv.weight, self.eval_conv.bias, padding=1)

    def train(self, mode: bool = True) -> "_Conv":
        if not mode:
            self._merge()
        return super().train(mode)

    @torch.no_grad()
    def _merge(self) -> None:
        widen, widen_bias, spread, spread_bias, narrow, narrow_bias = self.conv.parameters()
        skip, skip_bias = self.sk.parameters()
        inner = torch.einsum("omhw,mi->oihw", spread, widen[..., 0, 0])
        inner_bias = torch.einsum("omhw,m->o", spread, widen_bias) + spread_bias
        weight = torch.einsum("om,mihw->oihw", narrow[..., 0, 0], inner)
        weight[:, :, 1, 1] += skip[..., 0, 0]
        self.eval_conv.weight.copy_(weight)
        self.eval_conv.bias.copy_(narrow[..., 0, 0] @ inner_bias + narrow_bias + skip_bias)


def _merge_loaded(conv: _Conv, _incompatible_keys: object) -> None:
    conv._merge()


class _Merged(nn.Module):
    """Numbers that follow from a convolution's parameters, and are no parameters themselves."""

    weight: Tensor
    bias: Tensor

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(outputs, inputs, 3, 3))
        self.register_buffer("bias", torch.zeros(outputs))


def _detect(state: State) -> SpanConfig | None:
    """The range and the mean leave no trace in a state: they are taken for the authors'."""
    first, last = state.get("conv_1.sk.weight"), state.get("upsampler.0.weight")
    if first is None or last is None or "block_1.c1_r.sk.weight" not in state or "conv_cat.weight" not in state:
        return None
    require_rgb("span", first.shape[1])
    scale = max(1, math.isqrt(last.shape[0] // 3))
    return SpanConfig(scale=scale, features=first.shape[0], normalise="no_norm" not in state)


ARCHITECTURE = Architecture("span", SpanConfig, Span, _detect, overlap_px=lambda _config: _REACH_PX)
