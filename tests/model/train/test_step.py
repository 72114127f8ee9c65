from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor

from apisr_data.config import parse
from apisr_model import architectures
from apisr_model.data import Batch
from apisr_model.errors import TrainingError
from apisr_model.train import learner as learners
from apisr_model.train.learner import Learner
from apisr_model.train.objective import Objective
from apisr_model.train.recipe import TrainRecipe
from apisr_model.train.step import Step

RATE = 1e-2


def batch(side: int = 8) -> Batch:
    draws = torch.Generator().manual_seed(1)
    low_res = torch.rand(4, 3, side, side, generator=draws)
    high_res = torch.rand(4, 3, 2 * side, 2 * side, generator=draws)
    return Batch(low_res, high_res, high_res.flip(0), ("a.png", "b.png", "c.png", "d.png"), (8, 9, 10, 11))


def made(
    dtype: torch.dtype = torch.float32, losses: dict[str, Any] | None = None, **train: Any
) -> tuple[Step, Learner]:
    content = {
        "network": {"architecture": "compact", "scale": 2, "config": {"features": 8, "convolutions": 1}},
        "losses": losses or {},
        "train": {"iterations": 10, "batch": 4, **train},
    }
    recipe, device = parse(TrainRecipe, content, "test"), torch.device("cpu")
    torch.manual_seed(0)
    module = architectures.build("compact", scale=2, features=8, convolutions=1)
    learner = learners.make(module, recipe, device, dtype)
    return Step(learner, Objective(recipe.losses), recipe, Accelerator(cpu=True), device, dtype), learner


def weights(learner: Learner) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in learner.generator.parameters()])


def test_the_target_is_what_is_learned() -> None:
    step, learner = made()
    pair = batch()
    before = (learner.generator(pair.low_res) - pair.target).abs().mean().item()
    assert step(pair, RATE)["pixel"] == pytest.approx(before)
    assert learner.step == 1


def test_a_batch_in_parts_moves_the_weights_as_the_whole_does() -> None:
    (whole, one), (parts, other) = made(), made(accumulate=2)
    told = [step(batch(), RATE) for step in (whole, parts)]
    assert told[0] == pytest.approx(told[1], rel=1e-4)
    torch.testing.assert_close(weights(one), weights(other), atol=1e-5, rtol=0)


def test_the_gradient_is_cut_to_its_norm(monkeypatch: pytest.MonkeyPatch) -> None:
    norms: list[float] = []

    def spy(optimizer: torch.optim.Adam) -> None:
        gradients = [weight.grad.flatten() for weight in optimizer.param_groups[0]["params"]]
        norms.append(torch.cat(gradients).norm().item())

    for clip_norm in (None, 1e-3):
        step, learner = made(clip_norm=clip_norm)
        monkeypatch.setattr(learner.optimizer, "step", lambda learner=learner: spy(learner.optimizer))
        told = step(batch(), RATE)
        assert told["gradient"] > 1e-3
    assert norms[0] == pytest.approx(told["gradient"])
    assert norms[1] == pytest.approx(1e-3, rel=1e-2)


def test_bf16_computes_coarsely_and_keeps_exact_weights() -> None:
    (exact, one), (coarse, other) = made(), made(torch.bfloat16)
    told = [step(batch(), RATE)["pixel"] for step in (exact, coarse)]
    assert told[0] == pytest.approx(told[1], rel=1e-2)
    assert told[0] != told[1]
    assert weights(other).dtype == torch.float32
    assert not torch.equal(weights(one), weights(other))


def test_the_average_follows_the_weights() -> None:
    step, learner = made(ema_decay=0.0)
    step(batch(), RATE)
    averaged = torch.cat([weight.flatten() for weight in learner.ema.parameters()])
    assert torch.equal(averaged, weights(learner))
    step, learner = made()
    before = weights(learner)
    step(batch(), RATE)
    averaged = torch.cat([weight.flatten() for weight in learner.ema.parameters()])
    torch.testing.assert_close(averaged, torch.lerp(before, weights(learner), 1 - 2 / 11))


def test_what_is_not_finite_is_named_with_its_samples_before_the_weights_move() -> None:
    step, learner = made()
    pair = batch()
    pair.low_res[2] = torch.nan
    before = weights(learner)
    with pytest.raises(TrainingError, match=r"step 0: the loss's term 'pixel' is nan, on samples 8 \(a\.png\), 9"):
        step(pair, RATE)
    assert torch.equal(weights(learner), before)


def test_a_gradient_that_is_not_finite_stops_before_the_weights_move() -> None:
    step, learner = made()
    before = weights(learner)
    next(learner.generator.parameters()).register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(TrainingError, match=r"step 0: the norm of the gradient is (inf|nan)"):
        step(batch(), RATE)
    assert torch.equal(weights(learner), before)


def test_the_discriminator_moves_at_the_same_rate_and_both_are_told() -> None:
    step, learner = made(losses={"adversarial": 0.2})
    assert learner.discriminator is not None
    before = [weight.detach().clone() for weight in learner.discriminator.parameters()]
    told = step(batch(48), RATE)
    assert list(told) == ["pixel", "adversarial", "real", "fake", "gradient", "discriminator_gradient"]
    assert any(
        not torch.equal(one, other) for one, other in zip(before, learner.discriminator.parameters(), strict=True)
    )
    assert learner.discriminator_optimizer is not None
    assert learner.discriminator_optimizer.param_groups[0]["lr"] == RATE


def test_fp16_leaves_out_steps_that_overflow_and_gives_up_when_all_do() -> None:
    step, learner = made(torch.float16)
    before = weights(learner)
    hook = next(learner.generator.parameters()).register_hook(lambda gradient: gradient * torch.inf)
    scale = learner.scaler.get_scale()
    step(batch(), RATE)
    assert torch.equal(weights(learner), before)
    assert learner.scaler.get_scale() < scale
    hook.remove()
    step(batch(), RATE)
    assert not torch.equal(weights(learner), before)
    next(learner.generator.parameters()).register_hook(lambda gradient: gradient * torch.inf)
    for _ in range(19):
        step(batch(), RATE)
    with pytest.raises(TrainingError, match="the norm of the gradient"):
        step(batch(), RATE)
    assert learner.step == 21
