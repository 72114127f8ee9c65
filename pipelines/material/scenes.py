"""Frames put together as a cel lies on a background: layers, outlines, hard shadows, soft shadows, glow, screentone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from material.drawings import Rgba, render
from numpy.typing import NDArray

Canvas = NDArray[np.float32]
"""RGB (h, w, 3) in [0, 1]."""
Mask = NDArray[np.float32]
"""(h, w) in [0, 1]."""

_OVER = 2
"""Frames are painted at twice their size and reduced by area, so that every edge is as smooth as a pen's."""


@dataclass(frozen=True)
class Stock:
    """What a frame may be made of."""

    drawings: tuple[Path, ...]
    weights: tuple[float, ...]
    """How often each is taken."""
    sprites: tuple[Path, ...]
    backgrounds: tuple[Path, ...]


def compose(stock: Stock, seed: int, size: tuple[int, int]) -> tuple[NDArray[np.uint8], list[str]]:
    """Frame number `seed` of (width, height) px, RGB uint8, and the names of what is on it."""
    rng = np.random.default_rng(seed)
    width, height = (side * _OVER for side in size)
    canvas, used = _background(stock, rng, width, height)
    share = np.asarray(stock.weights) / sum(stock.weights)
    if rng.random() < 0.3:  # a row out of focus behind the rest
        for _ in range(int(rng.integers(3, 7))):
            used += _place(canvas, stock.drawings[rng.choice(len(share), p=share)], rng, (0.3, 0.8))
        canvas[:] = cv2.GaussianBlur(canvas, (0, 0), float(rng.uniform(4, 16)))
    for _ in range(int(rng.integers(9, 20))):
        used += _place(canvas, stock.drawings[rng.choice(len(share), p=share)], rng, (0.2, 0.75))
    if stock.sprites and rng.random() < 0.3:
        used += _place(canvas, stock.sprites[rng.integers(len(stock.sprites))], rng, (0.8, 1.4))
    for _ in range(int(rng.poisson(1.5))):
        _strokes(canvas, rng)
    if rng.random() < 0.2:
        _screentone(canvas, rng)
    if rng.random() < 0.25:
        _glow(canvas, rng)
    reduced = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
    return np.rint(reduced.clip(0, 1) * 255).astype(np.uint8), used


def _background(stock: Stock, rng: np.random.Generator, width: int, height: int) -> tuple[Canvas, list[str]]:
    kinds = {"picture": 0.35 if stock.backgrounds else 0.0, "gradient": 0.2, "painted": 0.3, "flat": 0.15}
    kind = rng.choice([*kinds], p=np.array([*kinds.values()]) / sum(kinds.values()))
    if kind == "picture":
        path = stock.backgrounds[rng.integers(len(stock.backgrounds))]
        return _photo(path, rng, width, height), [path.name]
    if kind == "flat":
        level = rng.choice([1.0, 1.0, 0.0, -1.0])
        colour = rng.random(3) if level < 0 else np.full(3, level)
        return np.tile(colour.astype(np.float32), (height, width, 1)), []
    if kind == "gradient":
        stops = rng.random((int(rng.integers(2, 5)), 3)).astype(np.float32)
        column = cv2.resize(stops[:, None], (1, height), interpolation=cv2.INTER_LINEAR)
        return np.ascontiguousarray(np.broadcast_to(column, (height, width, 3))), []
    return _painted(rng, width, height), []


