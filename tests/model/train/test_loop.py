import math
from pathlib import Path
from typing import Any

import pytest
import torch

from apisr_data.config import load_recipe_as, parse, recipe_names
from apisr_data.errors import ConfigError
from apisr_model import architectures, checkpoint
from apisr_model.data import read_manifest
from apisr_model.errors import TrainingError, WeightsError
from apisr_model.train import loop, state
from apisr_model.train.loop import Progress, Result, learning_rate
from apisr_model.train.recipe import TrainRecipe, TrainSettings
from tests.model.manifests import four_pictures

TINY: dict[str, Any] = {
    "network": {"architecture": "compact", "scale": 2, "config": {"features": 8, "convolutions": 1}},
    "degradation": {name: {"probability": 0.0} for name in ("first", "second", "compression")},
    "target": {"kind": "raw"},
    "data": {"crop_px": 16, "context_px": 0},
    "train": {"iterations": 10, "batch": 4, "learning_rate": 1e-2},
    "validation": {"crop_px": 32},
}


SMALL = {"scale": 2, **TINY["network"]["config"]}


def tiny(**settings: Any) -> TrainRecipe:
    return parse(TrainRecipe, TINY | {"train": TINY["train"] | settings}, "test")


def run(folder: Path, recipe: TrainRecipe, name: str = "run", **options: Any) -> Result:
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "manifest.parquet"
    return loop.train(
        folder / name, read_manifest(manifest if manifest.exists() else four_pictures(folder)), recipe, **options
    )


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for key in sorted(value, key=str) for leaf in leaves(value[key])]
    return [leaf for item in value for leaf in leaves(item)] if isinstance(value, list | tuple) else [value]


def test_the_network_is_a_file_that_opens_and_tells_where_it_comes_from(tmp_path: Path) -> None:
    result = run(tmp_path, tiny())
    assert (result.step, result.steps_now, result.is_finished) == (10, 10, True)
    network = checkpoint.load(result.network)
    assert (network.architecture, network.scale, network.channel_order) == ("compact", 2, "rgb")
    assert network(torch.rand(1, 3, 5, 7)).shape == (1, 3, 10, 14)
    metadata = checkpoint.read(result.network)[1]
    assert metadata["manifest"] == read_manifest(tmp_path / "manifest.parquet").digest
    assert metadata["step"] == "10"


def test_a_network_of_bgr_learns_from_bgr_what_one_of_rgb_learns_from_rgb(tmp_path: Path) -> None:
    """Turned at both ends it is the same network, and so are the gradients."""
    rgb = run(tmp_path, tiny(), "rgb", init=(start := architectures.build("compact", **SMALL).state_dict()))
    turned = {**start, "body.0.weight": start["body.0.weight"].flip(1)}
    for key in ("body.4.weight", "body.4.bias"):  # (3 channels x 4 pixels, ...)
        turned[key] = start[key].unflatten(0, (3, 4)).flip(0).flatten(0, 1)
    in_bgr = parse(TrainRecipe, {**TINY, "network": {**TINY["network"], "channel_order": "bgr"}}, "test")
    bgr = run(tmp_path, in_bgr, "bgr", init=turned)
    one, other = checkpoint.load(rgb.network), checkpoint.load(bgr.network)
    assert (one.channel_order, one.trained_order, other.channel_order, other.trained_order) == ("rgb",) * 2 + (
        "bgr",
    ) * 2
    picture = torch.rand(1, 3, 9, 9)
    assert torch.allclose(one(picture), other(picture), atol=1e-4)
    assert bgr.validation is not None
    assert rgb.validation is not None
    assert bgr.validation.psnr == pytest.approx(rgb.validation.psnr, abs=1e-2)


def test_a_run_that_is_stopped_before_its_first_step_leaves_nothing(tmp_path: Path) -> None:
    result = run(tmp_path, tiny(), should_stop=lambda: True)
    assert (result.step, result.is_finished, result.network.exists()) == (0, False, False)
    assert run(tmp_path, tiny(), resume=True).step == 10


def test_a_network_that_was_deleted_is_written_again_from_the_state(tmp_path: Path) -> None:
    before = checkpoint.read(run(tmp_path, tiny()).network)[0]
    (tmp_path / "run" / loop.NETWORK_FILE).unlink()
    after = checkpoint.read(run(tmp_path, tiny(), resume=True).network)[0]
    assert all(torch.equal(after[key], tensor) for key, tensor in before.items())


def test_a_manifest_without_rows_to_train_on_is_refused(tmp_path: Path) -> None:
    held_out = read_manifest(four_pictures(tmp_path), "split = 'val'")
    with pytest.raises(ConfigError, match=r"manifest\.parquet: nothing to train on: all 1 rows"):
        loop.train(tmp_path / "run", held_out, tiny())


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    losses: list[float] = []
    run(tmp_path, tiny(iterations=120), on_progress=lambda now: losses.append(now.loss))
    assert len(losses) == 120
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])


