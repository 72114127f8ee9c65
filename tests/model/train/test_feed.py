from pathlib import Path

import numpy as np

from apisr_model.data import Pairs, read_manifest
from apisr_model.targets import TargetConfig
from apisr_model.train import feed
from apisr_model.train.recipe import DataSettings, TrainRecipe, TrainSettings
from tests.model.manifests import picture, write_manifest


def share_seen(pairs: Pairs) -> float:
    """Of the pixels that the crops of a window have together, those that are not another crop's too."""
    seen = 0
    for number in range(30):
        window = pairs.window(number)
        is_seen = np.zeros(window.high_res.shape[:2], np.bool_)
        for top, left in window.corners:
            is_seen[top : top + 32, left : left + 32] = True
        seen += is_seen.sum()
    return seen / (30 * pairs.crops * 32**2)


def test_on_a_device_crops_lie_about_as_far_apart(tmp_path: Path) -> None:
    rows = read_manifest(write_manifest(tmp_path, {"a.png": picture(1, (160, 90))})).train
    shares = []
    for place in ("cpu", "device"):
        recipe = TrainRecipe(
            target=TargetConfig(kind="raw"),
            data=DataSettings(crop_px=32, crops=10, context_px=8, degrade_on=place),
            train=TrainSettings(iterations=1),
        )
        shares.append(share_seen(feed.pairs_of(rows, recipe)))
    assert shares[1] > 0.8 * shares[0]
