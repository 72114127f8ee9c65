"""Where the perceptual networks' weights come from, with files of zeros that take no space."""

import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor

from apisr_model.errors import WeightsError
from apisr_model.losses import perceptual
from apisr_model.losses.perceptual import PerceptualConfig
from apisr_model.weights import RESNET50, VGG19
from tests.model.losses import golden_keys

VGG, RESNET = VGG19.file, RESNET50.file


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("APISR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("APISR_OFFLINE", "1")
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def zeros(shape: tuple[int, ...], key: str) -> Tensor:
    """One stored number that stands for all; counters are integers."""
    return torch.zeros((), dtype=torch.int64 if key.endswith("num_batches_tracked") else torch.float32).expand(shape)


@pytest.fixture
def vgg_state(golden: Path) -> dict[str, Tensor]:
    """As torchvision publishes it."""
    return {key: zeros(shape, key) for key, shape in golden_keys.read(golden / "vgg19_torchvision.keys.tsv").items()}


@pytest.fixture
def resnet_state(golden: Path) -> dict[str, Tensor]:
    """As the tagger is published: a body and a head."""
    body = golden_keys.read(golden / "resnet50_danbooru_body.keys.tsv")
    head = {"1.2.weight": (4096,), "1.8.weight": (6000, 512)}
    return {f"0.{key}": zeros(shape, key) for key, shape in body.items()} | {k: zeros(s, k) for k, s in head.items()}


@pytest.mark.parametrize("is_zip", [True, False])
def test_named_files_are_opened(
    tmp_path: Path, vgg_state: dict[str, Tensor], resnet_state: dict[str, Tensor], is_zip: bool
) -> None:
    vgg_state["features.0.bias"] = torch.arange(64.0)
    resnet_state["0.7.2.bn3.running_var"] = torch.ones(2048)
    torch.save(vgg_state, tmp_path / "a.pth", _use_new_zipfile_serialization=is_zip)
    torch.save(resnet_state, tmp_path / "b.pth", _use_new_zipfile_serialization=is_zip)
    loss = perceptual.load(PerceptualConfig(vgg_file=str(tmp_path / "a.pth"), resnet_file=str(tmp_path / "b.pth")))
    assert torch.equal(loss.get_parameter("halves.vgg.network.features.0.bias"), torch.arange(64.0))
    assert loss.get_buffer("halves.resnet.network.7.2.bn3.running_var").sum() == 2048


def test_a_file_in_the_cache_is_found_and_a_body_alone_will_do(cache: Path, resnet_state: dict[str, Tensor]) -> None:
    body = {key.removeprefix("0."): value for key, value in resnet_state.items() if key.startswith("0.")}
    torch.save({key: value for key, value in body.items() if "num_batches" not in key}, cache / RESNET)
    assert list(perceptual.load(PerceptualConfig(vgg_weight=0)).halves) == ["resnet"]


def test_without_weights_the_message_says_what_to_do(cache: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        perceptual.load(PerceptualConfig())
    for part in (VGG, VGG19.url, str(cache / VGG), "losses.perceptual.vgg_file", "losses.perceptual.vgg_weight = 0"):
        assert part in str(caught.value)


def test_a_recipe_may_do_without(
    cache: Path, resnet_state: dict[str, Tensor], caplog: pytest.LogCaptureFixture
) -> None:
    torch.save(resnet_state, cache / RESNET)
    with caplog.at_level(logging.WARNING):
        loss = perceptual.load(PerceptualConfig(if_absent="drop"))
    assert list(loss.halves) == ["resnet"]
    assert "does without its half 'vgg'" in caplog.text


def test_a_file_that_is_there_but_wrong_is_never_done_without(cache: Path) -> None:
    (cache / VGG).write_bytes(b"half a download")
    with pytest.raises(WeightsError, match="has SHA-256"):
        perceptual.load(PerceptualConfig(if_absent="drop"))
    (cache / RESNET).write_bytes(b"half a download")
    with pytest.raises(WeightsError, match=r"resnet50-13306192\.pth: cannot be read as weights"):
        perceptual.load(PerceptualConfig(if_absent="drop", vgg_weight=0))


def test_a_named_file_that_is_absent_is_never_done_without(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.pth: cannot be read as weights: No such file"):
        perceptual.load(PerceptualConfig(if_absent="drop", vgg_file=str(tmp_path / "none.pth")))


def test_entries_that_differ_are_named(tmp_path: Path, vgg_state: dict[str, Tensor]) -> None:
    del vgg_state["features.34.weight"]
    vgg_state["features.36.weight"] = torch.zeros(1)
    vgg_state["features.0.weight"] = torch.zeros(64, 1, 3, 3)
    torch.save(vgg_state, tmp_path / "a.pth")
    what = r"it lacks features\.34\.weight; it also has features\.36\.weight; of another shape are features\.0\.weight"
    with pytest.raises(WeightsError, match=f"not the weights of Vgg19: {what}"):
        perceptual.load(PerceptualConfig(vgg_file=str(tmp_path / "a.pth"), resnet_weight=0))


def test_a_file_that_would_run_something_is_refused(tmp_path: Path) -> None:
    torch.save({"weights": tmp_path}, tmp_path / "a.pth")  # a Path is an object, and objects are code
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        perceptual.load(PerceptualConfig(vgg_file=str(tmp_path / "a.pth"), resnet_weight=0))


def test_another_networks_file_is_refused_without_a_long_list(tmp_path: Path, resnet_state: dict[str, Tensor]) -> None:
    torch.save(resnet_state, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"it lacks features\.0\.bias, .* and 29 more; it also has 0\.0\.weight"):
        perceptual.load(PerceptualConfig(vgg_file=str(tmp_path / "a.pth"), resnet_weight=0))
