"""What is asked of pyiqa, with a stand-in for it; and what is said where it is not installed."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from apisr_data.errors import ConfigError, FetchError
from apisr_model.errors import MissingExtraError, ShapeError
from apisr_model.metrics import learned


class Stand:
    """A network that tells what it was given: the mean of the first picture's red."""

    def __init__(self, lower_better):
        self.lower_better = lower_better
        self.seen = []

    def __call__(self, *pictures):
        self.seen.append(pictures)
        return pictures[0][:, 0].mean().reshape(1, 1)


@pytest.fixture
def stand(monkeypatch):
    """A pyiqa in which only `create_metric` is."""
    made = []

    def create_metric(name, device):
        made.append((name, device, network := Stand(name == "lpips")))
        return network

    monkeypatch.setitem(sys.modules, "pyiqa", SimpleNamespace(create_metric=create_metric, __version__="9.9"))
    return made


@pytest.fixture
def red():
    return np.full((4, 6, 3), (255, 51, 0), np.uint8)


def test_no_reference_metrics_get_rgb_in_0_1(stand, red):
    metric = learned.load("maniqa")
    assert metric.function(red) == 1
    [(name, device, network)] = stand
    assert (name, device) == ("maniqa", torch.device("cpu"))
    [(given,)] = network.seen
    assert given.shape == (1, 3, 4, 6)
    assert given[0, :, 0, 0].tolist() == pytest.approx([1, 0.2, 0])


def test_lpips_compares_with_the_reference_and_is_better_lower(stand, red):
    metric = learned.load("lpips")
    assert (metric.needs, metric.is_higher_better) == ("reference", False)
    metric.function(red, red[..., ::-1])
    assert stand[0][2].seen[0][1][0, :, 0, 0].tolist() == pytest.approx([0, 0.2, 1])
    with pytest.raises(ShapeError, match="one size"):
        metric.function(red, red[:2])


@pytest.mark.parametrize("name", sorted(learned.VARIANTS))
def test_each_tells_its_variant_version_and_licence(stand, name):
    metric = learned.load(name)
    assert "pyiqa 9.9" in metric.about
    assert "no commercial use" in (metric.licence or "")
    assert metric.is_higher_better == (name != "lpips")


def test_without_pyiqa_the_command_and_the_licence_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'apisr\[metrics\]'.*no commercial use"):
        learned.load("clipiqa")


def test_weights_that_cannot_be_fetched_are_said_to_be_so(monkeypatch):
    def create_metric(name, device):
        raise OSError("no route to host")

    monkeypatch.setitem(sys.modules, "pyiqa", SimpleNamespace(create_metric=create_metric))
    with pytest.raises(FetchError, match="'maniqa': pyiqa cannot fetch its weights: no route"):
        learned.load("maniqa")


def test_an_unknown_name_lists_the_known():
    with pytest.raises(ConfigError, match="maniqa, clipiqa, lpips"):
        learned.load("musiq")
