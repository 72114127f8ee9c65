"""Peak memory of a video's job against the video's length.

    python benchmarks/video_memory.py [--frames 800 4000]

A synthetic video of small frames, each its own drawing; a process of its own upscales each length and prints its peak
resident set.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import torch

from apisr_model import architectures
from apisr_model.network import Network
from apisr_model.upscale import upscale_video
from apisr_model.upscale.video.encoders import Encoding
from apisr_model.upscale.video.options import Options

SIZE = (160, 96)


def draw(path: Path, frames: int) -> None:
    """A disc that moves over a gradient."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=24, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        ground = np.tile(np.linspace(40, 200, SIZE[0], dtype=np.uint8)[None, :, None], (SIZE[1], 1, 3))
        for number in range(frames):
            picture = ground.copy()
            cv2.circle(picture, (number * 3 % SIZE[0], number * 2 % SIZE[1]), 15, (200, 60, 50), -1)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def upscale(path: Path) -> None:
    """Upscale it, and print frames and the peak in KiB."""
    torch.manual_seed(0)
    module = architectures.build("compact", scale=2, features=8, convolutions=1).eval()
    encoding = Encoding("h264", options={"preset": "ultrafast"})
    result = upscale_video(
        Network(module, "compact", 2), path, path.with_suffix(".out.mkv"), Options(encoding=encoding)
    )
    print(result.frames, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="*", default=[800, 4000])
    parser.add_argument("--upscale", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.upscale:
        upscale(args.upscale)
        return
    with tempfile.TemporaryDirectory() as folder:
        for frames in args.frames:
            path = Path(folder) / f"{frames}.mkv"
            draw(path, frames)
            command = [sys.executable, __file__, "--upscale", str(path)]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            count, peak_kib = map(int, told.split())
            print(f"{count:6} frames  peak {peak_kib / 1024:6.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
