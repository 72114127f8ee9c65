"""The degradation against the authors': each codec, and the whole recipe.

    python benchmarks/degradation.py PATH_TO_APISR [IMAGE] [--size 640 360] [--draws 60]

PATH_TO_APISR is a checkout of github.com/Kiteretsu77/APISR. IMAGE defaults to a frame of the sample clip. A codec is
measured against what the authors do: a PNG, an ffmpeg process that encodes it, a second one that decodes, a PNG again.
The whole recipe is measured on whole frames of the same size with the same crops cut from each. CPU time on one core,
the processes' included. For their MPEG-4 the native encoder stands in, as PyAV's wheels have no Xvid; for their AVIF
Pillow stands in, as pillow-heif has lost it.
"""

import argparse
import contextlib
import importlib
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import cv2
import numpy as np
import torch
from PIL import Image as Pillow

from apisr_data import images, video
from apisr_data.images import Rgb
from apisr_model.degradations import from_levels, to_levels
from apisr_model.degradations.image_codecs import ImageCodec
from apisr_model.degradations.video_codecs import VideoCodec
from apisr_model.degrade import Degradation, DegradationConfig

SAMPLE = Path(__file__).parents[1] / "samples" / "the-question.mkv"
ROUNDS = 10
SCALE, CROP_PX = 4, 256

T = TypeVar("T")

