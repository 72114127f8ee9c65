from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from apisr_data.config import parse
from apisr_data.errors import ConfigError
from apisr_model.errors import ShapeError
from apisr_model.losses.perceptual import Perceptual, PerceptualConfig
from apisr_model.losses.resnet50 import ResNet50
from apisr_model.losses.vgg19 import Vgg19
from tests.filled import uniform
from tests.model.losses import golden_keys


@pytest.fixture(scope="module")
def authors(vgg: Vgg19, resnet: ResNet50) -> Perceptual:
    return Perceptual(PerceptualConfig(resnet_normalisation="imagenet"), vgg=vgg, resnet=resnet)


def pair(side: int = 32) -> tuple[Tensor, Tensor]:
    return uniform((1, 3, side, side), 1).requires_grad_(), uniform((1, 3, side, side), 2)


def test_the_networks_have_the_published_entries(golden: Path, vgg: Vgg19, resnet: ResNet50) -> None:
    published = golden_keys.read(golden / "vgg19_torchvision.keys.tsv")
    features = {key: shape for key, shape in published.items() if key.startswith("features.")}
    assert {key: tuple(tensor.shape) for key, tensor in vgg.state_dict().items()} == features
    body = golden_keys.read(golden / "resnet50_danbooru_body.keys.tsv")
    assert {key: tuple(tensor.shape) for key, tensor in resnet.state_dict().items()} == body


def test_losses_and_gradients_are_those_of_the_reference(golden: Path, authors: Perceptual) -> None:
    expected = np.load(golden / "perceptual.npz")
    output = uniform((1, 3, 96, 96), int(expected["gen_seed"])).requires_grad_()
    terms = authors(output, uniform((1, 3, 96, 96), int(expected["gt_seed"])))
    for name, loss in (("vgg", "vgg_loss"), ("resnet", "resnet_loss_imagenet_norm")):
        assert terms[name].item() == pytest.approx(float(expected[loss]), rel=1e-4)
        (gradient,) = torch.autograd.grad(terms[name], output)
        scale = np.abs(expected[f"{name}_grad_first"]).max()
        for part, where in (("first", slice(None, 32)), ("last", slice(-32, None))):
            reference = expected[f"{name}_grad_{part}"]
            np.testing.assert_allclose(gradient[..., where, where], reference, atol=1e-4 * scale, rtol=0)
        assert gradient.double().norm().item() == pytest.approx(float(expected[f"{name}_grad_norm"]), rel=1e-4)


def test_features_are_those_of_the_reference(golden: Path, vgg: Vgg19, resnet: ResNet50) -> None:
    expected = np.load(golden / "perceptual.npz")
    picture = uniform((1, 3, 96, 96), int(expected["gen_seed"]))
    normalised = (picture - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(3, 1, 1)
    config = PerceptualConfig()
    for name, network, layers in (("vgg", vgg, config.vgg_layers), ("resnet", resnet, config.resnet_layers)):
        with torch.inference_mode():
            features = network(normalised, layers)
        for layer in layers:
            assert features[layer].mean().item() == pytest.approx(float(expected[f"{name}_mean_{layer}"]), abs=1e-6)


def test_nothing_deeper_than_asked_is_computed(vgg: Vgg19, resnet: ResNet50) -> None:
    ran: list[str] = []
    hooks = [
        module.register_forward_hook(lambda _module, _input, _output, name=name: ran.append(name))
        for network in (vgg, resnet)
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d)
    ]
    with torch.inference_mode():
        assert list(vgg(torch.rand(1, 3, 16, 16), ["conv2_2", "conv1_1"])) == ["conv1_1", "conv2_2"]
        assert list(resnet(torch.rand(1, 3, 16, 16), ["4_2_conv3", "0"])) == ["0", "4_2_conv3"]
    for hook in hooks:
        hook.remove()
    assert ran[:4] == ["features.0", "features.2", "features.5", "features.7"]
    assert ran[4] == "0"
    assert ran[-1] == "4.2.conv3"
    assert len(ran) == 4 + 1 + 3 * 3 + 1  # three blocks, the first with a projection


def test_equal_pictures_lose_nothing(authors: Perceptual) -> None:
    picture, _ = pair()
    assert {name: term.item() for name, term in authors(picture, picture).items()} == {"vgg": 0, "resnet": 0}


