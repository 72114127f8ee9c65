"""Peak memory while a video is read, against the video's length.

    python benchmarks/memory.py [--repeats 1 10 60]

The sample clip (21.5 s, 1280x720) is joined to itself without encoding it again. A process of its own reads each:
its peak resident set is printed. `iframes` makes the RGB picture and the thumbnail of every I-frame and drops them,
`full` does so while it decodes every frame, `extract` does all that a worker of `apisr-data run` does (by detail).
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import av

from apisr_data import video
from apisr_data.config import Score
from apisr_data.stages.extract.one_video import ExtractJob, extract_video
from apisr_data.stages.score.one_video import ScoringJob

SAMPLE = Path(__file__).parents[1] / "samples" / "the-question.mkv"
SAMPLE_S = 21.5


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


def read(path: Path, what: str) -> None:
    """Read the video and print I-frames and the peak resident set in KiB."""
    if what == "extract":
        count = whole_extract(path)
    else:
        count = 0
        for frame in video.iframes(path, exact=what == "full"):
            frame.rgb()
            frame.rgb((256, 144))
            count += 1
    print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def whole_extract(path: Path) -> int:
    """What a worker of `apisr-data run` does with one video; the number of I-frames."""
    with tempfile.TemporaryDirectory() as folder:
        names = ("videos", "frames", "thumbnails", "packet_sizes", "scores", "descale")
        parts = {name: Path(folder) / f"{name}.parquet" for name in names}
        scoring = ScoringJob(Score(), Score(scorer="detail"), parts=parts)
        job = ExtractJob(path, "0" * 16, 0, parts, scoring=scoring)
        return extract_video(job, lambda _share: None).frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, nargs="*", default=[1, 10, 60])
    parser.add_argument("--read", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.read:
        read(Path(args.read[0]), args.read[1])
        return
    print(f"{'reading':7} {'minutes':>8} {'I-frames':>8} {'peak MiB':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for repeats in args.repeats:
            path = Path(folder) / f"{repeats}.mkv"
            join(repeats, path)
            for what in ("iframes", "extract", "full") if repeats <= 10 else ("iframes", "extract"):
                command = [sys.executable, __file__, "--read", str(path), what]
                result = subprocess.run(command, check=True, capture_output=True, text=True)
                frames, peak_kib = map(int, result.stdout.split())
                print(f"{what:7} {repeats * SAMPLE_S / 60:8.1f} {frames:8} {peak_kib / 1024:9.0f}", flush=True)


if __name__ == "__main__":
    main()
