r"""CPU time to decoded I-frames: `video.iframes` against the ffmpeg command of APISR's authors.

    python benchmarks/iframes.py [--ffmpeg PROGRAM] [--folder CACHE] [--contents sample shots4s ...] [--codecs h264 ...]

Each input is 60 s at 1920x1080 and 24 fps, made once and kept in CACHE. `sample`: the sample clip, looped and enlarged:
painted drawings that hardly move, a cut every 2.7 s, so that I-frames are nearly all of the file and there is little
to save. `shots4s` and `shots10s`: moving discs under film grain, a cut every 4 s and every 10 s. Theirs is
`ffmpeg -i in -vf select='eq(pict_type\,I)' -vsync vfr out%d.png`. CPU seconds are user + system, medians of the runs,
imports excluded. Where `apisr-data extract` is installed, the whole of it stands beside them.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import cv2
import numpy as np
from av.video.stream import VideoStream

from apisr_data import video

SAMPLE = Path(__file__).parents[1] / "samples" / "the-question.mkv"
WIDTH, HEIGHT, FRAMES, FPS = 1920, 1080, 1440, 24
SHOT_S = {"shots4s": 4, "shots10s": 10}
# name: (encoder, extension, options, attributes of the encoder, factor promised)
INPUTS: dict[str, tuple[str, str, dict[str, str], dict[str, Any], int]] = {
    "h264": ("libx264", "mkv", {}, {}, 30),
    "hevc": ("libx265", "mkv", {"preset": "veryfast", "x265-params": "log-level=error"}, {}, 60),
    "vp9": ("libvpx-vp9", "webm", {"deadline": "good", "cpu-used": "5", "crf": "30"}, {"bit_rate": 0}, 15),
    "av1": ("libsvtav1", "mkv", {"preset": "9", "crf": "32"}, {}, 15),
    "mpeg2": ("mpeg2video", "mpg", {}, {"bit_rate": 12_000_000, "max_b_frames": 2}, 15),
    "mpeg4": ("mpeg4", "avi", {}, {"bit_rate": 8_000_000, "max_b_frames": 2, "gop_size": 250}, 15),
}


def pictures(content: str) -> Iterator[av.VideoFrame]:
    """1920x1080 frames without end."""
    return sample() if content == "sample" else shapes(SHOT_S[content])


def sample() -> Iterator[av.VideoFrame]:
    """The sample's frames, again and again, enlarged."""
    while True:
        with av.open(str(SAMPLE)) as container:
            for frame in container.decode(video=0):
                yield frame.reformat(WIDTH, HEIGHT, "yuv420p", interpolation="BICUBIC")


def shapes(shot_s: int) -> Iterator[av.VideoFrame]:
    """Outlined discs that move over a pattern, under film grain; a cut every `shot_s` seconds."""
    rng = np.random.default_rng(0)
    lighter, darker = (rng.exponential(1.5, (2 * HEIGHT, 2 * WIDTH, 3)).astype(np.uint8) for _ in range(2))
    while True:
        colours = rng.integers(0, 256, (40, 3))
        pattern = rng.integers(60, 200, (18, 32, 3), np.uint8)
        background = cv2.resize(pattern, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        places, speeds = rng.uniform(0, (WIDTH, HEIGHT), (40, 2)), rng.uniform(-6, 6, (40, 2))
        for _ in range(shot_s * FPS):
            picture: Any = background.copy()
            for (x, y), colour in zip(places % (WIDTH, HEIGHT), colours.tolist(), strict=True):
                cv2.circle(picture, (round(x), round(y)), 90, colour, -1, cv2.LINE_AA)
                cv2.circle(picture, (round(x), round(y)), 90, (20, 20, 20), 4, cv2.LINE_AA)
            top, left = rng.integers(0, (HEIGHT, WIDTH))
            grain = np.s_[top : top + HEIGHT, left : left + WIDTH]
            picture = cv2.subtract(cv2.add(picture, lighter[grain]), darker[grain])
            yield av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
            places += speeds


def make(name: str, content: str, folder: Path) -> Path:
    """The input for a codec; encoded when it is not there yet."""
    encoder, extension, options, attributes, _ = INPUTS[name]
    path = folder / f"{content}-{name}.{extension}"
    if path.exists():
        return path
    partial = path.with_name(f"partial-{path.name}")
    with av.open(str(partial), "w") as container:
        stream = cast(VideoStream, container.add_stream(encoder, rate=FPS, options=options))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for key, value in attributes.items():
            setattr(stream.codec_context, key, value)
        for number, picture in enumerate(itertools.islice(pictures(content), FRAMES)):
            picture.pts, picture.time_base, picture.pict_type = number, Fraction(1, FPS), 0
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return partial.rename(path)


def ours(path: Path) -> tuple[float, int]:
    """CPU seconds of this process and the number of I-frames."""
    begin = time.process_time()
    count = sum(1 for frame in video.iframes(path) if frame.decoded.width)
    return time.process_time() - begin, count


def child(command: list[str]) -> float:
    """CPU seconds of a command and its children."""
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def theirs(path: Path, ffmpeg: str) -> tuple[float, int]:
    """CPU seconds of the authors' command and the number of pictures that it wrote."""
    with tempfile.TemporaryDirectory() as out:
        select = ["-vf", r"select='eq(pict_type\,I)'", "-vsync", "vfr", f"{out}/out%d.png"]
        return child([ffmpeg, "-nostdin", "-i", str(path), *select]), len(os.listdir(out))  # noqa: PTH208


def extract(path: Path) -> float | None:
    """CPU seconds of a whole `apisr-data extract` less those of its start; None where the stage is not there."""
    program = Path(sys.executable).with_name("apisr-data")
    if not program.exists():
        return None
    with tempfile.TemporaryDirectory() as dataset:
        try:
            whole_s = child([str(program), "extract", str(path), "-d", dataset, "--workers", "1"])
            return whole_s - child([str(program), "--help"])
        except subprocess.CalledProcessError:
            return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ffmpeg", default="ffmpeg")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "apisr-benchmark-iframes")
    parser.add_argument("--contents", nargs="*", choices=["sample", *SHOT_S], default=["sample", *SHOT_S])
    parser.add_argument("--codecs", nargs="*", choices=list(INPUTS), default=list(INPUTS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only-make", action="store_true", help="encode the inputs and stop")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    paths = {(name, content): make(name, content, args.folder) for content in args.contents for name in args.codecs}
    if args.only_make:
        return
    print("content  codec  I-frames theirs   ours s  theirs s   ratio promised extract s")
    for (name, content), path in paths.items():
        mine = [ours(path) for _ in range(args.runs)]
        other = [theirs(path, args.ffmpeg) for _ in range(args.runs)]
        our_s, their_s = (statistics.median(run[0] for run in runs) for runs in (mine, other))
        whole_s = extract(path)
        print(
            f"{content:8} {name:6} {mine[0][1]:8} {other[0][1]:6} {our_s:8.3f} {their_s:9.2f} {their_s / our_s:6.1f}x "
            f"{INPUTS[name][4]:7}x {'-' if whole_s is None else f'{whole_s:.2f}'}",
            flush=True,
        )


if __name__ == "__main__":
    main()
