"""Small training sets: synthesized pictures and their manifest."""

from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from apisr_data import tables
from apisr_data.images import Rgb, encode_png


def picture(seed: int, size: tuple[int, int] = (64, 48)) -> Rgb:
    """Flat areas with hard outlines, (width, height) px."""
    rng = np.random.default_rng(seed)
    width, height = size
    canvas = np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(12):
        corners = rng.integers(0, max(size), (3, 1, 2)).astype(np.int32)
        cv2.fillPoly(canvas, [corners], rng.integers(0, 256, 3).tolist())
        cv2.polylines(canvas, [corners], True, (20, 20, 20), 1)
    return canvas


def write_manifest(
    folder: Path, pictures: dict[str, Rgb], val: tuple[str, ...] = (), low_res: dict[str, Rgb] | None = None
) -> Path:
    """`folder`/manifest.parquet and the pictures by name beside it, in that order; `time_s` counts them.

    `low_res` are the other halves of real pairs: there is a column `lr_image` where it is given.
    """
    rows = []
    for number, (name, rgb) in enumerate(pictures.items()):
        _write(rgb, folder / name)
        split = "val" if name in val else "train"
        rows.append({"image": name, "split": split, "title": "T", "frame_id": name, "time_s": float(number)})
    table = tables.MANIFEST.rows(rows)
    if low_res is not None:
        for name, rgb in low_res.items():
            _write(rgb, folder / "lr" / name)
        paths = [f"lr/{name}" if name in low_res else None for name in pictures]
        table = table.append_column("lr_image", pa.array(paths, pa.string()))
    tables.write(table, folder / "manifest.parquet")
    return folder / "manifest.parquet"


def _write(rgb: Rgb, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(rgb))


def four_pictures(folder: Path) -> Path:
    """A manifest of a.png, b.png, c.png to train on and v.png to validate with."""
    pictures = {f"{name}.png": picture(number) for number, name in enumerate("abcv")}
    return write_manifest(folder, pictures, val=("v.png",))
