"""Peak memory of a 3840x2160 picture made four times as large, in tiles, against what the whole of it would need.

    python benchmarks/picture_memory.py [SIDE]     SIDE: of the tiles, px; default: automatic

The network is a Compact of 16 features and 2 convolutions: what is measured is the pictures, and tiles of any network
are bounded by the memory that is free. Whole, even this one's tensors alone exceed many machines.
"""

import resource
import sys
import time

import numpy as np

from apisr_model import architectures
from apisr_model.network import Network
from apisr_model.upscale import memory
from apisr_model.upscale.image import upscale_image

WIDTH, HEIGHT, SCALE = 3840, 2160, 4


def peak_gb() -> float:
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib * (1 if sys.platform == "darwin" else 1024) / 1e9


def main() -> None:
    tile = int(sys.argv[1]) if len(sys.argv) > 1 else None
    module = architectures.build("compact", features=16, convolutions=2, scale=SCALE).eval()
    network = Network(module, "compact", SCALE, overlap_px=4)
    whole_gb = memory.bytes_per_px(network, 64) * WIDTH * HEIGHT / 1e9
    picture = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    before, start = peak_gb(), time.process_time()
    result = upscale_image(network, picture, tile)
    print(f"{WIDTH}x{HEIGHT} -> {result.shape[1]}x{result.shape[0]}: {result.nbytes / 1e9:.2f} GB of pixels")
    print(f"peak {peak_gb() - before:.2f} GB above the {before:.2f} GB before, {time.process_time() - start:.0f} s CPU")
    print(f"whole: about {whole_gb:.1f} GB of tensors, {whole_gb / (peak_gb() - before):.1f} times the peak in tiles")


if __name__ == "__main__":
    main()
