"""VGG19 and ResNet-50 in reproducible numbers: built once, 45 million parameters between them."""

import pytest

from apisr_model.losses.resnet50 import ResNet50
from apisr_model.losses.vgg19 import Vgg19
from tests.filled import fill


@pytest.fixture(scope="session")
def vgg() -> Vgg19:
    network = fill(Vgg19())
    assert isinstance(network, Vgg19)
    return network


@pytest.fixture(scope="session")
def resnet() -> ResNet50:
    network = fill(ResNet50())
    assert isinstance(network, ResNet50)
    return network
