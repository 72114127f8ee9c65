import pytest
import torch

from apisr_model.losses.adversarial import discriminator_loss, generator_loss

REAL = [torch.tensor([[1.0, 3.0]]), torch.tensor([0.0])]
FAKE = [torch.tensor([[0.5, -0.5, 1.0, 0.0]]), torch.tensor([2.0])]


def test_the_generator_wants_its_pictures_called_real() -> None:
    first, second = (0.25 + 2.25 + 0 + 1) / 4, 1.0
    assert generator_loss(FAKE).item() == (first + second) / 2


def test_the_discriminator_wants_ones_and_zeros() -> None:
    terms = discriminator_loss(REAL, FAKE)
    assert terms["real"].item() == ((0 + 4) / 2 + 1) / 2
    assert terms["fake"].item() == ((0.25 + 0.25 + 1 + 0) / 4 + 4) / 2


def test_verdicts_are_squared_in_float32() -> None:
    loss = generator_loss([torch.tensor([1001.0], dtype=torch.float16)])
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(1e6)
