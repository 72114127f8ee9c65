"""The picture that the README opens with, from what `make demo` made: `python docs/opening.py DEMO OUT.webp`.

Above a part of the held-out scene, reduced to half and enlarged again; below every I-frame with its verdict.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from apisr_data.dataset import open_dataset
from apisr_data.images import Rgb, decode, read, resize
from apisr_model import checkpoint
from apisr_model.sheet import beside, grid, magnify
from apisr_model.upscale import upscale_image

_FACE = np.s_[44:204, 360:560]  # rows and columns of the held-out scene
_FACE_PX, _THUMBNAIL_PX = (400, 320), (298, 168)  # as shown; three of the one and four of the other fill a row

_FRAMES = """
    SELECT time_s, complexity, is_kept, reason, jpeg
    FROM frames JOIN scores USING (frame_id) JOIN selection USING (frame_id) JOIN thumbnails USING (frame_id)
    ORDER BY time_s LIMIT 8
"""


def before_and_after(demo: Path) -> Rgb:
    """The held-out scene as input, plain resize and the network's result."""
    scene = read(next((demo / "training-set" / "val").iterdir()))
    height, width = scene.shape[:2]
    small = resize(scene, (width // 2, height // 2), "area")
    network = checkpoint.load(demo / "train-quick" / "network.safetensors")
    after = upscale_image(network, small).astype(np.uint8, copy=False)
    shown = {
        "before: the input": magnify(small, (width, height)),
        "a plain resize (bicubic)": resize(small, (width, height), "paper"),
        "after: a network trained for a minute": after,
    }
    return grid([(label, magnify(picture[_FACE], _FACE_PX)) for label, picture in shown.items()], len(shown))


def contact_sheet(demo: Path) -> Rgb:
    """Every I-frame in time order under its verdict; those that were dropped are pale."""
    cells = []
    for time_s, complexity, is_kept, reason, jpeg in open_dataset(demo / "dataset").sql(_FRAMES).fetchall():
        thumbnail = resize(decode(jpeg), _THUMBNAIL_PX, "area")
        if is_kept:
            cells.append((f"{time_s:.1f} s: kept, complexity {complexity:.2f}", thumbnail))
        else:
            cells.append((f"{time_s:.1f} s: dropped, {reason.partition(' of ')[0]}", thumbnail // 3 + 170))
    return grid(cells, 4)


def main() -> None:
    """Draw it."""
    demo, target = map(Path, sys.argv[1:])
    sheet = beside([before_and_after(demo), contact_sheet(demo)], axis=0)
    framed = np.pad(sheet, ((16, 16), (16, 16), (0, 0)), constant_values=255)  # on a dark page it has a rim
    Image.fromarray(framed).save(target, quality=82, method=6)
    print(f"{target}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
