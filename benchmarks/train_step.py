"""A step of the paper's second stage against the authors' trainer: the same networks, batch and losses, one CPU thread.

    python benchmarks/train_step.py PATH_TO_APISR [--network grl|rrdb] [--batch 1] [--side 64] [--rounds 5]

PATH_TO_APISR is a checkout of github.com/Kiteretsu77/APISR. Its trainer's own `single_iteration` and `calculate_loss`
run, on networks with the same drawn weights as ours; what they take from packages that are absent is stood in for. In
the first step the terms must agree, where ours leaves the ResNet's half without gradient as theirs does by mistake, and
feeds it ImageNet's statistics. CPU time, the median of rounds in turns; then our step with one part less each time.
"""

import argparse
import importlib
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import torch
from accelerate import Accelerator
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from grl import reference_network
from perceptual import their_modules

from apisr_model import architectures
from apisr_model.data import Batch
from apisr_model.losses.perceptual import Perceptual, PerceptualConfig
from apisr_model.losses.resnet50 import ResNet50
from apisr_model.losses.vgg19 import Vgg19
from apisr_model.train import learner
from apisr_model.train.objective import Objective
from apisr_model.train.recipe import LossSettings, TrainRecipe, TrainSettings
from apisr_model.train.step import Step
from tests.filled import fill, uniform

SCALE = 4
RATE = 1e-4

N = TypeVar("N", bound=nn.Module)

Told = dict[str, float]
"""The weighted terms of the generator's loss in a step."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", type=Path, help="checkout of the authors' repository")
    parser.add_argument("--network", choices=("grl", "rrdb"), default="grl")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--side", type=int, default=64, help="of the low resolution, px")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.simplefilter("ignore")  # theirs asks for CUDA's autocast and scaler, which do nothing here

    batch = drawn_batch(arguments.batch, arguments.side)
    theirs, discriminator = their_step(arguments.reference, arguments.network, batch)
    vgg, resnet = filled(Vgg19()), filled(ResNet50())

    def ours(adversarial: float, twin: Perceptual | None) -> Callable[[], Told]:
        return our_step(arguments.network, LossSettings(adversarial=adversarial), twin, discriminator, batch)

    as_theirs, paper = PerceptualConfig(resnet_normalisation="imagenet", detach_resnet=True), PerceptualConfig()
    steps = {
        "authors'": theirs,
        "ours, the same": ours(0.2, Perceptual(as_theirs, vgg=vgg, resnet=resnet)),
        "ours, gradient through both": ours(0.2, Perceptual(paper, vgg=vgg, resnet=resnet)),
        "  and without discriminator": ours(0.0, Perceptual(paper, vgg=vgg, resnet=resnet)),
        "  and without ResNet-50": ours(0.0, Perceptual(paper, vgg=vgg)),
        "  and without VGG19": ours(0.0, None),
    }
    told = {name: step() for name, step in steps.items()}  # also warms up
    compare(told["authors'"], told["ours, the same"])

    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(arguments.rounds):
        for name, step in steps.items():
            start_s = time.process_time()
            step()
            seconds[name].append(time.process_time() - start_s)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    size = f"{arguments.batch} of {arguments.side} to {arguments.side * SCALE} px"
    print(f"{arguments.network}, {size}, fp32, one thread: CPU time, median of {arguments.rounds}")
    first_s = next(iter(medians.values()))
    for name, median_s in medians.items():
        print(f"{name:30} {median_s:7.3f} s  {first_s / median_s:5.2f}x")


def compare(theirs: Told, ours: Told) -> None:
    """Print both steps' terms; end where they are not the same."""
    for name, value in theirs.items():
        print(f"{name}: authors' {value:.6f}, ours {ours[name]:.6f}")
        if abs(ours[name] - value) > 1e-4 * abs(value):
            sys.exit(f"the steps differ in '{name}'")


def filled(network: N) -> N:
    """The network with reproducible numbers."""
    fill(network)
    return network


def drawn_batch(batch: int, side: int) -> Batch:
    """Smoothed noise; the target is not the raw picture."""
    low_res, high_res, target = (
        uniform((batch, 3, size, size), seed) for seed, size in enumerate((side, side * SCALE, side * SCALE))
    )
    return Batch(low_res, high_res, target, ("noise",) * batch, tuple(range(batch)))


def our_step(
    network: str, losses: LossSettings, twin: Perceptual | None, discriminator: Mapping[str, Tensor], batch: Batch
) -> Callable[[], Told]:
    """A step of the trainer, on filled weights."""
    recipe = TrainRecipe(losses=losses, train=TrainSettings(iterations=1, batch=len(batch.names)))
    still: dict[str, Any] = {"drop_path": 0.0} if network == "grl" else {}  # theirs is stood in for, and draws nothing
    generator = fill(architectures.build(network, scale=SCALE, **still))
    place = torch.device("cpu")
    moving = learner.make(generator, recipe, place, torch.float32)
    if moving.discriminator:
        moving.discriminator.load_state_dict(discriminator)
    step = Step(moving, Objective(losses, twin), recipe, Accelerator(cpu=True), place, torch.float32)

    def run() -> Told:
        told = step(batch, RATE)
        return told | {"perceptual": told.get("vgg", 0.0) + told.get("resnet", 0.0)}

    return run


def their_step(checkout: Path, network: str, batch: Batch) -> tuple[Callable[[], Told], dict[str, Tensor]]:
    """A step of the authors' trainer on filled weights, and its discriminator's state as it began."""
    generator = reference_network(checkout)  # which also stands in for packages
    if network == "rrdb":
        generator = importlib.import_module("architecture.rrdb").RRDBNet(3, 3, scale=SCALE)
    photographs, drawings = their_modules(checkout, filled(Vgg19()), filled(ResNet50()))
    for module in ("torchvision.utils", "degradation.ESR.utils", "scripts", "scripts.generate_lr_esr"):
        sys.modules[module] = mock.MagicMock()  # to draw pictures, and to make a training set
    trainer: Any = object.__new__(importlib.import_module("train_code.train_grlgan").train_grlgan)
    trainer.options = {"danbooru_perceptual_loss_weight": 0.5}
    trainer.has_discriminator = True
    trainer.generator = fill(generator).train()
    trainer.discriminator = importlib.import_module("architecture.discriminator").MultiScaleDiscriminator(3)
    for name in ("generator", "discriminator"):
        optimizer = torch.optim.Adam(getattr(trainer, name).parameters(), RATE, betas=(0.9, 0.99))
        setattr(trainer, f"optimizer_{name[0]}", optimizer)
    trainer.cri_pix, trainer.cri_vgg_perceptual, trainer.cri_danbooru_perceptual = nn.L1Loss(), photographs, drawings
    trainer.cri_gan = importlib.import_module("loss.gan_loss").MultiScaleGANLoss("lsgan", loss_weight=0.2)
    trainer.weight_store = {}
    names = {"pixel_loss": "pixel", "perceptual_loss": "perceptual", "gan_loss": "adversarial"}

    def run() -> Told:
        trainer.generator_loss = 0
        trainer.single_iteration(batch.low_res, batch.high_res, batch.target)
        return {names[name]: float(value) for name, value in trainer.weight_store.items()}

    return run, {key: tensor.clone() for key, tensor in trainer.discriminator.state_dict().items()}


if __name__ == "__main__":
    main()