def test_the_gradient_reaches_the_output_alone(authors: Perceptual) -> None:
    output, target = pair()
    target.requires_grad_()
    for term in authors(output, target).values():
        (gradient,) = torch.autograd.grad(term, output)
        assert gradient.abs().sum() > 0
    sum(authors(output, target).values()).backward()
    assert target.grad is None
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in authors.parameters())


def test_the_authors_detached_resnet_shows_its_term_and_teaches_nothing(
    authors: Perceptual, vgg: Vgg19, resnet: ResNet50
) -> None:
    config = PerceptualConfig(resnet_normalisation="imagenet", detach_resnet=True)
    output, target = pair()
    terms = Perceptual(config, vgg=vgg, resnet=resnet)(output, target)
    assert terms["resnet"].item() == authors(output, target)["resnet"].item()
    assert not terms["resnet"].requires_grad
    assert terms["vgg"].requires_grad


def test_the_resnet_sees_pictures_with_the_statistics_it_learned_with(resnet: ResNet50) -> None:
    output, target = pair()
    ours = Perceptual(PerceptualConfig(), resnet=resnet)(output, target)["resnet"]
    deviation, imagenet = torch.tensor([0.2970, 0.3017, 0.2979]), torch.tensor([0.229, 0.224, 0.225])
    mean, imagenet_mean = torch.tensor([0.7137, 0.6628, 0.6519]), torch.tensor([0.485, 0.456, 0.406])

    def shifted(rgb: Tensor) -> Tensor:
        """What ImageNet's statistics turn into what the Danbooru statistics make of `rgb`."""
        turned = (rgb - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)
        return turned * imagenet.view(3, 1, 1) + imagenet_mean.view(3, 1, 1)

    theirs = Perceptual(PerceptualConfig(resnet_normalisation="imagenet"), resnet=resnet)
    assert ours.item() == pytest.approx(theirs(shifted(output), shifted(target))["resnet"].item(), rel=1e-4)


def test_it_stays_in_evaluation_mode(authors: Perceptual) -> None:
    parent = nn.Sequential(authors).train()
    assert parent.training
    assert not any(module.training for module in authors.modules())


def test_bfloat16_and_channels_last_change_little(authors: Perceptual) -> None:
    output, target = pair()
    full = authors(output, target)
    with torch.autocast("cpu", torch.bfloat16):
        half = authors(*(x.contiguous(memory_format=torch.channels_last) for x in (output, target)))
    for name, term in half.items():
        assert term.dtype == torch.float32
        assert term.item() == pytest.approx(full[name].item(), rel=0.02)
        (gradient,) = torch.autograd.grad(term, output)
        assert gradient.isfinite().all()


def test_a_layer_that_weighs_nothing_is_left_out(vgg: Vgg19) -> None:
    output, target = pair()
    alone = Perceptual(PerceptualConfig(vgg_weight=1, vgg_layers={"conv1_1": 2.0, "conv5_4": 0.0}), vgg=vgg)
    with torch.no_grad():
        term = alone(output, target)["vgg"]
        mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
        deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
        first = vgg.get_submodule("features.0")
        difference = first((output - mean) / deviation) - first((target - mean) / deviation)
    assert term.item() == pytest.approx(2 * difference.abs().mean().item(), rel=1e-5)


@pytest.mark.parametrize("other", [(1, 3, 32, 16), (1, 3, 15, 32), (1, 1, 32, 32), (3, 32, 32)])
def test_pictures_that_cannot_be_compared_are_refused(authors: Perceptual, other: tuple[int, ...]) -> None:
    target = torch.rand(other) if other[2:] == (32, 16) else torch.rand(1, 3, 32, 32)
    output = torch.rand(1, 3, 32, 32) if other[2:] == (32, 16) else torch.rand(other)
    with pytest.raises(ShapeError, match="the perceptual loss compares"):
        authors(output, target)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"vgg_layers": {"relu1_1": 1.0}}, "no layer 'relu1_1'; there are conv1_1, "),
        ({"resnet_layers": {"4_1_conv3": 1.0}}, "no layer '4_1_conv3'; there are 0, 4_2_conv3, "),
        ({"resnet_layers": {}}, "resnet_weight = 0 leaves it out"),
        ({"vgg_weight": -1.0}, "vgg_weight"),
        ({"vgg_wieght": 1.0}, "vgg_wieght"),
    ],
)
def test_a_configuration_that_means_nothing_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(PerceptualConfig, values, "perceptual")
