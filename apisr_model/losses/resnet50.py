"""ResNet-50's convolutional body as the Danbooru tagger keys it: 0 stem, 1 its norm, 4 to 7 the stages.

The tagger is M. Baas's, github.com/RF5/danbooru-pretrained: it knows 6,000 tags of drawings.

Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, table 1; the stride stands in the 3x3
convolution, as in torchvision.
"""

from collections.abc import Collection
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

_STAGES = {4: (3, 64), 5: (4, 128), 6: (6, 256), 7: (3, 512)}
"""Index -> blocks, inner channels; outside a block they are four times as many."""
_TAPS = {"4_2_conv3": 4, "5_3_conv3": 5, "6_5_conv3": 6, "7_2_conv3": 7}
LAYERS = ("0", *_TAPS)
"""The stem and the last convolution of each stage (block 2, 3, 5, 2; conv3), as APISR's authors label them."""


class ResNet50(nn.Module):
    """Hands out what convolutions give, before their norm."""

    def __init__(self) -> None:
        super().__init__()
        self.add_module("0", nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False))
        self.add_module("1", nn.BatchNorm2d(64))
        inputs = 64
        for index, (blocks, inner) in _STAGES.items():
            first = _Block(inputs, inner, stride=1 if index == min(_STAGES) else 2)
            inputs = 4 * inner
            self.add_module(str(index), nn.Sequential(first, *(_Block(inputs, inner) for _ in range(blocks - 1))))

    def forward(self, x: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """Normalised RGB (b, 3, h, w) -> the features of `layers`; nothing deeper is computed."""
        found: dict[str, Tensor] = {}
        x = self.get_submodule("0")(x)  # (b, 64, h / 2, w / 2)
        if "0" in layers:
            found["0"] = x
        x = torch.relu_(self.get_submodule("1")(x))
        x = functional.max_pool2d(x, 3, stride=2, padding=1)
        for name, index in _TAPS.items():
            if len(found) == len(layers):
                break
            *blocks, last = cast(nn.Sequential, self.get_submodule(str(index)))
            for block in blocks:
                x = block(x)
            tapped = cast(_Block, last).residual(x)  # (b, 4 * inner, ...)
            if name in layers:
                found[name] = tapped
            if len(found) < len(layers):
                x = cast(_Block, last).join(tapped, x)
        return found


class _Block(nn.Module):
    """1x1, 3x3 and 1x1 convolutions, added to the input."""

    def __init__(self, inputs: int, inner: int, stride: int = 1) -> None:
        super().__init__()
        outputs = 4 * inner
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            if inputs != outputs
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.join(self.residual(x), x)

    def residual(self, x: Tensor) -> Tensor:
        """The last convolution's output, before its norm."""
        y = torch.relu_(self.bn1(self.conv1(x)))
        y = torch.relu_(self.bn2(self.conv2(y)))
        last: Tensor = self.conv3(y)
        return last

    def join(self, residual: Tensor, x: Tensor) -> Tensor:
        """The block's output from `residual` and its input."""
        shortcut = x if self.downsample is None else self.downsample(x)
        return torch.relu_(self.bn3(residual) + shortcut)


def body(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The entries that `ResNet50` has, of the tagger's whole file (body `0.`, head `1.`) or of its body alone."""
    if "0.0.weight" not in state:
        return state
    return {key.removeprefix("0."): tensor for key, tensor in state.items() if key.startswith("0.")}
