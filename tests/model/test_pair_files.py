import json
from pathlib import Path

import numpy as np
import pytest

from apisr_data.errors import ConfigError
from apisr_data.images import encode_png, read
from apisr_model import lines
from apisr_model.data import Row
from apisr_model.degradations import from_levels, to_levels
from apisr_model.degrade import Degradation, DegradationConfig, Drawn
from apisr_model.pair_files import PairSettings, Picture, write
from apisr_model.targets import TargetConfig
from tests.model.manifests import four_pictures, picture

SETTINGS = PairSettings(
    degradation=DegradationConfig(), target=TargetConfig(kind="raw"), scale=4, seed=3, count=2, manifest="m"
)


def pictures(folder: Path) -> list[Picture]:
    folder.mkdir(parents=True, exist_ok=True)
    four_pictures(folder)
    splits = {"a": "train", "b": "train", "v": "val"}
    rows = [Row(f"{name}.png", folder / f"{name}.png") for name in splits]
    return [Picture(number, row, split) for number, (row, split) in enumerate(zip(rows, splits.values(), strict=True))]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_pair_has_one_name_in_both_folders_and_sides_of_the_scale(tmp_path: Path) -> None:
    pairs, failures = write(tmp_path / "out", pictures(tmp_path / "in"), SETTINGS)
    assert (len(pairs), failures) == (6, [])
    for split, number in (("train", 4), ("val", 2)):
        high, low = (sorted((tmp_path / "out" / split / side).iterdir()) for side in ("high_res", "low_res"))
        assert [path.name for path in high] == [path.name for path in low]
        assert len(high) == number
        assert read(high[0]).shape == (48, 64, 3)
        assert read(low[0]).shape == (12, 16, 3)


def test_what_was_drawn_gives_the_file_again(tmp_path: Path) -> None:
    write(tmp_path / "out", pictures(tmp_path / "in"), SETTINGS)
    lines = [json.loads(line) for line in (tmp_path / "out" / "drawn.jsonl").read_text().splitlines()]
    assert len(lines) == 6
    for line in lines:
        drawn = Drawn.model_validate_json(json.dumps({"steps": line["steps"]}))
        image = from_levels(read(tmp_path / "out" / line["high_res"]))
        again = to_levels(Degradation(DegradationConfig(), 4).apply(image, drawn))
        np.testing.assert_array_equal(again, read(tmp_path / "out" / line["low_res"]))


@pytest.mark.slow  # workers start interpreters
def test_one_seed_gives_the_same_files_whatever_the_workers(tmp_path: Path) -> None:
    some = pictures(tmp_path / "in")
    for workers in (0, 3):
        write(tmp_path / str(workers), some, SETTINGS, workers=workers)
    assert files(tmp_path / "0") == files(tmp_path / "3")


def test_another_seed_gives_others(tmp_path: Path) -> None:
    some = pictures(tmp_path / "in")
    for seed in (3, 4):
        write(tmp_path / str(seed), some, SETTINGS.model_copy(update={"seed": seed}))
    one, other = (files(tmp_path / str(seed)) for seed in (3, 4))
    assert one.keys() == other.keys()
    assert all(one[name] != other[name] for name in one if "low_res" in name)


def test_an_interrupted_run_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    some = pictures(tmp_path / "in")
    write(tmp_path / "whole", some, SETTINGS)

    class Interrupted(Exception):
        pass

    def stop() -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        write(tmp_path / "parts", some, SETTINGS, on_pair=stop)
    assert not (tmp_path / "parts" / "drawn.jsonl").exists()
    write(tmp_path / "parts", some, SETTINGS)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_a_folder_of_other_pairs_or_other_things_is_left_alone(tmp_path: Path) -> None:
    some = pictures(tmp_path / "in")
    with pytest.raises(ConfigError, match="holds something else"):
        write(tmp_path / "in", some, SETTINGS)
    write(tmp_path / "out", some, SETTINGS)
    before = files(tmp_path / "out")
    with pytest.raises(ConfigError, match="other settings"):
        write(tmp_path / "out", some, SETTINGS.model_copy(update={"scale": 2}))
    assert files(tmp_path / "out") == before


def test_a_damaged_picture_fails_by_name_and_the_others_are_done(tmp_path: Path) -> None:
    some = pictures(tmp_path / "in")
    (tmp_path / "in" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    pairs, failures = write(tmp_path / "out", some, SETTINGS)
    assert len(pairs) == 4
    assert [failure.picture.row.name for failure in failures] == ["a.png"]
    assert "a.png" in failures[0].reason


def test_a_target_lies_beside_and_is_the_same_for_every_copy(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"target": TargetConfig()})
    pairs, failures = write(tmp_path / "out", pictures(tmp_path / "in"), settings)
    assert not failures
    for pair in pairs:
        high, target = (
            read(tmp_path / "out" / pair.picture.split / side / pair.file) for side in ("high_res", "target")
        )
        assert pair.gamma is not None
        np.testing.assert_array_equal(target, lines.pseudo_gt(high, pair.gamma))
    told = [json.loads(line) for line in (tmp_path / "out" / "drawn.jsonl").read_text().splitlines()]
    assert [line["gamma"] for line in told] == [pair.gamma for pair in pairs]
    assert len({line["gamma"] for line in told}) == 3
    again, _ = write(tmp_path / "out", pictures(tmp_path / "in"), settings)
    assert again == pairs


def test_a_real_pair_is_copied_once(tmp_path: Path) -> None:
    real = picture(8, (16, 12))
    [first, *others] = pictures(tmp_path / "in")
    (tmp_path / "in" / "lr.png").write_bytes(encode_png(real))
    first = Picture(0, Row("a.png", first.row.path, tmp_path / "in" / "lr.png"), "train")
    pairs, failures = write(tmp_path / "out", [first, *others], SETTINGS)
    assert (len(pairs), failures) == (5, [])
    assert [pair.drawn is None for pair in pairs] == [True, False, False, False, False]
    np.testing.assert_array_equal(read(tmp_path / "out" / "train" / "low_res" / "000000-a.png"), real)
    line = json.loads((tmp_path / "out" / "drawn.jsonl").read_text().splitlines()[0])
    assert line["steps"] is None


def test_a_real_pair_of_another_scale_fails_by_name(tmp_path: Path) -> None:
    [first, *_] = pictures(tmp_path / "in")
    row = Row("a.png", first.row.path, first.row.path)
    pairs, [failure] = write(tmp_path / "out", [Picture(0, row, "train")], SETTINGS)
    assert not pairs
    assert "image is 64x48, lr_image 64x48: that is no pair at 4x" in failure.reason
