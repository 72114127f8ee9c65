"""Decoding the chosen frames again, against a PNG of every I-frame of which the chosen are read back.

    python benchmarks/redecode.py [VIDEO] [--share 0.2] [--repeats 5]

CPU time of this process, imports excluded, from the file to the arrays of the chosen frames; medians. Both ways share
the decode that choosing needs; it is timed once and printed apart.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from apisr_data import images, video

SAMPLE = Path(__file__).parents[1] / "samples" / "the-question.mkv"


def main() -> None:
    """Print CPU seconds, bytes and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path, nargs="?", default=SAMPLE)
    parser.add_argument("--share", type=float, default=0.2, help="share of the I-frames that are chosen")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    path = arguments.video

    packets = [frame.packet for frame in video.iframes(path)]
    chosen = packets[:: max(1, round(1 / arguments.share))]
    first_pass = cpu_seconds(lambda: [frame.rgb((256, 144)) for frame in video.iframes(path)], arguments.repeats)

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)

        def write_all() -> None:
            for frame in video.iframes(path):
                (root / f"{frame.packet}.png").write_bytes(images.encode_png(frame.rgb()))

        def read_chosen() -> None:
            for packet in chosen:
                images.decode((root / f"{packet}.png").read_bytes())

        write_s = cpu_seconds(write_all, arguments.repeats) - cpu_seconds(decode_only(path), arguments.repeats)
        read_s = cpu_seconds(read_chosen, arguments.repeats)
        disk_bytes = sum(file.stat().st_size for file in root.iterdir())

    def decode_again() -> None:
        for frame in video.frames_at(path, chosen):
            frame.rgb()

    again_s = cpu_seconds(decode_again, arguments.repeats)
    print(f"{path.name}: {len(packets)} I-frames, {len(chosen)} chosen; median of {arguments.repeats}")
    print(f"first pass, shared (decode and thumbnails)   {first_pass:7.3f} s CPU")
    print(f"PNG of every I-frame, beyond its decode      {write_s:7.3f} s CPU  {disk_bytes / 1e6:8.1f} MB written")
    print(f"  and the chosen read back                   {read_s:7.3f} s CPU")
    print(f"the chosen decoded again                     {again_s:7.3f} s CPU       0.0 MB written")
    print(f"round trip over decoding again: {(write_s + read_s) / again_s:.1f}x the CPU time")


def decode_only(path: Path) -> Callable[[], None]:
    """What writing PNGs has in common with the first pass: the decode."""

    def run() -> None:
        for _ in video.iframes(path):
            pass

    return run


def cpu_seconds(run: Callable[[], object], repeats: int) -> float:
    """Median CPU seconds of a run."""
    run()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return statistics.median(times)


if __name__ == "__main__":
    main()
