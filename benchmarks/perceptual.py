"""The twin perceptual loss and its gradient against the authors' modules, on one core.

    python benchmarks/perceptual.py PATH_TO_APISR [--batch 2] [--side 128]

PATH_TO_APISR is a checkout of github.com/Kiteretsu77/APISR. Its modules take their networks from torchvision and want a
GPU: here they get our networks with the same drawn weights, and run on the CPU. CPU time, the median of five rounds,
taken in turns; and what the forward pass keeps for the backward one, beside the weights.
"""

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from apisr_model.losses import vgg19
from apisr_model.losses.perceptual import Perceptual, PerceptualConfig
from apisr_model.losses.resnet50 import ResNet50
from apisr_model.losses.vgg19 import Vgg19

ROUNDS = 5

Loss = Callable[[Tensor, Tensor], Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", type=Path, help="checkout of the authors' repository")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--side", type=int, default=128)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    vgg, resnet = Vgg19(), ResNet50()

    def ours(*, detach: bool) -> Loss:
        config = PerceptualConfig(resnet_normalisation="imagenet", detach_resnet=detach)
        perceptual = Perceptual(config, vgg=vgg, resnet=resnet)
        perceptual.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return lambda output, target: torch.stack(list(perceptual(output, target).values())).sum()

    losses = {
        "authors', ResNet without gradient": theirs(arguments.reference, copy.deepcopy(vgg), copy.deepcopy(resnet)),
        "ours, the same": ours(detach=True),
        "ours, gradient through both": ours(detach=False),
    }
    output = torch.rand(arguments.batch, 3, arguments.side, arguments.side, requires_grad=True)
    target = torch.rand_like(output)
    seconds: dict[str, list[float]] = {name: [] for name in losses}
    values = {}
    for _ in range(ROUNDS + 1):  # the first one warms up
        for name, loss in losses.items():
            start_s = time.process_time()
            values[name] = loss(output, target)
            torch.autograd.grad(values[name], output)
            seconds[name].append(time.process_time() - start_s)
    first = next(iter(losses))
    print(f"{arguments.batch} pictures of {arguments.side} px, one core, fp32")
    for name, loss in losses.items():
        median_s = statistics.median(seconds[name][1:])
        ratio = statistics.median(seconds[first][1:]) / median_s
        kept = kept_bytes(loss, output, target) / 1e6
        print(f"{name:34} {median_s:6.3f} s  {ratio:4.2f}x  kept {kept:5.1f} MB  loss {values[name].item():.6f}")


def kept_bytes(loss: Loss, output: Tensor, target: Tensor) -> int:
    """What autograd holds on to after the forward pass; the weights, which are held anyway, are leaves."""
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, nn.Parameter):
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = loss(output, target)
    assert result.requires_grad
    return sum(kept.values())


def theirs(checkout: Path, vgg: Vgg19, resnet: ResNet50) -> Loss:
    """The authors' two losses together."""
    first, second = their_modules(checkout, vgg, resnet)
    return lambda output, target: first(output, target) + second(output, target)


def their_modules(checkout: Path, vgg: Vgg19, resnet: ResNet50) -> tuple[nn.Module, nn.Module]:
    """The authors' losses of photographs and of drawings with their weights and layers, on these networks."""
    layers: list[nn.Module] = []
    for name, conv in zip(vgg19.LAYERS, vgg.features.values(), strict=True):
        if name.endswith("_1") and layers:
            layers.append(nn.MaxPool2d(2))
        layers += [conv, nn.ReLU(inplace=True)]
    body = [resnet.get_submodule(name) for name in "014567"]
    tail = [nn.Identity(), nn.Identity()]  # the pooling and the classifier, which they cut off
    whole = nn.Sequential(*body[:2], nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1), *body[2:], *tail)

    torchvision = mock.MagicMock()
    torchvision.models.vgg.vgg19 = lambda **_: mock.Mock(features=nn.Sequential(*layers))
    torchvision.models.resnet50 = lambda **_: whole
    for module in ("torchvision", "torchvision.transforms"):
        sys.modules[module] = torchvision
    sys.modules["torchvision.models"] = torchvision.models
    mock.patch.object(nn.Module, "cuda", _stay).start()
    state = {f"0.{key}": tensor for key, tensor in resnet.state_dict().items()}
    mock.patch("torch.hub.load_state_dict_from_url", return_value=state).start()
    sys.path.insert(0, str(checkout))
    photographs: Any = __import__("loss.perceptual_loss", fromlist=["PerceptualLoss"])
    drawings: Any = __import__("loss.anime_perceptual_loss", fromlist=["Anime_PerceptualLoss"])
    config = PerceptualConfig()
    first = photographs.PerceptualLoss(config.vgg_layers, "vgg19", perceptual_weight=config.vgg_weight)
    second = drawings.Anime_PerceptualLoss(config.resnet_layers, perceptual_weight=config.resnet_weight)
    return first, second


def _stay(module: nn.Module) -> nn.Module:
    return module


if __name__ == "__main__":
    main()
