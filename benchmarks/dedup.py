"""Near duplicates among a million frames: hashes searched, then confirmed on thumbnails, timed apart.

    python benchmarks/dedup.py [--frames 1000000] [--distances 3 6 7]

The uniform hashes are random. The crowded ones are like real ones: 40% lie in clumps of up to 2,000 frames (Zipf)
whose members differ in some of ten weak bits, and two tenths share one 16-bit band each. To confirm, each clump has
thumbnails of one picture at several JPEG qualities, decoded as the stage does.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from apisr_data import config, tables
from apisr_data.dataset import create_dataset
from apisr_data.stages import Silence
from apisr_data.stages.dedup.clusters import cluster
from apisr_data.stages.dedup.hash_pairs import near_pairs
from apisr_data.stages.dedup.stored_grids import StoredGrids


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--distances", type=int, nargs="+", default=[3, 6, 7])
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    count = arguments.frames
    for name, (frames, pictures) in (
        ("uniform", (uniform(count, rng), np.arange(count))),
        ("crowded", crowded(count, rng)),
    ):
        hashes, hash_of, counts = np.unique(frames, return_inverse=True, return_counts=True)
        for distance in arguments.distances:
            what = f"{name}, {len(frames):,} frames, {len(hashes):,} hashes, distance {distance}"
            with timed(f"{what}: searched"):
                pairs = near_pairs(hashes, distance)
            print(f"    {len(pairs[0]):,} pairs of hashes")
            confirm(what, pictures, hash_of, counts, pairs)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


def confirm(
    what: str,
    pictures: NDArray[np.int64],
    hash_of: NDArray[np.int64],
    counts: NDArray[np.int64],
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> None:
    """Time the decoding of the candidates' thumbnails and the comparisons."""
    has_company = counts > 1
    has_company[np.concatenate(pairs)] = True
    numbers = np.flatnonzero(has_company[hash_of])
    position = np.cumsum(has_company) - 1
    jpegs = [[jpeg(seed, quality) for quality in (75, 85, 95)] for seed in range(64)]
    with tempfile.TemporaryDirectory() as folder:
        dataset = create_dataset(Path(folder) / "dataset")
        dataset.put_in_force("extract", config.Extract(), "e" * 12)
        source = {"video_id": "v", "path": "/v.mkv", "kind": "video"}
        dataset.write_table(tables.SOURCES, tables.SOURCES.rows([source]), "")
        tables.write(tables.VIDEOS.rows([{"video_id": "v", "status": "done"}]), dataset.part("videos", "v"))
        frame_ids = pa.chunked_array([pa.array([f"v-{n}" for n in numbers], pa.string())])
        with tables.PartWriter(tables.THUMBNAILS, dataset.part("thumbnails", "v"), rows_held=8192) as part:
            for n in numbers.tolist():
                part.add({"frame_id": f"v-{n}", "video_id": "v", "jpeg": jpegs[pictures[n] % 64][n % 3]})
        dataset.refresh()
        with timed(f"{what}: {len(numbers):,} thumbnails decoded"):
            grids = StoredGrids(dataset, frame_ids, Silence())
        with grids, timed(f"{what}: confirmed"):
            near = (position[pairs[0]], position[pairs[1]])
            found = cluster(position[hash_of[numbers]], near, grids.differences, 12.0)
        dropped = int((found.kept != np.arange(len(found.kept))).sum())
        print(f"    {found.comparisons:,} pairs of thumbnails compared, {dropped:,} frames dropped")


def uniform(count: int, rng: np.random.Generator) -> NDArray[np.uint64]:
    return rng.integers(0, 2**64, count, np.uint64)


def crowded(count: int, rng: np.random.Generator) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Hashes and the number of the picture that each is of."""
    hashes = uniform(count, rng)
    in_clumps, in_band = count * 4 // 10, count // 10
    sizes = np.minimum(rng.zipf(1.6, in_clumps), 2000)
    clump = np.repeat(np.arange(len(sizes)), sizes)[:in_clumps]
    weak_bits = rng.integers(0, 64, (len(sizes), 10)).astype(np.uint64)
    hashes[:in_clumps] = uniform(len(sizes), rng)[clump]
    for bit in range(10):
        hashes[:in_clumps] ^= (rng.random(in_clumps) < 0.15).astype(np.uint64) << weak_bits[clump, bit]
    first, second = slice(in_clumps, in_clumps + in_band), slice(in_clumps + in_band, in_clumps + 2 * in_band)
    hashes[first] &= np.uint64(0x0000_FFFF_FFFF_FFFF)
    hashes[second] |= np.uint64(0xFFFF)
    return hashes, np.concatenate([clump, np.arange(in_clumps, count)])


def jpeg(seed: int, quality: int) -> bytes:
    luma = np.random.default_rng(seed).integers(0, 256, (9, 16, 3), np.uint8)
    rgb = cv2.resize(luma, (256, 144), interpolation=cv2.INTER_CUBIC)
    return bytes(cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())


@contextmanager
def timed(what: str) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    print(f"{what}: {time.perf_counter() - wall:.1f} s, {time.process_time() - cpu:.1f} s of CPU time", flush=True)


if __name__ == "__main__":
    main()
