"""NIQE of the sample clip's I-frames against BasicSR's code, on one core.

    python benchmarks/niqe.py PATH_TO_BASICSR

PATH_TO_BASICSR is a checkout of github.com/XPixelGroup/BasicSR; its model of photographs is used by both. CPU time,
frame by frame in turn; the reference runs in float32 as its users run it, and once more in float64.
"""

import argparse
import statistics
import sys
import time
import types
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from apisr_data import video
from apisr_data.images import Rgb
from apisr_model.metrics import naturalness, niqe

SAMPLE = Path(__file__).parents[1] / "samples" / "the-question.mkv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", type=Path, help="checkout of BasicSR")
    checkout = parser.parse_args().reference
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    module = load(checkout)
    stored = np.load(checkout / "basicsr" / "metrics" / naturalness.FILE)
    arrays = [stored[key] for key in ("mu_pris_param", "cov_pris_param", "gaussian_window")]
    pristine = naturalness.load(checkout / "basicsr" / "metrics" / naturalness.FILE)
    warnings.simplefilter("ignore")  # the reference divides by zero on flat blocks

    print("frame   theirs, float32   theirs, float64      ours   times faster")
    ratios, apart = [], []
    for number, frame in enumerate(video.iframes(SAMPLE)):
        picture = frame.rgb()
        theirs, theirs_s = timed(lambda image: float(module.calculate_niqe(image[..., ::-1], 0)), picture)
        double, _ = timed(lambda image: float(module.niqe(luma(image), *arrays)), picture)
        ours, ours_s = timed(lambda image: niqe(image, pristine), picture)
        ratios.append(theirs_s / ours_s)
        apart.append((abs(ours - theirs), abs(double - theirs)))
        print(f"{number:5}{theirs:18.4f}{double:18.4f}{ours:10.4f}{ratios[-1]:15.1f}")
    mine, double_apart = (max(column) for column in zip(*apart, strict=True))
    print(f"farthest from float32: ours {mine:.4f}, theirs in float64 {double_apart:.4f}")
    print(f"one core, CPU time, median: {statistics.median(ratios):.1f}x")


def load(checkout: Path) -> Any:
    """BasicSR's module of NIQE, without its packages' other imports, which need torchvision."""
    for name in ("basicsr", "basicsr.utils", "basicsr.metrics"):
        package = types.ModuleType(name)
        package.__path__ = [str(checkout.joinpath(*name.split(".")))]
        sys.modules[name] = package
    colours = import_module("basicsr.utils.color_util")
    sys.modules["basicsr.utils"].bgr2ycbcr = colours.bgr2ycbcr  # type: ignore[attr-defined]
    return import_module("basicsr.metrics.niqe")


def luma(picture: Rgb) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What the reference measures, in float64: BT.601 in 16..235, rounded."""
    weighted: np.ndarray[Any, np.dtype[np.float64]] = picture @ np.array([65.481, 128.553, 24.966])
    return np.rint(16 + weighted / 255)


def timed(function: Callable[[Rgb], float], picture: Rgb) -> tuple[float, float]:
    """What it returns, and seconds of CPU time: the lesser of two."""
    seconds = []
    for _ in range(2):
        start_s = time.process_time()
        value = function(picture)
        seconds.append(time.process_time() - start_s)
    return value, min(seconds)


if __name__ == "__main__":
    main()
