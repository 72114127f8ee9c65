"""Training crops a second and core: ours against the authors' degradation and loading.

    python benchmarks/data_loading.py PATH_TO_APISR [--crops 1 4 8] [--frames 16]

PATH_TO_APISR is a checkout of github.com/Kiteretsu77/APISR. Both begin with 720p PNGs of the sample clip's I-frames and
end with float tensors of a low-resolution crop at 4x, a raw one of 256 px and one of the pseudo ground truth; of each
frame as many crops are used as `--crops` says. The authors degrade the whole frame, write it, read it, write its crops
and read each with its two others, which lie cut on the disk; making their pseudo ground truth beforehand is not
counted, nor is ours, which is kept on the disk; no picture stays decoded in memory. CPU time of one process and its
children, on one core; the median over the rounds of `--frames` frames each.
"""

import argparse
import contextlib
import importlib
import importlib.util
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from apisr_data import images, video
from apisr_data.images import Rgb
from apisr_model import lines
from apisr_model.data import Pairs, batches, pictures, read_manifest
from apisr_model.degrade import Degradation, DegradationConfig
from apisr_model.targets import TargetConfig

SAMPLE = Path(__file__).parents[1] / "samples" / "the-question.mkv"
ROUNDS = 3
SCALE, CROP_PX, CONTEXT_PX = 4, 256, 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", type=Path, help="checkout of the authors' repository")
    parser.add_argument("--crops", type=int, nargs="+", default=(1, 4, 8))
    parser.add_argument("--frames", type=int, default=16)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    spent_s = degradation_benchmark().spent_s
    with tempfile.TemporaryDirectory() as folder:
        manifest = export(Path(folder))
        theirs = Theirs(arguments.reference.resolve(), sorted(Path(folder).glob("*.png")))
        print(f"{SCALE}x, {CROP_PX} px, 1280x720 frames, {arguments.frames} a round; median of {ROUNDS} rounds")
        print(f"{'crops a frame':>13}   {'authors, crops/s':>16} {'ours, crops/s':>13} {'ratio':>6}")
        for crops in arguments.crops:
            with contextlib.chdir(folder):
                theirs_s = median_s(spent_s, partial(theirs.load, arguments.frames, crops))
            ours = ours_of(manifest, Path(folder) / "kept", crops)
            ours_s = median_s(spent_s, partial(ours, arguments.frames))
            rates = [arguments.frames * crops / seconds for seconds in (theirs_s, ours_s)]
            print(f"{crops:13}   {rates[0]:16.2f} {rates[1]:13.2f} {rates[1] / rates[0]:5.1f}x", flush=True)


def median_s(spent_s: Callable[[], float], work: Callable[[], None]) -> float:
    work()
    times = []
    for _ in range(ROUNDS):
        start_s = spent_s()
        work()
        times.append(spent_s() - start_s)
    return statistics.median(times)


def export(folder: Path) -> Path:
    """The clip's I-frames as a training set."""
    names = []
    for frame in video.iframes(SAMPLE):
        names.append(f"{frame.pts:06d}.png")
        (folder / names[-1]).write_bytes(images.encode_png(frame.rgb()))
    pq.write_table(pa.table({"image": names, "split": ["train"] * len(names)}), folder / "manifest.parquet")
    return folder / "manifest.parquet"


def ours_of(manifest: Path, kept: Path, crops: int) -> Callable[[int], None]:
    """Loads so many frames; the next ones each time."""
    pictures._HELD_BYTES = 0  # of thousands of pictures hardly one is still in memory when it comes again
    rows = read_manifest(manifest).train
    pairs = Pairs(
        rows,
        Degradation(DegradationConfig(), SCALE),
        crop_px=CROP_PX,
        seed=0,
        target=TargetConfig(),
        cache=kept,
        crops=crops,
        context_px=CONTEXT_PX,
    )
    for number in range(len(rows)):
        pairs.window(number)  # so that each target is kept
    # in batches of one, four frames in turn give a crop each
    source = batches(pairs, range(2**40), 1)

    def load(frames: int) -> None:
        for _ in range(frames * crops):
            next(source)

    return load


class Theirs:
    """The authors' way from a frame to tensors, in the working folder."""

    def __init__(self, checkout: Path, frames: list[Path]) -> None:
        self._degrade = degradation_benchmark().load(checkout)
        sys.modules.setdefault("torchvision.models", ModuleType("torchvision.models")).vgg19 = None  # type: ignore[attr-defined]
        self._dataset = importlib.import_module("architecture.dataset").ImageDataset
        self._frames = frames
        self._next = 0
        Path("tmp").mkdir(exist_ok=True)
        for path in frames:
            picture = images.read(path)
            self._cut(picture, path, "high_res")
            self._cut(lines.pseudo_gt(picture), path, "target")

    def load(self, frames: int, crops: int) -> None:
        """So many of each frame's crops, of the next frames each time."""
        Path("tmp").mkdir(exist_ok=True)
        for _ in range(frames):
            path = self._frames[self._next % len(self._frames)]
            self._next += 1
            self._degrade(cv2.imread(str(path)))
            low_res = cv2.imread("tmp/low_res.png")
            assert low_res is not None
            names = []
            for number, square in enumerate(squares(low_res, CROP_PX // SCALE)[:crops]):
                names.append(f"tmp/{number}.png")
                cv2.imwrite(names[-1], square, [cv2.IMWRITE_PNG_COMPRESSION, 0])
            cut = [[str(place(path, side, n)) for n in range(crops)] for side in ("high_res", "target")]
            dataset: Any = self._dataset(names, *cut)
            dataset.transform = to_tensor  # torchvision's
            loaded = [dataset[number] for number in range(crops)]
            for side in ("lr", "degrade_hr", "hr"):
                torch.stack([sample[side] for sample in loaded])

    def _cut(self, picture: Rgb, path: Path, side: str) -> None:
        for number, square in enumerate(squares(picture, CROP_PX)):
            place(path, side, number).parent.mkdir(exist_ok=True)
            bgr = np.ascontiguousarray(square[..., ::-1])
            cv2.imwrite(str(place(path, side, number)), bgr, [cv2.IMWRITE_PNG_COMPRESSION, 0])


def place(frame: Path, side: str, number: int) -> Path:
    return frame.parent / side / f"{frame.stem}-{number}.png"


def squares(picture: np.ndarray[Any, Any], side: int) -> list[np.ndarray[Any, Any]]:
    """The crops of the authors' grid."""
    rows, columns = (range(0, extent - side + 1, side) for extent in picture.shape[:2])
    return [np.ascontiguousarray(picture[y : y + side, x : x + side]) for y in rows for x in columns]


def to_tensor(image: np.ndarray[Any, Any]) -> torch.Tensor:
    """What torchvision's ToTensor does."""
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).contiguous().float().div(255)


def degradation_benchmark() -> ModuleType:
    """The script beside this one: its name is that of the authors' package."""
    name = "benchmark_of_degradation"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("degradation.py"))
        assert spec
        assert spec.loader
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
