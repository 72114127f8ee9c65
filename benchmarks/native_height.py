"""How often the native height is found exactly, and what a frame costs in CPU time.

    python benchmarks/native_height.py [--crf 18] [--heights H ...]

Each case draws a picture at a known height, upscales it to 1080 rows with an implementation that is not ours (Pillow or
libswscale), encodes it with libx264 and asks for the height. The negatives were never upscaled: drawn at 1080 rows,
grain, or both. One case is one frame; real titles have eight a video.
"""

import argparse
import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, product
from pathlib import Path

import av
import av.filter
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from apisr_data.native_height import Estimate, descale_curve, estimate, sample_columns
from apisr_data.native_height.estimate import LEAST_CONFIDENCE

Luma = NDArray[np.uint8]  # (h, w)

SAMPLE = Path(__file__).parents[1] / "samples" / "the-question.mkv"
SOURCE_HEIGHT = 1080
WIDTH = 960  # half a frame: the height is looked for along columns, and encoding costs half
HEIGHTS = (540, 576, 600, 648, 675, 700, 720, 721, 747, 768, 783, 800, 810, 837, 844, 864, 873, 882, 891, 900)
PILLOW = {
    "bilinear": Image.Resampling.BILINEAR,
    "catmull-rom": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
SWSCALE = {
    "bilinear": "flags=bilinear",
    "mitchell": "flags=bicubic:param0=0.3333333:param1=0.3333333",
    "catmull-rom": "flags=bicubic:param0=0:param1=0.5",
    "lanczos": "flags=lanczos:param0=3",
}


def sample_masters(clip: Path = SAMPLE) -> list[Luma]:
    """The clip's I-frames in stacks of two by two: 1440 rows of art drawn for 720."""
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.codec_context.skip_frame = "NONKEY"
        frames = [frame.to_ndarray()[: frame.height] for frame in container.decode(stream)]
    drawn = [frame for frame in frames if np.abs(np.diff(frame.astype(np.int16), axis=0)).mean() > 1.0]
    return [np.hstack([np.vstack([a, b]), np.vstack([b, a])]) for a, b in pairwise(drawn)]


def drawn_master(seed: int, height: int = 1440, width: int = 1280) -> Luma:
    """Cel-like art: gradients, flat shapes and dark outlines, drawn at three times the size and reduced."""
    rng = np.random.default_rng(seed)
    tall, wide = 3 * height, 3 * width
    ramp = np.linspace(rng.uniform(40, 120), rng.uniform(120, 220), tall)[:, None] + np.linspace(0, 30, wide)[None]
    picture = Image.fromarray(np.clip(ramp, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for _ in range(40):
        centre, size = rng.uniform(0, 1, 2) * (wide, tall), rng.uniform(60, 700)
        angles = np.linspace(0, 2 * np.pi, 60)
        wobble = 1 + 0.3 * np.sin(angles * rng.integers(2, 5) + rng.uniform(0, 6))
        outline = centre + size * wobble[:, None] * np.stack([np.cos(angles), np.sin(angles) * rng.uniform(0.4, 1)], 1)
        points = [(float(x), float(y)) for x, y in outline]
        draw.polygon(points, fill=int(rng.integers(30, 240)))
        draw.line(points, fill=int(rng.integers(5, 40)), width=int(rng.integers(4, 13)), joint="curve")
    return np.asarray(picture.resize((width, height), Image.Resampling.BOX))


def resize(luma: Luma, height: int, width: int, kernel: str, maker: str) -> Luma:
    """`luma` at (height, width) by `maker`, pillow or swscale; Pillow widens its kernels when it reduces."""
    if maker == "pillow":
        return np.asarray(Image.fromarray(luma).resize((width, height), PILLOW[kernel]))
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=luma.shape[1], height=luma.shape[0], format=av.VideoFormat("gray"), time_base=Fraction(1, 24)
    )
    scale = graph.add("scale", f"{width}:{height}:{SWSCALE[kernel].replace('flags=', 'flags=accurate_rnd+')}")
    sink = graph.add("buffersink")
    source.link_to(scale)
    scale.link_to(sink)
    graph.configure()
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(luma), format="gray")
    frame.pts = 0
    source.push(frame)
    result = sink.pull()
    assert isinstance(result, av.VideoFrame)
    return np.asarray(result.to_ndarray(), dtype=np.uint8)


def encode(luma: Luma, crf: int = 18) -> Luma:
    """The luma of one I-frame after H.264."""
    height, width = luma.shape
    memory = io.BytesIO()
    with av.open(memory, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": str(crf), "preset": "fast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        grey = np.full((height // 2, width), 128, np.uint8)
        for packet in stream.encode(av.VideoFrame.from_ndarray(np.vstack([luma, grey]), format="yuv420p")):
            container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    memory.seek(0)
    with av.open(memory, "r") as decoded:
        return np.asarray(next(decoded.decode(video=0)).to_ndarray()[:height], dtype=np.uint8)


def upscaled(master: Luma, native: int, kernel: str, maker: str, height: int = SOURCE_HEIGHT) -> Luma:
    """`master` reduced to `native` rows, then enlarged to `height` rows by `kernel`; as it is where they are equal."""
    width = WIDTH * height // SOURCE_HEIGHT
    crop = master[:, : master.shape[0] * width // height]
    drawn = resize(crop, native, width * native // height // 2 * 2, "lanczos", "pillow")
    return drawn if native == height else resize(drawn, height, width, kernel, maker)


@dataclass(frozen=True)
class Case:
    """A picture whose native height is known; SOURCE_HEIGHT for one that was never enlarged."""

    native: int
    kernel: str
    maker: str
    luma: Luma


def positives(masters: Sequence[Luma], heights: Sequence[int], crf: int) -> Iterator[Case]:
    """Every height by every kernel of both makers, the masters in turn."""
    makers = [("pillow", kernel) for kernel in PILLOW] + [("swscale", kernel) for kernel in SWSCALE]
    for i, (height, (maker, kernel)) in enumerate(product(heights, makers)):
        yield Case(height, kernel, maker, encode(upscaled(masters[i % len(masters)], height, kernel, maker), crf))


def negatives(masters: Sequence[Luma], crf: int) -> Iterator[Case]:
    """Pictures drawn at the source height, sharp, soft and grainy, and noise alone."""
    rng = np.random.default_rng(0)
    for i, master in enumerate(masters):
        drawn = upscaled(master, SOURCE_HEIGHT, "none", "none")
        soft = np.asarray(Image.fromarray(drawn).filter(ImageFilter.GaussianBlur(0.4 + 0.4 * (i % 3))))
        for name, luma, deviation in (("sharp", drawn, 0), ("soft", soft, 0), ("grainy", drawn, 3)):
            noisy = np.clip(luma + deviation * rng.standard_normal(luma.shape), 0, 255).astype(np.uint8)
            yield Case(SOURCE_HEIGHT, name, "none", encode(noisy, crf))
    for _ in range(3):
        noise = np.clip(128 + 20 * rng.standard_normal((SOURCE_HEIGHT, WIDTH)), 0, 255).astype(np.uint8)
        yield Case(SOURCE_HEIGHT, "noise", "none", encode(noise, crf))


def estimates(cases: Sequence[Case]) -> list[Estimate]:
    """What one frame alone says."""
    return [estimate(descale_curve(sample_columns(case.luma))) for case in cases]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crf", type=int, default=18)
    parser.add_argument("--heights", type=int, nargs="*", default=HEIGHTS)
    options = parser.parse_args()
    masters = sample_masters() + [drawn_master(seed) for seed in range(6)]

    cases = list(positives(masters, options.heights, options.crf)) + list(negatives(masters, options.crf))
    start_s = time.process_time()
    found = estimates(cases)
    frame_ms = 1000 * (time.process_time() - start_s) / len(cases)
    results = list(zip(cases, found, strict=True))

    print(f"{'case':24}{'cases':>6}{'exact':>7}{'none':>6}{'false':>7}{'kernel':>8}")
    for group in dict.fromkeys((case.maker, case.kernel) for case in cases):
        _print_row(" ".join(group), [(c, e) for c, e in results if (c.maker, c.kernel) == group])
    _print_row("all that were enlarged", [(c, e) for c, e in results if c.native != SOURCE_HEIGHT])
    _print_row("all that were not", [(c, e) for c, e in results if c.native == SOURCE_HEIGHT])
    for low, high in pairwise((LEAST_CONFIDENCE, 0.9, 0.99, 1.01)):
        right = [c.native == e.height for c, e in results if e.height and low <= e.confidence < high]
        print(f"confidence {low:.2f} to {min(high, 1):.2f}: {sum(right)} of {len(right)} right")
    print(f"{frame_ms:.0f} ms of CPU time a frame measured alone")
    columns = np.hstack([sample_columns(case.luma) for case in cases[:8]])
    start_s = time.process_time()
    descale_curve(columns, frames=8)
    print(f"{1000 * (time.process_time() - start_s) / 8:.0f} ms of CPU time a frame of a video's 8")


def _print_row(name: str, results: Sequence[tuple[Case, Estimate]]) -> None:
    exact = sum(case.native == e.height for case, e in results)
    none = sum(e.height is None for _, e in results)
    kernel = sum(case.kernel == e.kernel for case, e in results)
    print(f"{name:24}{len(results):6}{exact:7}{none:6}{len(results) - exact - none:7}{kernel:8}")


if __name__ == "__main__":
    main()
