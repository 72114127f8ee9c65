from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from apisr_data.errors import ConfigError, ImageError, QueryError
from apisr_data.images import read
from apisr_model.data import Pairs, batches, place, read_manifest
from apisr_model.data.batches import frames, share
from apisr_model.degradations.image_codecs import ImageCodecConfig
from apisr_model.degradations.noise import NoiseConfig
from apisr_model.degradations.resize import ResizeConfig
from apisr_model.degradations.video_codecs import CompressionConfig
from apisr_model.degrade import Degradation, DegradationConfig, FirstStage, SecondStage
from tests.model.manifests import four_pictures, picture, write_manifest

AREA = DegradationConfig(
    first=FirstStage(probability=0.0),
    second=SecondStage(probability=0.0),
    kernels=("area",),
    compression=CompressionConfig(probability=0.0),
)


def pairs_of(manifest: Path, *, config: DegradationConfig | None = None, **settings: object) -> Pairs:
    degradation = Degradation(config or DegradationConfig(), 2)
    return Pairs(read_manifest(manifest).train, degradation, **{"crop_px": 16, "seed": 7} | settings)  # type: ignore[arg-type]


def floats(levels: torch.Tensor) -> torch.Tensor:
    return levels.float() / 255


def test_rows_are_parted_by_split(tmp_path: Path) -> None:
    found = read_manifest(four_pictures(tmp_path))
    assert [row.name for row in found.train] == ["a.png", "b.png", "c.png"]
    assert [row.path for row in found.val] == [tmp_path / "v.png"]


def test_a_condition_picks_rows_and_enters_the_digest(tmp_path: Path) -> None:
    path = four_pictures(tmp_path)
    some = read_manifest(path, "time_s < 2")
    assert [row.name for row in some.train] == ["a.png", "b.png"]
    assert not some.val
    assert some.digest != read_manifest(path).digest


@pytest.mark.parametrize("where", ["nothing > 1", "1=1) OR (1=1", "true; DROP TABLE x", "image"])
def test_what_is_no_condition_is_refused(tmp_path: Path, where: str) -> None:
    with pytest.raises(QueryError, match="where"):
        read_manifest(four_pictures(tmp_path), where)


def test_a_condition_that_leaves_no_row_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none of its 4 rows has split 'train' or 'val' where time_s > 9"):
        read_manifest(four_pictures(tmp_path), "time_s > 9")


def test_held_out_rows_alone_are_a_manifest(tmp_path: Path) -> None:
    found = read_manifest(four_pictures(tmp_path), "split = 'val'")
    assert ([row.name for row in found.val], found.train) == (["v.png"], ())


@pytest.mark.parametrize("content", [None, b"", b"PAR1 and no more"])
def test_a_file_that_is_no_manifest_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "manifest.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"manifest .*manifest\.parquet: cannot be read"):
        read_manifest(path)


def test_the_high_resolution_is_a_crop_and_the_low_one_its_area_mean(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"ü é.png": picture(1)})
    pair = pairs_of(manifest, config=AREA, augment=False)[3][0]
    whole = read(tmp_path / "ü é.png")
    places = [
        (top, left)
        for top in range(48 - 15)
        for left in range(64 - 15)
        if np.array_equal(whole[top : top + 16, left : left + 16], pair.high_res.permute(1, 2, 0).numpy())
    ]
    assert places
    mean = floats(pair.high_res).reshape(3, 8, 2, 8, 2).mean((2, 4))
    torch.testing.assert_close(pair.low_res, mean, atol=1e-6, rtol=0)


def test_every_picture_comes_once_before_any_comes_again(tmp_path: Path) -> None:
    pairs = pairs_of(four_pictures(tmp_path))
    rounds = [sorted(pairs[3 * k + i][0].name for i in range(3)) for k in range(4)]
    assert rounds == [["a.png", "b.png", "c.png"]] * 4
    assert len({tuple(pairs[3 * k + i][0].name for i in range(3)) for k in range(12)}) > 1


