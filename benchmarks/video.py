"""A stretch of video through the streamed job, against PNG files between decoder, network and encoder.

    python benchmarks/video.py [VIDEO] [--seconds 4] [--height 360] [--weights W]

The classical way decodes every frame to a PNG, upscales each PNG to a PNG, and encodes those. Both ways run in
processes of their own on the same shrunk stretch, with the same network and encoder; CPU and wall seconds of one run.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import torch

from apisr_data import images
from apisr_data.colour import Colour, to_frame, to_rgb
from apisr_model import architectures, checkpoint
from apisr_model.network import Network
from apisr_model.upscale import upscale_image, upscale_video
from apisr_model.upscale.upscaler import Finish, Upscaler
from apisr_model.upscale.video.encoders import Encoding
from apisr_model.upscale.video.options import Options

SAMPLE = Path(__file__).parents[1] / "samples" / "the-question.mkv"
COLOUR = Colour("bt601", "limited", None, None, "left", "guess")
ENCODING = Encoding("h264", options={"preset": "veryfast"})


def shrink(source: Path, target: Path, start_s: float, seconds: float, height: int) -> int:
    """A stretch of the source at that height, H.264 at CRF 18; its number of frames."""
    count = 0
    with av.open(str(source)) as a, av.open(str(target), "w") as b:
        origin = a.streams.video[0]
        stream = b.add_stream("libx264", rate=24, options={"crf": "18"})
        stream.height, stream.width, stream.pix_fmt = (
            height,
            2 * round(origin.width * height / origin.height / 2),
            "yuv420p",
        )
        for frame in a.decode(origin):
            if frame.time is None or not start_s <= frame.time < start_s + seconds:
                continue
            small = frame.reformat(stream.width, stream.height, "yuv420p")
            small.pts, small.time_base = count, Fraction(1, 24)
            b.mux(stream.encode(small))
            count += 1
        b.mux(stream.encode(None))
    return count


def network(weights: str | None) -> Network:
    """The weights, or a small untrained network x2, as speed does not depend on the numbers."""
    if weights:
        return checkpoint.load(weights)
    torch.manual_seed(0)
    return Network(architectures.build("compact", scale=2, features=16, convolutions=4).eval(), "compact", 2)


def rgb(frame: av.VideoFrame) -> images.Rgb:
    """The frame as RGB, the same for both ways."""
    return to_rgb(frame, COLOUR)


def by_files(chosen: Network, source: Path, target: Path) -> None:
    """The classical way, in `target`'s folder."""
    folder = target.parent
    with av.open(str(source)) as container:
        count = 0
        for frame in container.decode(video=0):
            (folder / f"in{count}.png").write_bytes(images.encode_png(rgb(frame)))
            count += 1
    for number in range(count):
        picture = upscale_image(
            chosen, images.decode((folder / f"in{number}.png").read_bytes()), finish=Finish(scale=2)
        )
        (folder / f"out{number}.png").write_bytes(images.encode_png(picture))
    with av.open(str(target), "w") as out:
        stream = out.add_stream("libx264", rate=24, options={"preset": "veryfast", "tune": "animation", "crf": "17"})
        stream.thread_type = "AUTO"
        for number in range(count):
            picture = images.decode((folder / f"out{number}.png").read_bytes())
            if number == 0:
                stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], "yuv420p"
            frame = to_frame(picture, COLOUR, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def network_only(chosen: Network, source: Path) -> None:
    """Every frame through the network and nothing else."""
    upscaler = Upscaler(chosen, Finish(scale=2))
    with av.open(str(source)) as container:
        for frame in container.decode(video=0):
            upscaler(rgb(frame))


def one_way(way: str, weights: str | None, source: Path, target: Path) -> None:
    """Run one way and print its CPU and wall seconds, imports and loading excluded."""
    chosen = network(weights)
    cpu, wall = time.process_time(), time.monotonic()
    if way == "files":
        by_files(chosen, source, target)
    elif way == "network":
        network_only(chosen, source)
    else:
        hold = way == "streamed, holds"
        result = upscale_video(
            chosen, source, target, Options(finish=Finish(scale=2), encoding=ENCODING, hold=hold, deinterlace="off")
        )
        print(f"{result.sentence}; ", end="")
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{time.process_time() - cpu:.2f} s CPU, {time.monotonic() - wall:.2f} s wall, peak {peak_mib:.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path, nargs="?", default=SAMPLE)
    parser.add_argument("--start", type=float, default=5.0)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--height", type=int, default=360)
    parser.add_argument("--weights")
    parser.add_argument("--way", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        way, source, target = args.way
        one_way(way, args.weights, Path(source), Path(target))
        return
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.mkv"
        count = shrink(args.video, source, args.start, args.seconds, args.height)
        print(f"{args.video.name}: {count} frames at {args.height} lines, to {2 * args.height}")
        for number, way in enumerate(("files", "network", "streamed, no holds", "streamed, holds")):
            target = Path(folder) / str(number) / "out.mkv"
            target.parent.mkdir()
            command = [sys.executable, __file__, "--way", way, str(source), str(target)]
            command += ["--weights", args.weights] if args.weights else []
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
            print(f"{way:20} {told}", flush=True)
            print(f"{'':20} {sum(f.stat().st_size for f in target.parent.glob('*.png')) / 1e6:.0f} MB of PNG files")


if __name__ == "__main__":
    main()
