"""Peak memory while a video is read, against the video's length.

    python benchmarks/memory.py [--repeats 1 10 60]

The sample clip (21.5 s, 1280x720) is joined to itself without encoding it again. A process of its own reads each length
with `video.iframes`, makes the RGB picture and the thumbnail of every I-frame and drops them; its peak resident set is
what is printed. «full» decodes every frame.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import av

from apisr_data import video

SAMPLE = Path(__file__).parents[1] / "samples" / "the-question.mkv"


def join(repeats: int, path: Path) -> None:
    """The sample `repeats` times over, in one stream."""
    with av.open(str(path), "w") as target, av.open(str(SAMPLE)) as template:
        stream = target.add_stream_from_template(template.streams.video[0])
        number = offset = 0
        for _ in range(repeats):
            with av.open(str(SAMPLE)) as source:
                end = 0
                for packet in source.demux(video=0):
                    if packet.pts is None:
                        continue
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.pts += offset
                    packet.dts = number * 1000 // 24 - 200  # ms; the sample lacks some
                    packet.stream = stream
                    target.mux(packet)
                    number += 1
                offset += end


def read(path: Path, exact: bool) -> None:
    """Read the video and print I-frames, packets and the peak resident set in KiB."""
    reader = video.iframes(path, exact=exact)
    count = 0
    for frame in reader:
        frame.rgb()
        frame.rgb((256, 144))
        count += 1
    print(count, len(reader.scan.packets), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, nargs="*", default=[1, 10, 60])
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--exact", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.read:
        read(args.read, args.exact)
        return
    print(f"{'method':6} {'minutes':>8} {'packets':>8} {'I-frames':>8} {'peak MiB':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for repeats in args.repeats:
            path = Path(folder) / f"{repeats}.mkv"
            join(repeats, path)
            for exact in (False, True) if repeats <= 10 else (False,):
                command = [sys.executable, __file__, "--read", str(path), *(["--exact"] if exact else [])]
                result = subprocess.run(command, check=True, capture_output=True, text=True)
                frames, packets, peak_kib = map(int, result.stdout.split())
                minutes = packets / 24 / 60
                print(f"{'full' if exact else 'fast':6} {minutes:8.1f} {packets:8} {frames:8} {peak_kib / 1024:9.0f}")


if __name__ == "__main__":
    main()
