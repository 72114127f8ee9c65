"""Labelled pictures on one sheet, to be looked at."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from apisr_data.images import Rgb

_GAP_PX, _FONT_PX = 8, 18
_PAPER, _INK = (255, 255, 255), (0, 0, 0)


def grid(cells: Sequence[tuple[str, Rgb]], columns: int) -> Rgb:
    """Pictures of one size, each under its label, in rows of `columns`; an empty place stays paper."""
    height, width = cells[0][1].shape[:2]
    blank = ("", np.full((height, width, 3), _PAPER, np.uint8))
    filled = [*cells, *[blank] * (-len(cells) % columns)]
    rows = [filled[start : start + columns] for start in range(0, len(filled), columns)]
    return beside([beside(_under_labels(row), axis=1) for row in rows], axis=0)


def beside(pictures: Sequence[Rgb], axis: int) -> Rgb:
    """`pictures` along `axis`, with paper between them."""
    shape = list(pictures[0].shape)
    shape[axis] = _GAP_PX
    gap = np.full(shape, _PAPER[0], np.uint8)
    parts = [part for picture in pictures for part in (gap, picture)][1:]
    return np.concatenate(parts, axis=axis)


def magnify(picture: Rgb, size: tuple[int, int]) -> Rgb:
    """`picture` at `size` = (width, height) px with its pixels repeated: nothing is smoothed that it does not hold."""
    return cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST_EXACT).astype(np.uint8, copy=False)


def ink(mask: NDArray[np.bool_]) -> Rgb:
    """A mask (h, w) as black ink on paper: RGB uint8 (h, w, 3)."""
    return np.where(mask[..., None], _INK, _PAPER).astype(np.uint8)


def _under_labels(cells: Sequence[tuple[str, Rgb]]) -> list[Rgb]:
    """Each picture under its label; all labels as high as the highest."""
    labels = [_label(text, picture.shape[1]) for text, picture in cells]
    head = max(drawn.shape[0] for drawn in labels)
    below = [((0, head - drawn.shape[0]), (0, 0), (0, 0)) for drawn in labels]
    padded = [np.pad(drawn, rows, constant_values=_PAPER[0]) for drawn, rows in zip(labels, below, strict=True)]
    return [beside([drawn, picture], axis=0) for drawn, (_, picture) in zip(padded, cells, strict=True)]


def _label(text: str, width: int) -> Rgb:
    """`text` in as many lines of `width` px as it needs; its own line breaks are kept."""
    font = ImageFont.load_default(_FONT_PX)
    lines = [line for part in text.split("\n") for line in _wrapped(part, width, font)]
    height = math.ceil(1.4 * _FONT_PX)
    image = Image.new("RGB", (width, max(1, len(lines)) * height), _PAPER)
    for row, line in enumerate(lines):
        ImageDraw.Draw(image).text((0, row * height), line, _INK, font)
    return np.asarray(image)


def _wrapped(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
