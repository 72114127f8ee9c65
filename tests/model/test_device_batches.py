"""Batches degraded by the group, on torch's CPU, against those of single frames."""

import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from apisr_model import data
from apisr_model.data import Batch, Pairs
from apisr_model.degradations.image_codecs import ImageCodecConfig
from apisr_model.degradations.noise import NoiseConfig
from apisr_model.degradations.video_codecs import CompressionConfig
from apisr_model.degrade import DegradationConfig, FirstStage, SecondStage
from apisr_model.degrade_batched import BatchedDegradation
from apisr_model.device_batches import batches
from apisr_model.errors import DegradationError
from apisr_model.targets import TargetConfig
from tests.model.data.small_pairs import pairs_of
from tests.model.manifests import four_pictures, picture, write_manifest

CPU = torch.device("cpu")
QUIET = DegradationConfig(
    first=FirstStage(noise=NoiseConfig(probability=0.0), codec=ImageCodecConfig(probability=0.0)),
    second=SecondStage(noise=NoiseConfig(probability=0.0)),
    compression=CompressionConfig(probability=0.0),
)
"""Neither noise nor codecs."""


def pairs(folder: Path, config: DegradationConfig | None = None, **settings: Any) -> Pairs:
    return pairs_of(four_pictures(folder), config=config, **{"window_px": 24, "crops": 3} | settings)


def run(
    pairs: Pairs, samples: range, batch: int, config: DegradationConfig | None = None, **settings: Any
) -> list[Batch]:
    degradation = BatchedDegradation(config or DegradationConfig(), 2, threads=2)
    return list(batches(pairs, degradation, samples, batch, device=CPU, **settings))


def are_equal(one: Batch, other: Batch) -> bool:
    tensors = zip((one.low_res, one.high_res, one.target), (other.low_res, other.high_res, other.target), strict=True)
    return one.names == other.names and one.numbers == other.numbers and all(torch.equal(*both) for both in tensors)


@pytest.mark.parametrize("crops", [1, 3])
def test_without_noise_and_codecs_samples_are_those_of_single_frames(tmp_path: Path, crops: int) -> None:
    settings = {"crops": crops, "target": TargetConfig()}
    ours = run(pairs(tmp_path, QUIET, **settings), range(40), 8, QUIET)
    theirs = list(data.batches(pairs(tmp_path, QUIET, **settings), range(40), 8))
    assert len(ours) == len(theirs) == 5
    for one, other in zip(ours, theirs, strict=True):
        assert (one.names, one.numbers) == (other.names, other.numbers)
        assert torch.equal(one.high_res, other.high_res)
        assert torch.equal(one.target, other.target)
        torch.testing.assert_close(one.low_res, other.low_res, atol=1e-4, rtol=0)


@pytest.mark.parametrize("start", [8, 20, 44])
def test_a_resumed_run_gets_the_same_bit_for_bit(tmp_path: Path, start: int) -> None:
    whole, later = (run(pairs(tmp_path), samples, 4) for samples in (range(64), range(start, 64)))
    assert all(are_equal(*both) for both in zip(later, whole[start // 4 :], strict=True))


def test_processes_get_together_what_one_gets(tmp_path: Path) -> None:
    whole = run(pairs(tmp_path, QUIET), range(48), 8, QUIET)
    shares = [run(pairs(tmp_path, QUIET), range(48), 4, QUIET, rank=rank, world=2) for rank in (0, 1)]
    for one, first, second in zip(whole, *shares, strict=True):
        assert one.numbers == first.numbers + second.numbers
        torch.testing.assert_close(one.low_res, torch.cat([first.low_res, second.low_res]), atol=1e-4, rtol=0)


def test_real_pairs_are_left_as_they_are_among_others(tmp_path: Path) -> None:
    pictures = {f"{name}.png": picture(number) for number, name in enumerate("abc")}
    manifest = write_manifest(tmp_path, pictures, low_res={"b.png": pictures["b.png"][::2, ::2]})
    settings = {"window_px": 24, "augment": False}
    ours = run(pairs_of(manifest, **settings), range(12), 4)
    theirs = list(data.batches(pairs_of(manifest, **settings), range(12), 4))
    for one, other in zip(ours, theirs, strict=True):
        assert one.names == other.names
        real = [place for place, name in enumerate(one.names) if name == "b.png"]
        assert torch.equal(one.low_res[real], other.low_res[real])


def test_windows_of_several_sizes_are_degraded_apart(tmp_path: Path) -> None:
    sizes = [(64, 48), (20, 18), (64, 48), (30, 60)]
    manifest = write_manifest(tmp_path, {f"{number}.png": picture(number, size) for number, size in enumerate(sizes)})
    settings = {"config": QUIET, "window_px": 24, "crops": 3}
    ours = run(pairs_of(manifest, **settings), range(24), 4, QUIET)
    theirs = list(data.batches(pairs_of(manifest, **settings), range(24), 4))
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one.high_res, other.high_res)
        torch.testing.assert_close(one.low_res, other.low_res, atol=1e-4, rtol=0)


@pytest.mark.parametrize("world", [1, 2])
@pytest.mark.parametrize("start", range(0, 160, 8))
def test_wherever_a_run_begins_no_window_is_cut_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: int, world: int
) -> None:
    source, cut = pairs(tmp_path, QUIET), []
    window = source.window

    def counted(number: int) -> data.Window:
        cut.append(number)
        return window(number)

    monkeypatch.setattr(source, "window", counted)
    run(source, range(start, start + 64), 8 // world, QUIET, world=world, rank=world - 1)
    assert len(cut) == len(set(cut))


def test_a_codec_that_fails_names_the_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise DegradationError("webp quality 3 of 2x2 px: no memory")

    monkeypatch.setattr("apisr_model.device_degradations.host.image_codecs.code", fail)
    with pytest.raises(DegradationError, match=r"webp quality 3 .* one of the frames 0 to 3"):
        run(pairs(tmp_path), range(8), 4)


def test_who_stops_early_leaves_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    stream = batches(pairs(tmp_path), BatchedDegradation(DegradationConfig(), 2), range(400), 4, device=CPU)
    next(stream)
    stream.close()
    assert threading.active_count() == before


@pytest.mark.slow  # each worker starts an interpreter and loads torch
def test_workers_change_nothing(tmp_path: Path) -> None:
    alone, helped = (run(pairs(tmp_path), range(24), 4, workers=workers) for workers in (0, 2))
    assert all(are_equal(*both) for both in zip(alone, helped, strict=True))
