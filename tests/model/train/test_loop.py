import errno
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from apisr_data.config import parse
from apisr_data.errors import ConfigError, ImageError, UsageError
from apisr_model import architectures, checkpoint
from apisr_model.data import read_manifest
from apisr_model.errors import TrainingError, WeightsError
from apisr_model.train import board, feed, loop, state
from apisr_model.train.loop import Progress, Result
from apisr_model.train.recipe import TrainRecipe
from apisr_model.train.validation import HeldOut
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
    (tmp_path / "run" / state.NETWORK_FILE).unlink()
    after = checkpoint.read(run(tmp_path, tiny(), resume=True).network)[0]
    assert all(torch.equal(after[key], tensor) for key, tensor in before.items())


def test_a_manifest_without_rows_to_train_on_is_refused(tmp_path: Path) -> None:
    held_out = read_manifest(four_pictures(tmp_path), "split = 'val'")
    with pytest.raises(ConfigError, match=r"manifest\.parquet: nothing to train on: all 1 rows"):
        loop.train(tmp_path / "run", held_out, tiny())


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    losses: list[float] = []
    run(tmp_path, tiny(iterations=120), on_progress=lambda now: losses.append(now.told["pixel"]))
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
    for part in ("generator", "ema", "optimizer", "step"):
        for one, other in zip(leaves(whole[part]), leaves(parts[part]), strict=True):
            assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_a_finished_run_does_nothing_when_resumed(tmp_path: Path) -> None:
    run(tmp_path, tiny())
    before = (tmp_path / "run" / state.NETWORK_FILE).read_bytes()
    assert run(tmp_path, tiny(), resume=True).steps_now == 0
    assert (tmp_path / "run" / state.NETWORK_FILE).read_bytes() == before


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


def test_a_loss_that_is_not_finite_names_the_term_and_the_samples(tmp_path: Path) -> None:
    weights = architectures.build("compact", scale=2, features=8, convolutions=1).state_dict()
    weights["body.0.bias"][:] = math.inf
    with pytest.raises(
        TrainingError, match=r"step 0: the loss's term 'pixel' is (nan|inf), on samples 0 \([abc]\.png\), 1"
    ):
        run(tmp_path, tiny(), init=weights)
    assert not (tmp_path / "run" / state.NETWORK_FILE).exists()


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


def test_a_recipe_without_an_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs iterations or minutes"):
        parse(TrainRecipe, {"train": {}}, "recipe x")


def test_a_run_with_a_discriminator_goes_on_bit_for_bit_too(tmp_path: Path) -> None:
    content = {**TINY, "losses": {"adversarial": 0.2}, "target": {"kind": "pseudo_gt"}}
    content |= {"data": {"crop_px": 96, "crops": 2, "context_px": 8}, "validation": {"crop_px": 96}}

    def gan(iterations: int) -> TrainRecipe:
        return parse(
            TrainRecipe, {**content, "train": {"iterations": iterations, "batch": 1, "schedule": "constant"}}, "test"
        )

    run(tmp_path, gan(3), "whole")
    run(tmp_path, gan(2), "parts")
    run(tmp_path, gan(3), "parts", resume=True)
    whole, parts = (state.read(tmp_path / name / state.FILE) for name in ("whole", "parts"))
    assert "discriminator_optimizer" in whole
    for part in ("generator", "ema", "optimizer", "discriminator", "discriminator_optimizer"):
        for one, other in zip(leaves(whole[part]), leaves(parts[part]), strict=True):
            assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_crops_too_small_for_the_discriminator_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.crop_px = 16: the discriminator takes 96 and more"):
        run(tmp_path, parse(TrainRecipe, TINY | {"losses": {"adversarial": 0.2}}, "test"))


