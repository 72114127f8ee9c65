"""Where a chosen frame is cut and scaled (the plan), and the image that comes of it."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from apisr_data import config, images
from apisr_data.colour import honoured_aspect

Borders = tuple[int, int, int, int]
"""Left, top, right and bottom border, px."""


@dataclass(frozen=True)
class Geometry:
    """How an image is made of a displayed frame: cut, scaled, and cut again around the centre; px."""

    crop_left: int
    crop_top: int
    crop_width: int
    crop_height: int
    scaled_width: int
    scaled_height: int
    width: int
    height: int
    kernel: images.Kernel | Literal["none"]


def displayed_borders(coded: Borders, *, sample_aspect_ratio: float, rotation: int) -> Borders:
    """Borders of the displayed frame from those of the coded picture, in px, rounded up.

    The axis that the sample aspect ratio enlarges is scaled; then the picture is turned by `rotation`, clockwise.
    """
    ratio = float(honoured_aspect(Fraction(sample_aspect_ratio)))
    wide, tall = max(1.0, ratio), max(1.0, 1 / ratio)
    left, top, right, bottom = (math.ceil(px * by) for px, by in zip(coded, (wide, tall, wide, tall), strict=True))
    turns = {0: (left, top, right, bottom), 90: (bottom, left, top, right)}
    turns |= {180: (right, bottom, left, top), 270: (top, right, bottom, left)}
    return turns[rotation % 360]


def plan(size: tuple[int, int], borders: Borders, target_height: int, settings: config.Rescale) -> Geometry | str:
    """Where a displayed frame of `size` = (width, height) px is cut and scaled, or why it is refused.

    The scale comes from the height with the borders: letterboxed art was drawn at the scale of the whole frame. A frame
    that is not higher than `target_height` keeps its scale. The last cut, to a multiple, is around the centre.
    """
    width, height = size
    left, top, right, bottom = borders if settings.crop_borders else (0, 0, 0, 0)
    if height < target_height and settings.below == "refuse":
        return f"{height} px high, below {target_height}"
    crop_width, crop_height = width - left - right, height - top - bottom
    scale = min(1.0, target_height / height)
    # The authors' script truncates the width; so does their kernel here, to give their pixels.
    scaled_width = int(crop_width * scale) if settings.kernel == "paper" else round(crop_width * scale)
    scaled_height = round(crop_height * scale)
    unit = settings.multiple_of
    if scaled_width < unit or scaled_height < unit:
        return f"{scaled_width}x{scaled_height} px without its borders"
    return Geometry(
        left, top, crop_width, crop_height,
        scaled_width, scaled_height,
        scaled_width // unit * unit, scaled_height // unit * unit,
        settings.kernel if scale < 1 else "none",
    )  # fmt: skip


def render(frame: images.Rgb, geometry: Geometry) -> images.Rgb:
    """The image that `geometry` makes of a displayed frame; (h, w, 3) RGB."""
    g = geometry
    cut = frame[g.crop_top : g.crop_top + g.crop_height, g.crop_left : g.crop_left + g.crop_width]
    if g.kernel != "none":
        cut = images.resize(cut, (g.scaled_width, g.scaled_height), g.kernel)
    top, left = (g.scaled_height - g.height) // 2, (g.scaled_width - g.width) // 2
    return cut[top : top + g.height, left : left + g.width]
