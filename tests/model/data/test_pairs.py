import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from apisr_data.errors import ConfigError, ImageError
from apisr_data.images import read
from apisr_model.data import cut
from apisr_model.degradations import from_levels
from apisr_model.degradations.image_codecs import ImageCodecConfig
from apisr_model.degradations.noise import NoiseConfig
from apisr_model.degradations.resize import ResizeConfig
from apisr_model.degradations.video_codecs import CompressionConfig
from apisr_model.degrade import Degradation, DegradationConfig, FirstStage, SecondStage
from apisr_model.errors import ShapeError
from apisr_model.targets import TargetConfig
from tests.model.data.small_pairs import AREA, pairs_of, reduced
from tests.model.manifests import four_pictures, picture, write_manifest


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
    mean = reduced(pair.high_res)
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
            mean = reduced(pair.high_res)
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


@pytest.mark.parametrize("crops", [1, 5])
@pytest.mark.parametrize("size", [(67, 51), (40, 21), (33, 60), (9, 5), (64, 48)])
def test_windows_no_larger_than_the_picture_lie_in_it_and_hold_their_crops(
    tmp_path: Path, size: tuple[int, int], crops: int
) -> None:
    manifest = write_manifest(tmp_path, {"a.png": picture(1, size)})
    pairs = pairs_of(manifest, config=AREA, crops=crops, window_px=32)
    tops = set()
    for number in range(40):
        window = pairs.window(number)
        sides = [max(16, min(32, extent // 2 * 2)) for extent in size[::-1]]
        assert window.high_res.shape == (*sides, 3)
        starts, corners = (window.top, window.left), zip(*window.corners, strict=True)
        for start, corner, extent, side in zip(starts, corners, size[::-1], sides, strict=True):
            assert 0 <= start <= max(extent - side, 0)
            assert all(place % 2 == 0 and 0 <= place <= side - 16 for place in corner)
            assert all(start + place + 16 <= max(extent, 16) for place in corner)
        tops.add(window.top)
        for pair in pairs[number]:
            torch.testing.assert_close(pair.low_res, reduced(pair.high_res), atol=1e-6, rtol=0)
    assert len(tops) > 10 or size[1] < 48


@pytest.mark.parametrize(
    "settings", [{}, {"crops": 3, "context_px": 6}, {"window_px": 24}, {"window_px": 24, "crops": 3}]
)
def test_crops_come_from_every_place_of_a_picture(tmp_path: Path, settings: dict[str, int]) -> None:
    pairs = pairs_of(write_manifest(tmp_path, {"a.png": picture(1, (33, 28))}), config=AREA, **settings)
    corners = [
        (window.top + top, window.left + left)
        for window in map(pairs.window, range(1500 // pairs.crops))
        for top, left in window.corners
    ]
    tops, lefts = (Counter(places) for places in zip(*corners, strict=True))
    assert set(tops) == set(range(28 - 16 + 1))
    assert set(lefts) == set(range(33 - 16 + 1))
    if pairs.crops == 1:  # even, but for what the grid of two pixels makes of the ends
        assert max(tops.values()) < 2.5 * min(tops.values())


def test_enlarged_or_not_a_picture_has_windows_of_one_size(tmp_path: Path) -> None:
    pairs = pairs_of(write_manifest(tmp_path, {"a.png": picture(1, (41, 29))}), window_px=36, zoom=2.0)
    windows = [pairs.window(number) for number in range(30)]
    assert {window.high_res.shape for window in windows} == {(28, 36, 3)}
    assert len({window.zoom for window in windows}) > 10


def test_half_of_the_crops_are_not_turned_and_the_others_each_way_alike(tmp_path: Path) -> None:
    pairs = pairs_of(four_pictures(tmp_path), crops=50)
    turns = Counter(turn for number in range(80) for turn in pairs.window(number).turns)
    assert abs(turns.pop((False, False, False)) / 4000 - (1 / 2 + 1 / 16)) < 0.03
    assert len(turns) == 7
    assert all(abs(count / 4000 - 1 / 16) < 0.02 for count in turns.values())


def test_a_window_that_is_degraded_elsewhere_is_cut_to_the_same_pairs(tmp_path: Path) -> None:
    pairs = pairs_of(four_pictures(tmp_path), crops=3, context_px=8, target=TargetConfig())
    for number in range(4):
        window = pairs.window(number)
        made = Degradation(DegradationConfig(), 2).apply(from_levels(window.high_res), window.drawn)
        for one, other in zip(cut(window, torch.from_numpy(made).permute(2, 0, 1)), pairs[number], strict=True):
            assert all(torch.equal(getattr(one, at), getattr(other, at)) for at in ("low_res", "high_res", "target"))


@pytest.mark.parametrize("settings", [{"crop_px": 15}, {"window_px": 14}, {"window_px": 17}])
def test_sides_that_the_scale_does_not_divide_are_refused(tmp_path: Path, settings: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=r"(crop|window)_px = 1\d: wants a multiple of the scale, 2"):
        pairs_of(four_pictures(tmp_path), **settings)


@pytest.mark.parametrize("size", [(64, 48), (10, 6), (2, 20)])
@pytest.mark.parametrize("settings", [{}, {"window_px": 24}, {"crops": 4, "context_px": 8}])
def test_a_real_pair_is_cut_at_the_same_place_in_both_and_not_degraded(
    tmp_path: Path, size: tuple[int, int], settings: dict[str, int]
) -> None:
    levels = np.random.default_rng(0).integers(0, 64, (size[1] // 2, size[0] // 2, 3), np.uint8) * 4
    high_res = levels.repeat(2, axis=0).repeat(2, axis=1) + np.array([1, 2, 3], np.uint8)
    pairs = pairs_of(write_manifest(tmp_path, {"a.png": high_res}, low_res={"a.png": levels}), **settings)
    for number in range(8):
        assert pairs.window(number).drawn is None
        for pair in pairs[number]:
            plain = pair.high_res - torch.tensor([1, 2, 3], dtype=torch.uint8)[:, None, None]
            assert torch.equal(
                plain, (pair.low_res * 255).round().byte().repeat_interleave(2, 1).repeat_interleave(2, 2)
            )


def test_a_real_pair_of_another_scale_is_an_error(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"a.png": picture(0)}, low_res={"a.png": picture(0, (16, 12))})
    with pytest.raises(ShapeError, match=r"row 'a\.png': image is 64x48, lr_image 16x12"):
        pairs_of(manifest)[0]


def test_a_pair_between_processes_stays_itself_and_takes_no_shared_memory(tmp_path: Path) -> None:
    for target in (TargetConfig(), TargetConfig(kind="raw")):
        pair = pairs_of(four_pictures(tmp_path), target=target)[0][0]
        again = pickle.loads(pickle.dumps(pair))
        assert torch.equal(again.target, pair.target)
        assert torch.equal(again.low_res, pair.low_res)
        assert (again.target is again.high_res) == (target.kind == "raw")


def test_an_enlarged_picture_is_sampled_where_its_pixels_come_to_lie(tmp_path: Path) -> None:
    def waves(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return 128 + 50 * np.sin(x / 7) + 50 * np.cos(y / 6)

    levels = np.rint(waves(*np.mgrid[:48, :64])).astype(np.uint8)
    pairs = pairs_of(write_manifest(tmp_path, {"a.png": levels[..., None].repeat(3, 2)}), context_px=8, zoom=3.0)
    windows = [pairs.window(number) for number in range(40)]
    for window in windows:
        y, x = (
            (np.arange(n) + start + 0.5) / window.zoom - 0.5
            for n, start in zip(window.high_res.shape, (window.top, window.left), strict=False)
        )
        expected = waves(y[:, None], x[None])
        inside = (y >= 2)[:, None] & (y < 45)[:, None] & (x >= 2) & (x < 61)  # what cubic sees is no reflection there
        assert np.abs(window.high_res[..., 0] - expected)[inside].max() < 2.5
    zooms = [window.zoom for window in windows]
    assert 10 < zooms.count(1.0) < 30
    assert 2.5 < max(zooms) <= 3.0
