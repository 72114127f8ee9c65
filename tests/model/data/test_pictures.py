import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from apisr_data.images import read
from apisr_model import lines, targets
from apisr_model.data import kept_targets, pictures, read_manifest
from apisr_model.targets import TargetConfig
from tests.model.data.small_pairs import AREA, pairs_of
from tests.model.manifests import four_pictures, picture, write_manifest

PSEUDO = TargetConfig(kind="pseudo_gt")


def test_the_target_is_made_of_the_whole_picture_and_cut_and_turned_as_the_picture_is(tmp_path: Path) -> None:
    whole = picture(3, (96, 80))
    pairs = pairs_of(write_manifest(tmp_path, {"a.png": whole}), config=AREA, target=PSEUDO, crops=3)
    gammas = set()
    for number in range(6):
        window = pairs.window(number)
        gammas.add(window.gamma)
        expected = lines.pseudo_gt(whole, window.gamma)
        height, width = window.high_res.shape[:2]
        rows, columns = slice(window.top, window.top + height), slice(window.left, window.left + width)
        np.testing.assert_array_equal(window.high_res, whole[rows, columns])
        np.testing.assert_array_equal(window.target, expected[rows, columns])
        for pair in pairs[number]:
            is_line = (pair.target != pair.high_res).any(0)
            assert torch.equal(pair.target[:, ~is_line], pair.high_res[:, ~is_line])
    assert len(gammas) == 1
    assert 0.97 <= gammas.pop() <= 0.98


def test_gamma_depends_on_the_seed_and_the_pixels_and_not_on_the_name(tmp_path: Path) -> None:
    same = {name: picture(3) for name in ("a.png", "b.png")}
    manifest = write_manifest(tmp_path, same | {"c.png": picture(4)})

    def gammas(seed: int) -> dict[str, float | None]:
        windows = [pairs_of(manifest, target=PSEUDO, seed=seed).window(number) for number in range(3)]
        return {window.name: window.gamma for window in windows}

    found = gammas(7)
    assert found["a.png"] == found["b.png"] != found["c.png"]
    assert gammas(8)["a.png"] != found["a.png"]


def test_a_target_is_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest, kept = four_pictures(tmp_path), tmp_path / "kept"
    first = [pairs_of(manifest, target=PSEUDO, cache=kept)[number][0].target for number in range(3)]
    assert len(list(kept.rglob("*.npz"))) == 3
    assert not [path for path in kept.rglob("*") if path.name.startswith(".")]
    monkeypatch.setattr(targets, "make", None)
    again = [pairs_of(manifest, target=PSEUDO, cache=kept)[number][0].target for number in range(3)]
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


def test_a_target_with_any_bit_wrong_or_cut_short_is_made_anew(tmp_path: Path) -> None:
    drawing = picture(3, (33, 21))
    keep = kept_targets.KeptTargets(tmp_path)
    good = keep.make(drawing, "x", "pseudo_gt", 0.97)
    [path] = tmp_path.rglob("*.npz")
    content = path.read_bytes()
    flipped = [
        content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :] for at in range(0, len(content), 7)
    ]
    for damaged in (b"", b"no file of ours", content[: len(content) // 2], *flipped):
        path.write_bytes(damaged)
        np.testing.assert_array_equal(keep.make(drawing, "x", "pseudo_gt", 0.97), good)


def test_another_seed_gamma_or_kind_is_kept_apart(tmp_path: Path) -> None:
    manifest, kept = four_pictures(tmp_path), tmp_path / "kept"
    others = [PSEUDO, TargetConfig(gamma=(0.5, 0.6)), TargetConfig(kind="unsharp"), TargetConfig(kind="raw")]
    for target in others:
        pairs_of(manifest, target=target, cache=kept)[0]
    pairs_of(manifest, target=PSEUDO, cache=kept, seed=8, augment=False)
    assert len(list(kept.rglob("*.npz"))) == 3


def test_a_full_disk_is_told_once_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_data: bytes, _path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept_targets, "write_bytes", full)
    pairs = pairs_of(four_pictures(tmp_path), target=PSEUDO, cache=tmp_path / "kept")
    with caplog.at_level(logging.WARNING):
        found = [pairs[number][0] for number in range(3)]
    assert [record.message.count("No space left") for record in caplog.records] == [1]
    whole = read(tmp_path / found[0].name)
    assert whole.shape == (48, 64, 3)


def test_memory_counts_pictures_and_targets_and_lets_the_oldest_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_HELD_BYTES", 3 * 64 * 48 * 3)  # one picture with its target, and half of another
    manifest = four_pictures(tmp_path)
    reads: list[str] = []

    def counted(path: Path) -> np.ndarray:
        reads.append(path.name)
        return read(path)

    monkeypatch.setattr(pictures, "read", counted)
    for target, expected in ((TargetConfig(kind="raw"), 3), (PSEUDO, 6)):
        held = pictures.Pictures(read_manifest(manifest).train, target, 2, 0, None)
        reads.clear()
        for number in (0, 1, 2, 0, 1, 2):
            held[number]
        assert len(reads) == expected
