from pathlib import Path

import numpy as np
import pytest
import torch

from apisr_data.images import read
from apisr_model import targets
from apisr_model.data import SampleRecord, batches, look_up
from apisr_model.degradations import from_levels
from apisr_model.degrade import Degradation, DegradationConfig
from apisr_model.targets import TargetConfig
from tests.model.data.small_pairs import pairs_of
from tests.model.manifests import four_pictures, picture, write_manifest


@pytest.mark.parametrize("crops", [1, 3])
def test_a_sample_is_replayed_from_its_record_alone(tmp_path: Path, crops: int) -> None:
    pairs = pairs_of(four_pictures(tmp_path), crops=crops, context_px=10, target=TargetConfig())
    for batch in batches(pairs, range(8, 16), 4):
        for along, number in enumerate(batch.numbers):
            record, pair = look_up(pairs, number, 4)
            assert torch.equal(pair.low_res, batch.low_res[along])
            again = SampleRecord.model_validate_json(record.model_dump_json())
            assert again == record
            for name, replayed in zip(("low_res", "high_res", "target"), replay(again, tmp_path), strict=True):
                np.testing.assert_array_equal(getattr(batch, name)[along].permute(1, 2, 0).numpy(), replayed)


def replay(record: SampleRecord, folder: Path) -> list[np.ndarray]:
    """The low resolution, the picture and the target, by nothing but what the record says."""
    whole = read(folder / record.image)
    top, left, height, width = record.window
    window = whole[top : top + height, left : left + width]
    low_res = Degradation(DegradationConfig(), 2).apply(from_levels(window), record.drawn)
    target = targets.make(whole, record.target, record.gamma)
    (y, x), side = record.corner, record.crop_px
    low_y, low_x = (y - top) // 2, (x - left) // 2
    rows, columns, transpose = record.turn
    turned = []
    for square in (
        low_res[low_y : low_y + side // 2, low_x : low_x + side // 2],
        whole[y : y + side, x : x + side],
        target[y : y + side, x : x + side],
    ):
        flipped = square[:: -1 if rows else 1, :: -1 if columns else 1]
        turned.append(flipped.transpose(1, 0, 2) if transpose else flipped)
    return turned


def test_a_real_pair_says_so(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, {"a.png": picture(0)}, low_res={"a.png": picture(1, (32, 24))})
    record, _ = look_up(pairs_of(manifest), 5, 4)
    assert record.drawn is None
    assert str(record).startswith("sample 5: a.png, frame 5, crop 0\n16 px from left ")
    assert str(record).endswith("target raw\na real pair: nothing is drawn")
