"""The pseudo ground truth of one 720p frame against the authors' script, on one core.

    python benchmarks/lines.py PATH_TO_APISR [IMAGE]

PATH_TO_APISR is a checkout of github.com/Kiteretsu77/APISR, whose script wants a GPU and is run on the CPU here. IMAGE
defaults to a frame of the sample clip. CPU time: the median of ours, one run of theirs (it takes some 20 s).
"""

import argparse
import importlib.util
import statistics
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import torch

from apisr_data import images, video
from apisr_data.images import Rgb
from apisr_model import lines

SAMPLE = Path(__file__).parents[1] / "samples" / "the-question.mkv"
ROUNDS = 7
ABSENT = (
    "kornia",
    "torchvision",
    "torchvision.utils",
    "torchvision.transforms",
    "torchvision.transforms.functional_tensor",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", type=Path, help="checkout of the authors' repository")
    parser.add_argument("image", type=Path, nargs="?")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    picture = images.read(arguments.image) if arguments.image else next(iter(video.iframes(SAMPLE))).rgb()
    script = load(arguments.reference)
    gamma = float(np.asarray(script.XDoG_config["gamma"]).item())

    ours_s = []
    for _ in range(ROUNDS + 1):  # the first one warms up
        start_s = time.process_time()
        mask = lines.line_mask(picture, gamma)
        lines.pseudo_gt(picture, gamma)
        ours_s.append((time.process_time() - start_s) / 2)
    start_s = time.process_time()
    reference = their_mask(script, picture)
    theirs_s = time.process_time() - start_s
    median_s = statistics.median(ours_s[1:])
    print(f"{picture.shape[1]}x{picture.shape[0]}, one core, CPU time")
    print(f"authors' script  {theirs_s:7.2f} s")
    print(f"ours             {median_s:7.3f} s   {theirs_s / median_s:.0f}x")
    print(f"mask pixels equal: {(mask == reference).mean():.4%}")


def load(checkout: Path) -> Any:
    """The authors' module, with what it imports and does not need here replaced, and every `cuda()` left out."""
    sys.path.insert(0, str(checkout))
    for name in ABSENT:
        sys.modules[name] = mock.MagicMock()
    mock.patch.object(torch.Tensor, "cuda", lambda tensor: tensor).start()
    path = checkout / "scripts" / "anime_strong_usm.py"
    specification = importlib.util.spec_from_file_location("anime_strong_usm", path)
    if specification is None or specification.loader is None:
        raise SystemExit(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def their_mask(script: Any, picture: Rgb) -> np.ndarray[Any, Any]:
    """What the authors' script does to one picture."""
    sharper = script.USMSharp(type="cv2")
    image = first = sharper(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    for _ in range(2):
        image = sharper(image)
    mask: np.ndarray[Any, Any] = script.get_xdog_sketch_map(image, 32)
    _ = image * mask + first * (1 - mask)
    return mask[..., 0] > 0


if __name__ == "__main__":
    main()
