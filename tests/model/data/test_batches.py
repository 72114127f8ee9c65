import threading
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from apisr_data.errors import ImageError
from apisr_model.data import Batch, batches, floats, place
from apisr_model.data.batches import frames, share
from apisr_model.targets import TargetConfig
from tests.model.data.small_pairs import AREA, pairs_of
from tests.model.manifests import four_pictures, picture, write_manifest


@pytest.mark.parametrize(("batch", "crops"), [(32, 8), (8, 3), (1, 4), (5, 1)])
def test_a_batch_has_one_crop_of_a_frame_and_each_crop_comes_once(batch: int, crops: int) -> None:
    steps = [[place(step * batch + along, batch, crops) for along in range(batch)] for step in range(40 * crops)]
    for here in steps:
        assert len({at.frame for at in here}) == batch
    counts = Counter((at.frame, at.crop) for here in steps for at in here)
    assert set(counts.values()) == {1}
    whole = {frame for frame, crop in counts if all((frame, other) in counts for other in range(crops))}
    assert len(whole) >= 30 * batch


def test_new_frames_come_evenly_and_half_given_ones_wait() -> None:
    samples = range(32 * 1000, 32 * 1060)
    at_sample = [list(frames(share(samples[: 32 * steps], 32, 8), 8)) for steps in range(60)]
    new = [len(later) - len(before) for before, later in pairwise(at_sample)]
    assert new[:4] == [32] * 4  # where a run begins all of its frames are new
    assert new[4:] == [4] * 55


@pytest.mark.parametrize(("world", "batch", "crops"), [(2, 16, 8), (4, 2, 3), (3, 4, 1)])
def test_processes_get_together_what_one_gets_and_share_no_frame(world: int, batch: int, crops: int) -> None:
    samples = range(world * batch * 90)
    alone = list(share(samples, world * batch, crops))
    shares = [list(share(samples, batch, crops, rank, world)) for rank in range(world)]
    for step in range(90):
        together = [at for part in shares for at in part[step * batch : (step + 1) * batch]]
        assert together == alone[step * world * batch : (step + 1) * world * batch]
    theirs = [set(frames(part, crops)) for part in shares]
    assert sum(map(len, theirs)) == len(set.union(*theirs))


@pytest.mark.parametrize("start", [3, 8, 21])
def test_a_run_can_begin_at_any_sample(tmp_path: Path, start: int) -> None:
    pairs = pairs_of(four_pictures(tmp_path), config=AREA, crops=3)
    whole = torch.cat([batch.high_res for batch in batches(pairs, range(40), 4)])
    later = torch.cat([batch.high_res for batch in batches(pairs, range(start, 40), 4)])
    torch.testing.assert_close(later, whole[start:], atol=0, rtol=0)


@pytest.mark.slow  # each worker starts an interpreter and loads torch
def test_workers_change_nothing(tmp_path: Path) -> None:
    pairs = pairs_of(four_pictures(tmp_path), crops=2)
    alone, helped = (list(batches(pairs, range(4, 20), 4, workers=count)) for count in (0, 2))
    assert [batch.names for batch in alone] == [batch.names for batch in helped]
    for one, other in zip(alone, helped, strict=True):
        torch.testing.assert_close(one.low_res, other.low_res, atol=0, rtol=0)
        torch.testing.assert_close(one.high_res, other.high_res, atol=0, rtol=0)


def test_a_batch_is_its_pairs_with_their_numbers_and_bytes_stay_bytes(tmp_path: Path) -> None:
    pairs = pairs_of(four_pictures(tmp_path), crops=2, target=TargetConfig())
    for start, batch in zip(range(4, 12, 4), batches(pairs, range(4, 12), 4), strict=True):
        assert batch.numbers == tuple(range(start, start + 4))
        for along, number in enumerate(batch.numbers):
            here = place(number, 4, 2)
            pair = pairs[here.frame][here.crop]
            assert batch.names[along] == pair.name
            for name in ("low_res", "high_res", "target"):
                torch.testing.assert_close(getattr(batch, name)[along], getattr(pair, name), atol=0, rtol=0)
        assert batch.high_res.dtype == batch.target.dtype == torch.uint8


def test_levels_become_numbers_where_they_are_used_and_numbers_stay() -> None:
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    numbers = floats(levels, torch.device("cpu"))
    assert numbers.flatten().tolist() == (np.arange(256, dtype=np.float32) / np.float32(255)).tolist()
    assert floats(numbers, torch.device("cpu")) is numbers


def test_batches_are_pinned_one_ahead_by_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = pairs_of(four_pictures(tmp_path), config=AREA)
    pinned: list[tuple[int, str]] = []

    def pin(batch: Batch) -> Batch:
        pinned.append((batch.numbers[0], threading.current_thread().name))
        return batch

    monkeypatch.setattr(Batch, "pin_memory", pin)
    before = threading.active_count()
    stream = batches(pairs, range(20), 4, pin=True)
    found = [next(stream).numbers]
    while len(pinned) < 2:  # the second, while the first is used
        time.sleep(0.01)
    found += [batch.numbers for batch in stream]
    assert found == [batch.numbers for batch in batches(pairs, range(20), 4)]
    assert [number for number, _ in pinned] == [0, 4, 8, 12, 16]
    assert threading.current_thread().name not in {name for _, name in pinned}
    assert threading.active_count() == before


def test_the_raw_target_takes_no_memory_of_its_own(tmp_path: Path) -> None:
    [batch] = batches(pairs_of(four_pictures(tmp_path)), range(4), 4)
    assert batch.target is batch.high_res


def test_made_and_real_pairs_stand_in_one_batch(tmp_path: Path) -> None:
    pictures = {f"{number}.png": picture(number) for number in range(4)}
    manifest = write_manifest(tmp_path, pictures, low_res={"2.png": picture(9, (32, 24))})
    [batch] = batches(pairs_of(manifest, config=AREA), range(4), 4)
    mean = torch.nn.functional.avg_pool2d(floats(batch.high_res, torch.device("cpu")), 2)
    differs = [not torch.allclose(low, made, atol=1e-5) for low, made in zip(batch.low_res, mean, strict=True)]
    assert differs == [name == "2.png" for name in batch.names]


def test_shares_are_stacked_to_the_batch_of_one(tmp_path: Path) -> None:
    pairs = pairs_of(four_pictures(tmp_path), crops=2)
    alone = list(batches(pairs, range(8, 24), 8))
    shares = [list(batches(pairs, range(8, 24), 4, rank=rank, world=2)) for rank in range(2)]
    for whole, *parts in zip(alone, *shares, strict=True):
        assert sum((part.numbers for part in parts), ()) == whole.numbers
        assert torch.equal(torch.cat([part.low_res for part in parts]), whole.low_res)


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_damaged_picture_stops_the_run_with_one_line(tmp_path: Path, workers: int) -> None:
    manifest = four_pictures(tmp_path)
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"^manifest row 'b\.png'.*can be read$"):
        list(batches(pairs_of(manifest), range(4), 4, workers=workers))
