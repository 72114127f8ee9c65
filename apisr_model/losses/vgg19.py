"""VGG19's convolutions, as torchvision keys them, without torchvision.

Source: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015,
table 1, column E.
"""

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn import functional

_STAGES = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4)
"""Output channels of the convolutions between two halvings."""


def _places() -> dict[str, tuple[int, int, int]]:
    """Name -> index among torchvision's `features`, channels in and out."""
    places, index, inputs = {}, 0, 3
    for stage, convolutions in enumerate(_STAGES, start=1):
        for number, outputs in enumerate(convolutions, start=1):
            places[f"conv{stage}_{number}"] = (index, inputs, outputs)
            index, inputs = index + 2, outputs  # a ReLU stands between
        index += 1  # and here the pooling
    return places


_PLACES = _places()
LAYERS = tuple(_PLACES)
"""conv1_1, ..., conv5_4: what `Vgg19` can hand out."""


class Vgg19(nn.Module):
    """Hands out what convolutions give, before their ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.ModuleDict(
            {str(index): nn.Conv2d(inputs, outputs, 3, padding=1) for index, inputs, outputs in _PLACES.values()}
        )

    def forward(self, x: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """Normalised RGB (b, 3, h, w), sides from 16 px -> the features of `layers`; nothing deeper is computed."""
        found: dict[str, Tensor] = {}
        for name, conv in zip(LAYERS, self.features.values(), strict=True):
            if name.endswith("_1") and name != LAYERS[0]:
                x = functional.max_pool2d(x, 2)
            x = conv(x)
            if is_asked := name in layers:
                found[name] = x
                if len(found) == len(layers):
                    break
            x = torch.relu(x) if is_asked else torch.relu_(x)  # what is handed out is not overwritten
        return found


def body(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The entries that `Vgg19` has, of torchvision's file: without the classifier."""
    return {key: tensor for key, tensor in state.items() if not key.startswith("classifier.")}