def test_a_sample_depends_on_seed_and_index_alone(tmp_path: Path) -> None:
    manifest = four_pictures(tmp_path)
    first, again = pairs_of(manifest), pairs_of(manifest)
    for index in (5, 0, 9, 5):
        torch.testing.assert_close(again[index][0].low_res, first[index][0].low_res, atol=0, rtol=0)
    assert not torch.equal(pairs_of(manifest, seed=8)[5][0].high_res, first[5][0].high_res)


def test_crops_of_one_frame_are_cut_from_one_degraded_picture(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (17, 20, 3), np.uint8)  # so no two places look the same
    manifest = write_manifest(tmp_path, {"a.png": levels})
    noisy = DegradationConfig(second=SecondStage(probability=0.0), compression=CompressionConfig(probability=0.0))
    crops = pairs_of(manifest, config=noisy, augment=False, crops=40)[0]
    assert len(crops) == 40
    same = [(one, other) for one in crops for other in crops if torch.equal(one.high_res, other.high_res)]
    assert len(same) > 40  # some crops coincide, and with them what was made of them
    assert all(torch.equal(one.low_res, other.low_res) for one, other in same)


@pytest.mark.parametrize("context_px", [0, 7, 1000])
def test_the_low_resolution_shows_the_same_place_whatever_the_context(tmp_path: Path, context_px: int) -> None:
    manifest = write_manifest(tmp_path, {"a.png": picture(1, (67, 51))})
    for frame in range(6):
        for pair in pairs_of(manifest, config=AREA, crops=3, context_px=context_px)[frame]:
            mean = floats(pair.high_res).reshape(3, 8, 2, 8, 2).mean((2, 4))
            torch.testing.assert_close(pair.low_res, mean, atol=1e-6, rtol=0)


def test_with_context_the_blur_sees_what_is_around(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"a.png": picture(1)})
    blurred = DegradationConfig(
        first=FirstStage(
            noise=NoiseConfig(probability=0.0),
            resize=ResizeConfig(directions={"keep": 1.0}),
            codec=ImageCodecConfig(probability=0.0),
        ),
        second=SecondStage(probability=0.0),
        compression=CompressionConfig(probability=0.0),
    )
    some, all_of_it = (pairs_of(manifest, config=blurred, context_px=px)[2][0] for px in (12, 1000))
    alone = pairs_of(manifest, config=blurred)[2][0]
    torch.testing.assert_close(some.low_res, all_of_it.low_res, atol=1e-5, rtol=0)
    assert not torch.allclose(alone.low_res, all_of_it.low_res, atol=1e-3)


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
    samples = range(32 * 1000, 32 * 1200)
    at_sample = [list(frames(share(samples[: 32 * steps], 32, 8), 8)) for steps in range(200)]
    new = [len(later) - len(before) for before, later in pairwise(at_sample)]
    assert new[:4] == [32] * 4  # where a run begins all of its frames are new
    assert new[4:] == [4] * 195


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
    pairs = pairs_of(four_pictures(tmp_path), crops=3)
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


@pytest.mark.parametrize("size", [(1, 1), (5, 48), (64, 9)])
def test_a_picture_smaller_than_the_crop_is_reflected(tmp_path: Path, size: tuple[int, int]) -> None:
    pair = pairs_of(write_manifest(tmp_path, {"small.png": picture(3, size)}))[0][0]
    assert pair.high_res.shape == (3, 16, 16)
    assert pair.low_res.shape == (3, 8, 8)


def test_a_damaged_or_missing_picture_is_named_by_its_row(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"train/x.png": picture(1)})
    (tmp_path / "train/x.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(ImageError, match=r"manifest row 'train/x\.png'"):
        pairs_of(manifest)[0]
    (tmp_path / "train/x.png").unlink()
    with pytest.raises(ImageError, match=r"manifest row 'train/x\.png': .*No such file"):
        pairs_of(manifest)[0]