def _photo(path: Path, rng: np.random.Generator, width: int, height: int) -> Canvas:
    """A background picture, a part of it, sometimes mirrored, sometimes out of focus."""
    image = cv2.cvtColor(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    times = max(width / image.shape[1], height / image.shape[0]) * rng.uniform(1, 1.6)
    large = cv2.resize(image, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
    top, left = (int(rng.integers(1 + side - least)) for side, least in zip(large.shape, (height, width), strict=False))
    cut = large[top : top + height, left : left + width, :: int(rng.choice([1, -1]))].astype(np.float32) / 255
    if rng.random() < 0.4:
        cut = cv2.GaussianBlur(cut, (0, 0), float(rng.uniform(2, 14)))
    return np.ascontiguousarray(cut, np.float32)


def _painted(rng: np.random.Generator, width: int, height: int) -> Canvas:
    """Broad areas of a few colours with soft and hard borders, and brush strokes in them: sky, hills, foliage."""
    field = _noise(rng, width, height, (3, 6, 12, 24))
    field += np.linspace(0, rng.uniform(0, 1.5), height, dtype=np.float32)[:, None]
    field = (field - field.min()) / (np.ptp(field) + 1e-6)
    colours = rng.random((6, 3)).astype(np.float32) * 0.8 + 0.1
    place = field * (len(colours) - 1)
    index = place.astype(np.int64).clip(0, len(colours) - 2)
    step = np.clip((place - index - 0.5) * rng.uniform(1, 30) + 0.5, 0, 1)[..., None]
    canvas = colours[index] * (1 - step) + colours[index + 1] * step
    for _ in range(int(rng.integers(0, 60))):
        centre = rng.random(2) * (width, height)
        axes = rng.uniform(10, 120, 2) * (1, rng.uniform(0.1, 1))
        tint = canvas[int(centre[1]), int(centre[0])] + rng.normal(0, 0.06, 3)
        _fill(canvas, _ellipse(centre, axes, rng.uniform(0, 180)), tint.clip(0, 1))
    grain = _noise(rng, width, height, (200, 400)) * rng.uniform(0, 0.03)
    return np.asarray(canvas + grain[..., None], np.float32).clip(0, 1)


def _noise(rng: np.random.Generator, width: int, height: int, cells: Sequence[int]) -> Mask:
    total = np.zeros((height, width), np.float32)
    for place, count in enumerate(cells):
        coarse = rng.normal(0, 1, (count * 9 // 16 + 2, count)).astype(np.float32)
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) / (place + 1)
    return total


def _place(canvas: Canvas, path: Path, rng: np.random.Generator, heights: tuple[float, float]) -> list[str]:
    """Lay a drawing on the canvas, perhaps with a soft shadow under it and a hard one on it."""
    tall, wide = canvas.shape[:2]
    image = _turned(_drawn(path, int(tall * rng.uniform(*heights))), rng)
    rgb, alpha = image[..., :3].astype(np.float32) / 255, image[..., 3].astype(np.float32) / 255
    if rng.random() < 0.2:
        rgb = _recoloured(rgb, rng)
    if rng.random() < 0.35:
        rgb, alpha = _outlined(rgb, alpha, int(rng.integers(1, 6)), rng.random(3) * 0.25)
    if rng.random() < 0.5:
        rgb = _shaded(rgb, rng)
    top, left = int(rng.uniform(-0.3, 0.9) * tall), int(rng.uniform(-0.2, 0.95) * wide)
    if rng.random() < 0.4:
        sigma = float(rng.uniform(6, 30))
        padded = cv2.copyMakeBorder(alpha, 90, 90, 90, 90, cv2.BORDER_CONSTANT)
        shadow = cv2.GaussianBlur(padded, (0, 0), sigma) * rng.uniform(0.2, 0.6)
        shift = int(rng.integers(-60, 60))
        _blend(canvas, np.zeros(3, np.float32), shadow, top - 90 + int(rng.integers(10, 60)), left - 90 + shift)
    _blend(canvas, rgb, alpha, top, left)
    return [path.name]


def _drawn(path: Path, height: int) -> Rgba:
    if path.suffix == ".svg":
        return render(path, height=height)
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    times = height / image.shape[0]
    kernel = cv2.INTER_AREA if times < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(image, None, fx=times, fy=times, interpolation=kernel)
    return np.asarray(cv2.cvtColor(resized, cv2.COLOR_BGRA2RGBA), np.uint8)


def _turned(image: Rgba, rng: np.random.Generator) -> Rgba:
    image = image[:, :: int(rng.choice([1, -1]))]
    angle = float(rng.normal(0, 8))
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    wide, tall = int(height * sine + width * cosine) + 2, int(height * cosine + width * sine) + 2
    matrix[:, 2] += (wide - width) / 2, (tall - height) / 2
    premultiplied = image.astype(np.float32)
    premultiplied[..., :3] *= premultiplied[..., 3:] / 255
    turned = cv2.warpAffine(premultiplied, matrix, (wide, tall), flags=cv2.INTER_LINEAR)
    turned[..., :3] /= np.maximum(turned[..., 3:], 1) / 255
    return turned.clip(0, 255).astype(np.uint8)


def _recoloured(rgb: Canvas, rng: np.random.Generator) -> Canvas:
    """Another hue and strength of colour; black, white and grey stay."""
    hsv = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + rng.uniform(0, 360)) % 360
    hsv[..., 1] = (hsv[..., 1] * rng.uniform(0.4, 1.1)).clip(0, 1)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.float32)


def _outlined(rgb: Canvas, alpha: Mask, px: int, colour: NDArray[Any]) -> tuple[Canvas, Mask]:
    """With a line around it."""
    rgb = cv2.copyMakeBorder(np.ascontiguousarray(rgb), px, px, px, px, cv2.BORDER_CONSTANT)
    alpha = cv2.copyMakeBorder(alpha, px, px, px, px, cv2.BORDER_CONSTANT)
    grown = cv2.dilate(alpha, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * px + 1, 2 * px + 1)))
    grown = np.asarray(cv2.GaussianBlur(grown, (0, 0), 0.7), np.float32)
    whole = rgb * alpha[..., None] + colour.astype(np.float32) * (1 - alpha[..., None])
    return np.asarray(whole, np.float32), np.maximum(grown, alpha)