# ours, and what the ffmpeg program is told for the same: options, and the file's ending
CODECS: list[tuple[ImageCodec | VideoCodec, str, str]] = [
    (VideoCodec(codec="h264", quality=30, preset="medium"), "-c:v libx264 -crf 30 -preset medium", "mp4"),
    (VideoCodec(codec="h265", quality=35, preset="medium"), "-c:v libx265 -crf 35 -preset medium", "mp4"),
    (VideoCodec(codec="mpeg2", quality=16), "-c:v mpeg2video -qscale:v 16", "mp4"),
    (VideoCodec(codec="mpeg4", quality=16), "-c:v mpeg4 -qscale:v 16", "mp4"),
    (VideoCodec(codec="vp9", quality=40), "-c:v libvpx-vp9 -crf 40 -b:v 0 -cpu-used 4", "webm"),
    (VideoCodec(codec="av1", quality=40), "-c:v libsvtav1 -crf 40 -preset 8", "mkv"),
    (ImageCodec(codec="jpeg", quality=60), "-c:v mjpeg -qscale:v 6 -strict -1", "jpg"),
    (ImageCodec(codec="webp", quality=60, effort=3), "-c:v libwebp -quality 60 -compression_level 3", "webp"),
    (ImageCodec(codec="avif", quality=60, effort=8), "-c:v libaom-av1 -crf 25 -cpu-used 8 -still-picture 1", "mkv"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", type=Path, help="checkout of the authors' repository")
    parser.add_argument("image", type=Path, nargs="?")
    parser.add_argument("--size", type=int, nargs=2, default=(640, 360), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--draws", type=int, default=60)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    whole = images.read(arguments.image) if arguments.image else next(iter(video.iframes(SAMPLE))).rgb()
    frame = images.resize(whole, tuple(arguments.size), "area")
    compare_codecs(images.resize(frame, (frame.shape[1] // SCALE, frame.shape[0] // SCALE), "area"))
    compare_recipes(arguments.reference.resolve(), frame, arguments.draws)


def compare_codecs(low_res: Rgb) -> None:
    print(f"one {low_res.shape[1]}x{low_res.shape[0]} picture, ms of CPU time")
    print(f"{'codec':<32} {'two ffmpeg':>10} {'ours':>8} {'ratio':>7}   dB to the input: ffmpeg, ours")
    for codec, options, ending in CODECS:
        with tempfile.TemporaryDirectory() as folder:
            theirs_s, reference = measured(partial(two_processes, low_res, options, ending, Path(folder)), ROUNDS)
        ours_s, coded = measured(partial(codec.apply, from_levels(low_res)), 5 * ROUNDS)
        ours = to_levels(coded)
        told = "bit-identical" if np.array_equal(reference, ours) else f"{psnr(reference, low_res):.2f}"
        print(
            f"{codec!s:<32} {1e3 * theirs_s:10.1f} {1e3 * ours_s:8.2f} {theirs_s / ours_s:6.0f}x"
            f"   {told}, {psnr(ours, low_res):.2f}",
            flush=True,
        )


def two_processes(rgb: Rgb, options: str, ending: str, folder: Path) -> Rgb:
    """Through the ffmpeg program, as the authors' code calls it."""
    before, coded, after = folder / "1.png", folder / f"coded.{ending}", folder / "2.png"
    cv2.imwrite(str(before), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    quiet = ("ffmpeg", "-y", "-loglevel", "quiet")
    subprocess.run(
        [*quiet, "-i", before, *options.split(), "-pix_fmt", "yuv420p", coded], check=True, stderr=subprocess.DEVNULL
    )
    subprocess.run([*quiet, "-i", coded, "-update", "1", after], check=True)
    decoded = images.read(after)
    coded.unlink()
    after.unlink()
    return decoded


def compare_recipes(checkout: Path, frame: Rgb, draws: int) -> None:
    height, width = frame.shape[:2]
    crops = (height // CROP_PX) * (width // CROP_PX)
    degradation = Degradation(DegradationConfig(), SCALE)
    rng = np.random.default_rng(0)
    theirs = load(checkout)

    def ours() -> None:
        low_res = degradation.apply(from_levels(frame), degradation.draw(rng))
        cut(low_res)

    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("tmp").mkdir()
        bgr = np.ascontiguousarray(frame[..., ::-1])
        theirs_s, _ = measured(partial(theirs, bgr), draws)
    ours_s, _ = measured(ours, 2 * draws)
    pixels = crops * CROP_PX**2
    print(f"\nthe whole recipe, {SCALE}x, {width}x{height}, {crops} crops of {CROP_PX} px a frame, {draws} draws")
    for name, seconds in (("authors' code", theirs_s), ("ours", ours_s)):
        rate = f"{pixels / seconds / 1e6:6.2f} high-resolution megapixels/s a core"
        print(f"{name:<14} {1e3 * seconds:7.1f} ms a frame, {rate}, {crops / seconds:6.1f} crops/s")
    print(f"{theirs_s / ours_s:.1f}x")


def cut(low_res: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """The crops of the authors' grid."""
    side = CROP_PX // SCALE
    rows, columns = (range(0, extent - side + 1, side) for extent in low_res.shape[:2])
    return [np.ascontiguousarray(low_res[y : y + side, x : x + side]) for y in rows for x in columns]


def load(checkout: Path) -> Callable[[Rgb], object]:
    """The authors' degradation of one BGR frame, with `cuda()` left out, run in the working folder's `tmp`."""
    grey_module = types.ModuleType("torchvision.transforms.functional_tensor")
    grey_module.rgb_to_grayscale = grayscale  # type: ignore[attr-defined]
    for name in ("torchvision", "torchvision.utils", "torchvision.transforms", "pillow_heif"):
        sys.modules[name] = mock.MagicMock()
    sys.modules[grey_module.__name__] = grey_module
    mock.patch.object(torch.Tensor, "cuda", lambda tensor: tensor).start()
    own = str(Path(__file__).parent)  # this file has the name of their package
    sys.path[:] = [str(checkout), *(path for path in sys.path if path != own)]
    degradation_esr = importlib.import_module("degradation.degradation_esr")
    to_tensor = importlib.import_module("degradation.ESR.utils").np2tensor
    opt = importlib.import_module("opt").opt
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002  # it is what they draw from
    torch.manual_seed(0)
    script = degradation_esr.degradation_v1()
    script.avif_instance.compress_and_store = avif

    def degrade(bgr: Rgb) -> None:
        script.reset_kernels(opt)
        script.degradate_process(to_tensor(bgr), opt, "tmp/low_res.png", 0)
        cut(np.asarray(cv2.imread("tmp/low_res.png")))

    return degrade


def grayscale(rgb: torch.Tensor, num_output_channels: int) -> torch.Tensor:
    """What torchvision's function of that name does."""
    weights = rgb.new_tensor([0.2989, 0.587, 0.114]).view(1, 3, 1, 1)
    return (rgb * weights).sum(1, keepdim=True).expand(-1, num_output_channels, -1, -1)


def avif(frame: np.ndarray[Any, Any], store_path: str, _number: int) -> None:
    quality = random.randint(20, 95)
    Pillow.fromarray(frame[..., ::-1].astype(np.uint8)).save("tmp/temp.avif", quality=quality, max_threads=1)
    with Pillow.open("tmp/temp.avif") as decoded:
        cv2.imwrite(store_path, np.asarray(decoded.convert("RGB"))[..., ::-1])


def psnr(one: Rgb, other: Rgb) -> float:
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return 10 * np.log10(255**2 / error) if error else float("inf")


def measured(work: Callable[[], T], rounds: int) -> tuple[float, T]:
    """Mean CPU time of one call in this process and its children, after one call to warm up; and what it gave."""
    result = work()
    start_s = spent_s()
    for _ in range(rounds):
        result = work()
    return (spent_s() - start_s) / rounds, result


def spent_s() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