def test_perceptual_weights_that_are_nowhere_stop_the_run_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APISR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("APISR_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"vgg19-dcbb9e9d\.pth .* losses\.perceptual\.vgg_weight = 0"):
        run(tmp_path, parse(TrainRecipe, TINY | {"losses": {"perceptual": {}}}, "test"))
    dropped = {"perceptual": {"if_absent": "drop"}}
    assert run(tmp_path, parse(TrainRecipe, TINY | {"losses": dropped}, "test")).is_finished


def test_the_last_checkpoints_and_the_best_stay(tmp_path: Path) -> None:
    found: dict[int, float] = {}

    def note(now: Progress) -> None:
        if now.validation:
            found[now.step] = now.validation.psnr

    run(tmp_path, tiny(iterations=12, checkpoint_every=2, keep=2), on_progress=note)
    assert sorted(path.stem for path in (tmp_path / "run" / state.CHECKPOINTS).iterdir()) == ["00000010", "00000012"]
    best = checkpoint.read(tmp_path / "run" / state.BEST_FILE)[1]
    assert int(best["step"]) == max(found, key=lambda step: found[step])
    assert state.read(tmp_path / "run" / state.FILE)["best"] == max(found.values())


def test_a_save_that_fails_loses_nothing_older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if state.FILE in path.name and (tmp_path / "parts" / state.FILE).exists():
            write(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    run(tmp_path, tiny(), "whole")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space"):
            run(tmp_path, tiny(checkpoint_every=4), "parts")
    assert state.read(tmp_path / "parts" / state.FILE)["step"] == 4
    assert not [path for path in (tmp_path / "parts").iterdir() if path.name.endswith(".tmp")]
    assert run(tmp_path, tiny(), "parts", resume=True).steps_now == 6
    ends = [checkpoint.read(tmp_path / name / state.NETWORK_FILE)[0] for name in ("whole", "parts")]
    assert all(torch.equal(ends[1][key], tensor) for key, tensor in ends[0].items())


def test_tensorboard_shows_terms_rates_waiting_and_pictures(tmp_path: Path) -> None:
    run(tmp_path, tiny(log_every=5, checkpoint_every=5))
    events = EventAccumulator(str(tmp_path / "run" / board.FOLDER), size_guidance={"images": 0})
    events.Reload()
    assert [point.step for point in events.Scalars("step/pixel")] == [5, 10]
    expected = {f"step/{name}" for name in ("pixel", "gradient", "learning_rate", "samples_per_s", "waiting")}
    expected |= {
        f"validation/{name}"
        for name in ("psnr", "raw_psnr", "raw_psnr_over_bicubic", "drift_red", "drift_green", "drift_blue")
    }
    assert set(events.Tags()["scalars"]) == expected
    assert [point.step for point in events.Images("validation/0: input, output, raw")] == [5, 10]


def test_a_resumed_run_shows_each_step_once(tmp_path: Path) -> None:
    run(tmp_path, tiny(iterations=6, log_every=2))
    run(tmp_path, tiny(iterations=10, log_every=2), resume=True)
    events = EventAccumulator(str(tmp_path / "run" / board.FOLDER))
    events.Reload()
    assert [point.step for point in events.Scalars("step/pixel")] == [2, 4, 6, 8, 10]


def test_a_colour_that_drifts_is_measured(tmp_path: Path) -> None:
    bluer = architectures.build("compact", **SMALL).state_dict()
    bluer["body.4.bias"][8:] += 0.5  # (3 channels x 4 pixels)
    before = run(tmp_path, tiny(iterations=1, learning_rate=1e-12), init=bluer).validation
    assert before is not None
    assert before.drift[2] > 2
    assert before.drift[2] > 10 * abs(before.drift[0])


def test_a_run_whose_frames_a_device_degrades_goes_on_bit_for_bit(tmp_path: Path) -> None:
    degraded = {"first": {"codec": {"probability": 0.0}}, "compression": {"probability": 0.0}}
    content = {
        **TINY,
        "degradation": degraded,
        "data": {"crop_px": 16, "crops": 2, "context_px": 5, "degrade_on": "device"},
    }
    recipe = parse(TrainRecipe, {**content, "train": {"iterations": 6, "batch": 4}}, "test")
    steps: list[int] = []
    run(tmp_path, recipe, "whole")
    run(tmp_path, recipe, "parts", on_progress=lambda now: steps.append(now.step), should_stop=lambda: len(steps) == 3)
    assert run(tmp_path, recipe, "parts", resume=True).steps_now == 3
    whole, parts = (state.read(tmp_path / name / state.FILE)["generator"] for name in ("whole", "parts"))
    assert all(torch.equal(whole[key], tensor) for key, tensor in parts.items())


def test_the_best_is_chosen_by_what_is_learned_and_the_raw_picture_is_told_beside(tmp_path: Path) -> None:
    enhanced = run(tmp_path, parse(TrainRecipe, TINY | {"target": {"kind": "unsharp"}}, "test")).validation
    plain = run(tmp_path, tiny(), "plain").validation
    assert enhanced is not None
    assert plain is not None
    assert enhanced.value != enhanced.psnr
    assert plain.value == plain.psnr
    assert plain.bicubic_psnr == enhanced.bicubic_psnr


def test_resuming_in_another_precision_is_refused(tmp_path: Path) -> None:
    run(tmp_path, tiny(iterations=2))
    content = torch.load(tmp_path / "run" / state.FILE)
    torch.save({**content, "precision": "bfloat16"}, tmp_path / "run" / state.FILE)
    with pytest.raises(ConfigError, match="the run began in bfloat16, and precision float32 here"):
        run(tmp_path, tiny(), resume=True)


def test_files_that_the_run_did_not_write_stay(tmp_path: Path) -> None:
    kept = tmp_path / "run" / state.CHECKPOINTS / "00000001-good.safetensors"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"mine")
    run(tmp_path, tiny(checkpoint_every=2, keep=1))
    assert sorted(path.name for path in kept.parent.iterdir()) == [kept.name, "00000010.safetensors"]


def test_a_picture_that_cannot_be_read_ends_the_run_where_it_goes_on_once_it_is_mended(tmp_path: Path) -> None:
    run(tmp_path, tiny(), "whole")
    damaged = tmp_path / "b.png"
    content = damaged.read_bytes()
    recipe = tiny(batch=1)
    damaged.write_bytes(content[:100])
    with pytest.raises(ImageError, match=r"b\.png"):
        run(tmp_path, recipe)
    damaged.write_bytes(content)
    done = state.read(tmp_path / "run" / state.FILE)["step"] if (tmp_path / "run" / state.FILE).exists() else 0
    assert run(tmp_path, recipe, resume=True).steps_now == 10 - done


def test_validation_draws_what_no_training_sample_does(tmp_path: Path) -> None:
    recipe = parse(TrainRecipe, {"train": {"iterations": 1}}, "test")
    rows = read_manifest(four_pictures(tmp_path)).train
    held_out = HeldOut(rows, recipe, tmp_path / "targets", torch.device("cpu"))
    drawn = {feed.pairs_of(rows, recipe).window(number).drawn for number in range(8)}
    assert held_out._pairs.window(0).drawn not in drawn


def test_a_run_that_goes_on_elsewhere_is_left_alone(tmp_path: Path) -> None:
    lock = FileLock(run(tmp_path, tiny(iterations=2)).network.with_name(".lock"))
    with lock, pytest.raises(UsageError, match="another process trains here"):
        run(tmp_path, tiny(), resume=True)
    assert run(tmp_path, tiny(), resume=True).steps_now == 8


def test_what_a_killed_save_left_goes(tmp_path: Path) -> None:
    run(tmp_path, tiny(iterations=2))
    left = [tmp_path / "run" / f".{state.FILE}.77.tmp", tmp_path / "run" / f".{state.NETWORK_FILE}.77.part"]
    for path in left:
        path.write_bytes(b"half")
    run(tmp_path, tiny(), resume=True)
    assert not any(path.exists() for path in left)


def test_pictures_that_are_not_there_are_missed_before_the_first_step(tmp_path: Path) -> None:
    four_pictures(tmp_path)
    (tmp_path / "v.png").unlink()
    with pytest.raises(ImageError, match=r"1 of 4 pictures are not where .* has them; the first is 'v\.png'"):
        run(tmp_path, tiny())


def test_a_damaged_picture_held_out_is_told_and_the_run_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    four_pictures(tmp_path)
    (tmp_path / "v.png").write_bytes(b"no picture")
    result = run(tmp_path, tiny())
    assert result.is_finished
    assert result.validation is None
    assert "step 10 is not measured" in caplog.text
    assert "v.png" in caplog.text


def test_weights_of_another_architecture_are_no_start(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nothing to start from: .*conv_first\.weight.* another architecture"):
        run(tmp_path, tiny(), init={"conv_first.weight": torch.zeros(3)})


def test_a_state_that_is_some_other_text_is_named(tmp_path: Path) -> None:
    run(tmp_path, tiny(iterations=2))
    for content in (b"hi\n", b""):
        (tmp_path / "run" / state.FILE).write_bytes(content)
        with pytest.raises(WeightsError, match=r"no state of a training run, or damaged: .+"):
            run(tmp_path, tiny(), resume=True)