def test_an_interrupted_and_resumed_run_equals_one_that_was_not_bit_for_bit(tmp_path: Path) -> None:
    steps = 0

    def count(_now: Progress) -> None:
        nonlocal steps
        steps += 1

    run(tmp_path, tiny(), "whole")
    stopped = run(tmp_path, tiny(), "parts", on_progress=count, should_stop=lambda: steps == 4)
    assert (stopped.step, stopped.is_finished) == (4, False)
    resumed = run(tmp_path, tiny(checkpoint_every=3), "parts", resume=True)
    assert (resumed.step, resumed.steps_now, resumed.is_finished) == (10, 6, True)

    whole, parts = (state.read(tmp_path / name / state.FILE) for name in ("whole", "parts"))
    for part in ("module", "ema", "optimizer", "step"):
        for one, other in zip(leaves(whole[part]), leaves(parts[part]), strict=True):
            assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_a_finished_run_does_nothing_when_resumed(tmp_path: Path) -> None:
    run(tmp_path, tiny())
    before = (tmp_path / "run" / loop.NETWORK_FILE).read_bytes()
    assert run(tmp_path, tiny(), resume=True).steps_now == 0
    assert (tmp_path / "run" / loop.NETWORK_FILE).read_bytes() == before


def test_resuming_with_other_settings_names_the_setting(tmp_path: Path) -> None:
    run(tmp_path, tiny())
    with pytest.raises(ConfigError, match=r"began with train\.batch = 4, not 8"):
        run(tmp_path, tiny(batch=8), resume=True)


def test_resuming_with_other_rows_is_refused(tmp_path: Path) -> None:
    run(tmp_path, tiny())
    with pytest.raises(ConfigError, match="another manifest"):
        loop.train(tmp_path / "run", read_manifest(tmp_path / "manifest.parquet", "time_s < 2"), tiny(), resume=True)


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    run(tmp_path, tiny())
    (tmp_path / "run" / state.FILE).write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(WeightsError, match=r"state\.pt: no state of a training run"):
        run(tmp_path, tiny(), resume=True)


def test_a_loss_that_is_not_finite_names_the_step_and_the_samples(tmp_path: Path) -> None:
    weights = architectures.build("compact", scale=2, features=8, convolutions=1).state_dict()
    weights["body.0.bias"][:] = math.inf
    with pytest.raises(TrainingError, match=r"step 0: the L1 loss is (nan|inf), on crops of .*[abc]\.png"):
        run(tmp_path, tiny(), init=weights)
    assert not (tmp_path / "run" / loop.NETWORK_FILE).exists()


def test_init_takes_what_fits_and_lists_the_rest(tmp_path: Path) -> None:
    wider = architectures.build("compact", scale=2, features=12, convolutions=1).state_dict()
    result = run(tmp_path, tiny(iterations=1, learning_rate=1e-12), init=wider)
    assert "body.0.weight" in result.left_out
    assert "body.4.bias" not in result.left_out  # 12 sub-pixels of colour whatever the features
    torch.testing.assert_close(checkpoint.read(result.network)[0]["body.4.bias"], wider["body.4.bias"])


def test_the_last_validation_is_of_the_weights_that_are_handed_out(tmp_path: Path) -> None:
    result = run(tmp_path, tiny())
    assert result.validation
    assert result.validation.images == 1
    again = run(tmp_path, tiny(iterations=11, learning_rate=1e-12), "other", init=checkpoint.read(result.network)[0])
    assert again.validation
    assert again.validation.psnr == pytest.approx(result.validation.psnr, abs=1e-3)
    assert again.validation.bicubic_psnr == result.validation.bicubic_psnr


def test_crops_that_the_network_cannot_take_are_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.crop_px = 17: this network takes multiples of 2"):
        run(tmp_path, parse(TrainRecipe, TINY | {"data": {"crop_px": 17}}, "test"))


def test_the_rate_rises_in_a_line_and_falls_by_a_cosine() -> None:
    settings = TrainSettings(iterations=100, learning_rate=1.0, warmup=10)
    assert learning_rate(settings, 0, 0.0) == pytest.approx(0.1)
    assert learning_rate(settings, 50, 0.5) == pytest.approx(0.5)
    assert learning_rate(settings, 100, 1.0) == pytest.approx(0.0)


def test_a_recipe_without_an_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs iterations or minutes"):
        parse(TrainRecipe, {"train": {}}, "recipe x")


def test_every_shipped_recipe_builds_its_network() -> None:
    assert "train_quick" in recipe_names("train")
    for name in recipe_names("train"):
        network = load_recipe_as(TrainRecipe, name, job="train").network
        architectures.configure(network.architecture, variant=network.variant, **network.config, scale=network.scale)
