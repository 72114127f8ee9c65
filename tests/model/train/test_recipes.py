"""The recipes that are shipped: the paper's numbers, networks that can be built, and steps that can be taken."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from apisr_data.config import load_recipe_as, override, recipe_names
from apisr_model import architectures, checkpoint
from apisr_model.data import read_manifest
from apisr_model.degrade import DegradationConfig
from apisr_model.losses.perceptual import PerceptualConfig
from apisr_model.train.loop import train
from apisr_model.train.recipe import TrainRecipe
from tests.model.manifests import picture, write_manifest

ABLATIONS = Path(__file__).parents[3] / "docs" / "ablations.md"


def recipe(name: str) -> TrainRecipe:
    return load_recipe_as(TrainRecipe, name, job="train")


@pytest.mark.parametrize("name", recipe_names("train"))
def test_every_recipe_builds_its_network_and_takes_crops_that_fit_it(name: str) -> None:
    found = recipe(name)
    network = found.network
    config = architectures.configure(
        network.architecture, variant=network.variant, **network.config, scale=network.scale
    )
    architecture = architectures.get(network.architecture)
    assert architecture.build(config)
    step = network.scale * architecture.multiple_of(config)
    assert found.data.crop_px % step == found.validation.crop_px % step == 0


def test_the_two_stages_are_the_papers() -> None:
    pixel, gan = recipe("train_pixel_x4"), recipe("train_gan_x4")
    for stage in (pixel, gan):
        assert architectures.configure("grl", variant=stage.network.variant) == architectures.configure("grl")
        assert (stage.network.scale, stage.degradation, stage.target.kind) == (4, DegradationConfig(), "pseudo_gt")
        train = stage.train
        assert (train.iterations, train.batch, stage.data.crop_px) == (300_000, 32, 256)
        assert (train.schedule, train.halve_every, train.clip_norm) == ("halving", 100_000, None)
    assert (pixel.train.learning_rate, gan.train.learning_rate) == (2e-4, 1e-4)
    assert (pixel.losses.pixel, pixel.losses.perceptual, pixel.losses.adversarial) == (1, None, 0)
    assert (gan.losses.pixel, gan.losses.perceptual, gan.losses.adversarial) == (1, PerceptualConfig(), 0.2)


@pytest.mark.parametrize("scale", [2, 4])
def test_the_second_stage_goes_on_with_the_firsts_network_and_pictures(scale: int) -> None:
    pixel, gan = recipe(f"train_pixel_x{scale}"), recipe(f"train_gan_x{scale}")
    assert (pixel.network, pixel.degradation, pixel.target) == (gan.network, gan.degradation, gan.target)
    assert pixel.data == gan.data


def slow_with_a_discriminator(name: str) -> Any:
    """Its 8 million parameters, with their optimizer's, take seconds to save."""
    return pytest.param(name, marks=pytest.mark.slow) if recipe(name).losses.adversarial else name


@pytest.mark.parametrize("name", [slow_with_a_discriminator(name) for name in recipe_names("train")])
def test_every_recipe_takes_steps(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut down, and a second stage without perceptual weights, as its comment tells those who have none."""
    monkeypatch.setenv("APISR_CACHE", str(tmp_path / "empty"))
    monkeypatch.setenv("APISR_OFFLINE", "1")
    side = 96 if recipe(name).losses.adversarial else 64
    small = ["train.iterations=2", "train.batch=1", "data.crops=2", "data.context_px=0", "validation.images=1"]
    small += [f"data.crop_px={side}", f"validation.crop_px={side}"]
    if recipe(name).losses.perceptual:
        small.append("losses.perceptual.if_absent=drop")
    pictures = {"a.png": picture(0, (140, 120)), "v.png": picture(1, (140, 120))}
    manifest = read_manifest(write_manifest(tmp_path, pictures, val=("v.png",)))
    result = train(tmp_path / "run", manifest, override(recipe(name), small))
    assert (result.step, result.is_finished) == (2, True)
    assert result.validation is not None
    network = checkpoint.load(str(result.network))
    assert (network.architecture, network.scale) == (recipe(name).network.architecture, recipe(name).network.scale)


def ablations() -> list[tuple[str, str, list[str]]]:
    """Name, stages and assignments of each row of the page's table."""
    rows = re.findall(r"^\| (\w+: .+?) \| (both|second) \| `(--set .+)` \|$", ABLATIONS.read_text("utf-8"), re.M)
    return [(name, stages, shlex.split(line)[1::2]) for name, stages, line in rows]


def test_the_page_has_the_papers_ablations() -> None:
    assert [name.split(":")[0] for name, *_ in ablations()] == ["degradation"] * 2 + ["lines"] * 2 + ["loss"] * 3


@pytest.mark.parametrize(
    ("stages", "assignments"), [row[1:] for row in ablations()], ids=[row[0] for row in ablations()]
)
def test_an_ablation_changes_what_it_names_and_nothing_else(stages: str, assignments: list[str]) -> None:
    for name in ("train_pixel_x4", "train_gan_x4") if stages == "both" else ("train_gan_x4",):
        base = recipe(name)
        changed = override(base, assignments)
        assert different(base.model_dump(), changed.model_dump()) == [path.partition("=")[0] for path in assignments]


def different(one: object, other: object, path: str = "") -> list[str]:
    """The paths at which two trees of tables differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [found for key in one for found in different(one[key], other[key], f"{path}.{key}".lstrip("."))]
    return [] if one == other else [path]
