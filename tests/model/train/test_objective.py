import pytest
import torch
from torch import Tensor, nn

from apisr_data.config import parse
from apisr_data.errors import ConfigError
from apisr_model.losses import adversarial, pixel
from apisr_model.losses.discriminator import Discriminator
from apisr_model.losses.perceptual import Perceptual, PerceptualConfig
from apisr_model.losses.vgg19 import Vgg19
from apisr_model.train.objective import Objective
from apisr_model.train.recipe import LossSettings


def pictures(seed: int, side: int = 96) -> Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(seed))


def test_the_generator_learns_from_the_weighted_terms_of_the_recipe() -> None:
    twin = Perceptual(PerceptualConfig(vgg_weight=0.5, resnet_weight=0), vgg=Vgg19())
    critic = Discriminator().eval()
    losses = Objective(LossSettings(pixel=2.0, adversarial=0.2, perceptual=PerceptualConfig()), twin)
    output, target = pictures(0), pictures(1)
    terms = losses.generator(output, target, critic)
    assert list(terms) == ["pixel", "vgg", "adversarial"]
    assert torch.equal(terms["pixel"], 2 * pixel.l1(output, target))
    assert torch.equal(terms["vgg"], twin(output, target)["vgg"])
    torch.testing.assert_close(terms["adversarial"], 0.2 * adversarial.generator_loss(critic(output)))


def test_the_discriminator_learns_nothing_from_the_generators_step_nor_the_generator_from_its() -> None:
    critic, losses = Discriminator(), Objective(LossSettings(adversarial=1.0))
    output = pictures(0).requires_grad_()
    sum(losses.generator(output, pictures(1), critic).values(), torch.zeros(())).backward()
    assert output.grad is not None
    assert all(weight.grad is None for weight in critic.parameters())
    output.grad = None
    sum(losses.discriminator(critic, output, pictures(1)).values(), torch.zeros(())).backward()
    assert output.grad is None
    assert all(weight.grad is not None for weight in critic.parameters())


def test_raw_pictures_are_the_real_ones() -> None:
    class Brightness(nn.Module):
        def forward(self, rgb: Tensor) -> list[Tensor]:
            return [rgb.mean(dim=(1, 2, 3))]

    white, black = torch.ones(2, 3, 8, 8), torch.zeros(2, 3, 8, 8)
    terms = Objective(LossSettings(adversarial=1.0)).discriminator(Brightness(), output=black, raw=white)
    assert {name: term.item() for name, term in terms.items()} == {"real": 0.0, "fake": 0.0}


def test_a_recipe_that_ties_the_output_to_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing ties the output to the picture"):
        parse(LossSettings, {"pixel": 0.0, "adversarial": 1.0}, "recipe")