def _shaded(rgb: Canvas, rng: np.random.Generator) -> Canvas:
    """The second tone of a cel: a hard-edged darker part, with a colour of its own."""
    height, width = rgb.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    angle, bend = rng.uniform(0, 2 * np.pi), rng.uniform(-0.3, 0.3)
    along = (columns / width - 0.5) * np.cos(angle) + (rows / height - 0.5) * np.sin(angle)
    across = (columns / width - 0.5) * np.sin(angle) - (rows / height - 0.5) * np.cos(angle)
    is_dark = along + bend * np.sin(6 * across) > rng.uniform(-0.1, 0.35)
    tone = 1 - rng.uniform(0.1, 0.45) * rng.uniform(0.6, 1, 3)
    shaded = np.where(is_dark[..., None], rgb * tone.astype(np.float32), rgb)
    return np.asarray(shaded, np.float32)


def _strokes(canvas: Canvas, rng: np.random.Generator) -> None:
    """A few long lines that swell and taper, as hair or grass is drawn."""
    height, width = canvas.shape[:2]
    colour = rng.random(3) * rng.choice([0.2, 0.2, 1.0])
    start, heading, spread = rng.random(2) * (width, height), rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 0.5)
    most = rng.uniform(1.5, 9)
    for _ in range(int(rng.integers(3, 30))):
        angles = heading + rng.normal(0, spread) + np.cumsum(rng.normal(0, 0.04, 60))
        steps = rng.uniform(4, 14) * np.stack([np.cos(angles), np.sin(angles)], 1)
        spine = start + rng.normal(0, 60, 2) + np.cumsum(steps, 0)
        half = most * rng.uniform(0.4, 1) / 2 * np.sin(np.linspace(0, np.pi, 60)) ** rng.uniform(0.3, 1)
        aside = np.stack([-np.sin(angles), np.cos(angles)], 1) * half[:, None]
        _fill(canvas, np.concatenate([spine + aside, (spine - aside)[::-1]]), colour)


def _screentone(canvas: Canvas, rng: np.random.Generator) -> None:
    """Dots over a part of the frame."""
    height, width = canvas.shape[:2]
    pitch, radius = rng.uniform(8, 20), rng.uniform(0.15, 0.4)
    top, left = int(rng.uniform(0, 0.6) * height), int(rng.uniform(0, 0.6) * width)
    tall, wide = int(rng.uniform(0.2, 0.5) * height), int(rng.uniform(0.2, 0.5) * width)
    rows, columns = np.mgrid[0:tall, 0:wide].astype(np.float32)
    u, v = (columns + rows) / np.sqrt(2) / pitch % 1 - 0.5, (columns - rows) / np.sqrt(2) / pitch % 1 - 0.5
    dots = np.clip((radius - np.hypot(u, v)) * pitch + 0.5, 0, 1).astype(np.float32) * rng.uniform(0.3, 1)
    _blend(canvas, rng.random(3).astype(np.float32) * 0.3, dots, top, left)


def _glow(canvas: Canvas, rng: np.random.Generator) -> None:
    """Light that spreads from what is bright, and white highlights that stay white."""
    height, width = canvas.shape[:2]
    bright = np.clip(canvas - rng.uniform(0.75, 0.95), 0, 1) * 4
    canvas += cv2.GaussianBlur(bright, (0, 0), float(rng.uniform(8, 30))) * float(rng.uniform(0.1, 0.5))
    for _ in range(int(rng.integers(0, 8))):
        centre = rng.random(2) * (width, height)
        _fill(canvas, _ellipse(centre, rng.uniform(4, 40, 2), rng.uniform(0, 180)), np.ones(3))
    np.clip(canvas, 0, 1, out=canvas)


def _ellipse(centre: NDArray[Any], axes: NDArray[Any], degrees: float) -> NDArray[Any]:
    centre_px, axes_px = tuple(map(int, centre)), tuple(map(int, axes))
    return np.asarray(cv2.ellipse2Poly(centre_px, axes_px, int(degrees), 0, 360, 6), np.float64)


def _fill(canvas: Canvas, polygon: NDArray[Any], colour: NDArray[Any]) -> None:
    points = np.rint(polygon * 16).astype(np.int32)
    cv2.fillPoly(canvas, [points], tuple(map(float, colour)), lineType=cv2.LINE_8, shift=4)


def _blend(canvas: Canvas, rgb: NDArray[np.float32], alpha: Mask, top: int, left: int) -> None:
    """Lay `rgb`, a picture or one colour, on the canvas where it lies inside."""
    height, width = canvas.shape[:2]
    from_top, from_left = max(-top, 0), max(-left, 0)
    tall, wide = min(alpha.shape[0], height - top), min(alpha.shape[1], width - left)
    if tall <= from_top or wide <= from_left:
        return
    share = alpha[from_top:tall, from_left:wide, None]
    part = rgb[from_top:tall, from_left:wide] if rgb.ndim == 3 else rgb
    under = canvas[top + from_top : top + tall, left + from_left : left + wide]
    under += share * (part - under)
