"""The twin perceptual term: pictures are compared as two networks see them, one of photographs, one of drawings.

Source: Wang et al., "APISR: Anime Production Inspired Real-World Anime Super-Resolution", CVPR 2024, section 4.3.
Layers and weights are those of the authors' code, and so are the two options that differ from the default.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from apisr_data import cache
from apisr_data.config import Settings
from apisr_data.errors import FetchError
from apisr_model.errors import ShapeError, WeightsError
from apisr_model.losses import resnet50, vgg19
from apisr_model.losses.pixel import l1
from apisr_model.losses.resnet50 import ResNet50
from apisr_model.losses.vgg19 import Vgg19
from apisr_model.losses.weights import load_into
from apisr_model.weights import RESNET50, VGG19, Published, fetch

MIN_SIDE_PX = 16
"""VGG19 halves a picture four times."""

log = logging.getLogger(__name__)

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]

_STATISTICS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "danbooru": ((0.7137, 0.6628, 0.6519), (0.2970, 0.3017, 0.2979)),
}
"""Mean and standard deviation of RGB in [0, 1]."""


class PerceptualConfig(Settings):
    """What is compared, and how much it weighs. A weight of 0 leaves that half or layer out."""

    vgg_weight: Weight = 0.5
    vgg_layers: dict[str, Weight] = Field(
        default={"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0}
    )
    """Any of conv1_1 to conv5_4, compared before its ReLU."""
    vgg_file: str | None = None
    """torchvision's VGG19; None is its published file, in the cache or fetched."""
    resnet_weight: Weight = 0.5
    resnet_layers: dict[str, Weight] = Field(
        default={"0": 0.1, "4_2_conv3": 20.0, "5_3_conv3": 25.0, "6_5_conv3": 1.0, "7_2_conv3": 1.0}
    )
    """The stem and each stage's last convolution, compared before its norm."""
    resnet_file: str | None = None
    """The Danbooru ResNet-50; None is its published file, in the cache or fetched."""
    resnet_normalisation: Literal["danbooru", "imagenet"] = "danbooru"
    """The statistics that the ResNet learned with, or those that the authors' code feeds it."""
    detach_resnet: bool = False
    """Show the ResNet's half but learn nothing from it, as the authors' code does by mistake."""
    if_absent: Literal["stop", "drop"] = "stop"
    """What becomes of a half whose published file is neither here nor to be had."""

    @model_validator(mode="after")
    def _layers_are_known(self) -> "PerceptualConfig":
        for name, layers, known in (
            ("vgg", self.vgg_layers, vgg19.LAYERS),
            ("resnet", self.resnet_layers, resnet50.LAYERS),
        ):
            if unknown := [layer for layer in layers if layer not in known]:
                raise ValueError(f"{name}_layers: no layer '{unknown[0]}'; there are {', '.join(known)}")
            if getattr(self, f"{name}_weight") and not any(layers.values()):
                raise ValueError(f"{name}_layers: none weighs anything; {name}_weight = 0 leaves it out")
        return self


class Perceptual(nn.Module):
    """Terms `vgg` and `resnet`, of whichever networks there are. Frozen, and always in evaluation mode.

    Make it `channels_last` and run it under autocast as the generator is; it needs no casting.
    """

    def __init__(self, config: PerceptualConfig, *, vgg: Vgg19 | None = None, resnet: ResNet50 | None = None) -> None:
        super().__init__()
        self.halves = nn.ModuleDict()
        if vgg is not None:
            self.halves["vgg"] = _Half(vgg, config.vgg_layers, config.vgg_weight, "imagenet")
        if resnet is not None:
            self.halves["resnet"] = _Half(
                resnet,
                config.resnet_layers,
                config.resnet_weight,
                config.resnet_normalisation,
                detach=config.detach_resnet,
            )
        self.requires_grad_(requires_grad=False).eval()

    def forward(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The weighted terms by name, float32 scalars; their sum is the loss. RGB (b, 3, h, w) in [0, 1], both.

        The gradient reaches `output` alone.

        Raises:
            ShapeError: the shapes differ, or a side is below `MIN_SIDE_PX`.
        """
        shape = output.shape
        if shape != target.shape or len(shape) != 4 or shape[1] != 3 or min(shape[2:]) < MIN_SIDE_PX:
            raise ShapeError(
                f"the perceptual loss compares RGB (b, 3, h, w) of one shape, sides from {MIN_SIDE_PX} px; "
                f"not {tuple(shape)} with {tuple(target.shape)}"
            )
        return {name: half(output, target) for name, half in self.halves.items()}

    def train(self, mode: bool = True) -> "Perceptual":  # noqa: ARG002
        """Stays in evaluation mode, whatever the trainer says to all its modules."""
        return super().train(mode=False)


class _Half(nn.Module):
    """The weighted L1 between the features of two pictures."""

    def __init__(
        self, network: nn.Module, layers: Mapping[str, float], weight: float, statistics: str, *, detach: bool = False
    ) -> None:
        super().__init__()
        self.network = network
        self.layers = {layer: weight * share for layer, share in layers.items() if share}
        self.detach = detach
        for name, values in zip(("mean", "deviation"), _STATISTICS[statistics], strict=True):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self._features(target)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.detach):
            found = self._features(output)
        return torch.stack([share * l1(found[layer], wanted[layer]) for layer, share in self.layers.items()]).sum()

    def _features(self, rgb: Tensor) -> dict[str, Tensor]:
        normalised = (rgb - self.get_buffer("mean")) / self.get_buffer("deviation")
        features: dict[str, Tensor] = self.network(normalised, self.layers)
        return features


def load(config: PerceptualConfig, *, offline: bool = False, progress: cache.Progress | None = None) -> Perceptual:
    """The loss with its networks' published weights: the named files, else those in the cache, else fetched.

    Raises:
        WeightsError: a file is absent and cannot be had, damaged or another network's; the message says what to do.
    """

    def path(half: str, named: str | None, published: Published) -> Path | None:
        if named is not None:
            return Path(named)
        try:
            return fetch(published, offline=offline, progress=progress)
        except FetchError as error:
            if config.if_absent == "drop" and cache.find(published.file) is None:
                log.warning("the perceptual loss does without its half '%s': %s", half, error)
                return None
            raise WeightsError(
                f"the perceptual loss wants {published.file} for its half '{half}': {error}; or name another file in "
                f"losses.perceptual.{half}_file; or leave this half out with losses.perceptual.{half}_weight = 0, or "
                'whatever is absent with losses.perceptual.if_absent = "drop"'
            ) from None

    vgg = resnet = None
    if config.vgg_weight and (file := path("vgg", config.vgg_file, VGG19)):
        vgg = Vgg19()
        load_into(vgg, file, vgg19.body)
    if config.resnet_weight and (file := path("resnet", config.resnet_file, RESNET50)):
        resnet = ResNet50()
        load_into(resnet, file, resnet50.body)
    return Perceptual(config, vgg=vgg, resnet=resnet)
