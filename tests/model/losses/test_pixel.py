import torch

from apisr_model.losses.pixel import l1


def test_it_is_the_mean_absolute_difference() -> None:
    output, target = torch.tensor([[0.5, 1.0], [0.25, 0.0]]), torch.tensor([[0.5, 0.0], [0.5, 0.25]])
    assert l1(output, target).item() == (0 + 1 + 0.25 + 0.25) / 4


def test_it_is_summed_in_float32() -> None:
    output, target = torch.full((300, 300), 1.0, dtype=torch.float16), torch.zeros(300, 300, dtype=torch.float16)
    loss = l1(output, target)  # the sum alone, 90,000, is beyond float16
    assert loss.dtype == torch.float32
    assert loss.item() == 1
