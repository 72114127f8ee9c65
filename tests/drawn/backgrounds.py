"""What stands behind the figures, painted in strokes or ruled; RGB, larger than what the camera sees by `MARGIN`."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.drawn.pen import INK, Colour, Picture, curve

Background = Callable[[np.random.Generator], Picture]

WIDTH, HEIGHT = 2560, 1440
"""Of what the camera sees."""
MARGIN = 96
"""Px around it, for the camera to move in."""


def hills(rng: np.random.Generator) -> Picture:
    picture = _gradient((70, 140, 226), (206, 232, 250))
    _clouds(rng, picture)
    _ridge(rng, picture, 0.55, (120, 160, 178), 500, 0.1)
    _ridge(rng, picture, 0.64, (96, 158, 104), 1500, 0.4)
    for x in range(80, picture.shape[1], 330):
        _tree(rng, picture, (x + int(rng.integers(-80, 80)), 1080), int(rng.integers(150, 300)), (86, 138, 62))
    _ridge(rng, picture, 0.74, (132, 186, 84), 5000, -1.4)
    return picture


def town(rng: np.random.Generator) -> Picture:
    picture = _gradient((104, 176, 238), (230, 240, 250))
    _clouds(rng, picture)
    _houses(rng, picture, is_night=False)
    picture[1240:] = (150, 146, 152)
    road = np.zeros(picture.shape[:2], np.uint8)
    road[1240:] = 255
    _strokes(rng, picture, road, 1500, 80, 0.0)
    for y in (180, 230, 262):
        wire = curve([(0, y), (1300, y + 130), (2800, y - 40)], closed=False)
        cv2.polylines(picture, [wire.astype(np.int32)], False, INK, 4, cv2.LINE_AA)
    return picture


def night(rng: np.random.Generator) -> Picture:
    picture = _gradient((12, 16, 52), (64, 52, 110))
    for _ in range(400):
        x, y = int(rng.integers(picture.shape[1])), int(rng.integers(900))
        cv2.circle(picture, (x, y), int(rng.integers(1, 5)), (236, 236, 255), -1, cv2.LINE_AA)
    glow = np.zeros(picture.shape[:2], np.float32)
    cv2.circle(glow, (2050, 330), 190, 0.6, -1)
    share = cv2.GaussianBlur(glow, (0, 0), 70)[..., None]
    picture[:] = picture * (1 - share) + np.array((250, 240, 200)) * share
    cv2.circle(picture, (2050, 330), 130, (255, 250, 224), -1, cv2.LINE_AA)
    _houses(rng, picture, is_night=True)
    picture[1240:] = (24, 24, 44)
    return picture


def room(rng: np.random.Generator) -> Picture:
    picture = _gradient((236, 214, 180), (196, 160, 130))
    height, width = picture.shape[:2]
    picture[1250:] = (158, 106, 70)
    for x in range(-2400, width + 2400, 130):
        cv2.line(picture, (width // 2 + (x - width // 2) // 3, 1250), (x, height), (96, 58, 40), 4, cv2.LINE_AA)
    cv2.rectangle(picture, (1700, 200), (2500, 900), (196, 228, 250), -1)
    _clouds(rng, picture[210:890, 1710:2490])
    for x in (1700, 1966, 2233, 2500):
        cv2.line(picture, (x, 200), (x, 900), (120, 78, 52), 16, cv2.LINE_AA)
    cv2.rectangle(picture, (1700, 200), (2500, 900), (120, 78, 52), 22, cv2.LINE_AA)
    for shelf in range(240, 1200, 230):
        x = 120
        while x < 1000:
            thick, tall = int(rng.integers(16, 46)), int(rng.integers(130, 200))
            colour = rng.integers(40, 230, 3).tolist()
            cv2.rectangle(picture, (x, shelf + 210 - tall), (x + thick, shelf + 210), colour, -1)
            cv2.rectangle(picture, (x, shelf + 210 - tall), (x + thick, shelf + 210), INK, 3, cv2.LINE_AA)
            cv2.line(picture, (x + 5, shelf + 190), (x + thick - 5, shelf + 190), (240, 220, 160), 3, cv2.LINE_AA)
            x += thick
        cv2.rectangle(picture, (100, shelf + 210), (1060, shelf + 226), (104, 66, 44), -1)
    return picture


def screentone(_rng: np.random.Generator) -> Picture:
    """A screentone: dots on a grid at 45 degrees whose size grows downwards."""
    picture = _gradient((244, 244, 244), (222, 222, 222))
    height, width = picture.shape[:2]
    for row, y in enumerate(range(0, height, 11)):
        radius = 0.5 + 5 * y / height
        for x in range(11 * (row % 2), width, 22):
            cv2.circle(picture, (x * 16, y * 16), int(radius * 16), (70, 70, 74), -1, cv2.LINE_AA, 4)
    return picture


def speed_lines(rng: np.random.Generator) -> Picture:
    """Speed lines from all sides towards the middle."""
    picture = _gradient((250, 236, 190), (244, 150, 90))
    height, width = picture.shape[:2]
    for angle in rng.uniform(0, 2 * np.pi, 420):
        toward = np.array([np.cos(angle), np.sin(angle)])
        start, end = np.array([width / 2, height / 2]) + toward * np.array([[rng.uniform(420, 900)], [2200]])
        side = toward[::-1] * (-1, 1) * rng.uniform(2, 14)
        wedge = np.array([start, end - side, end + side])
        cv2.fillPoly(
            picture,
            [(wedge * 16).astype(np.int32)],
            (255, 255, 250) if rng.random() < 0.4 else (90, 30, 30),
            cv2.LINE_AA,
            4,
        )
    return picture


def _gradient(top: Colour, bottom: Colour) -> Picture:
    height, width = HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN
    share = np.linspace(0, 1, height)[:, None]
    column = np.array(top) * (1 - share) + np.array(bottom) * share
    return np.repeat(column[:, None].astype(np.uint8), width, axis=1)


def _cloudiness(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Noise of five octaves, mean 0 and deviation 1."""
    height, width = shape[:2]
    grids = [rng.normal(size=(3 * 2**n, 5 * 2**n)).astype(np.float32) / 1.7**n for n in range(1, 6)]
    octaves = [cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) for grid in grids]
    found = np.sum(octaves, axis=0, dtype=np.float32)
    return np.asarray((found - found.mean()) / found.std(), np.float32)


def _clouds(rng: np.random.Generator, picture: Picture) -> None:
    """Two flat tones with soft inner and hard outer edges."""
    noise = _cloudiness(rng, picture.shape)
    for level, colour in ((0.5, (214, 226, 244)), (0.8, (252, 252, 255))):
        share = np.clip((noise - level) * 12, 0, 1)[..., None]
        picture[:] = picture * (1 - share) + np.array(colour) * share


def _strokes(rng: np.random.Generator, picture: Picture, where: Picture, count: int, length: int, lean: float) -> None:
    """Brush strokes of nearly the colour below them, where the mask is set."""
    rows, columns = np.nonzero(where)
    for index in rng.integers(len(rows), size=count):
        x, y = int(columns[index]), int(rows[index])
        colour = np.clip(picture[y, x] * rng.uniform(0.8, 1.25) + rng.normal(0, 7, 3), 0, 255)
        angle, reach = rng.normal(lean, 0.35), length * rng.uniform(0.4, 1.2)
        end = (int(x + reach * np.cos(angle)), int(y + reach * np.sin(angle)))
        cv2.line(picture, (x, y), end, colour.tolist(), int(rng.integers(2, 9)), cv2.LINE_AA)


def _ridge(rng: np.random.Generator, picture: Picture, level: float, colour: Colour, count: int, lean: float) -> None:
    """A painted hill line across the picture, `level` of its height down."""
    height, width = picture.shape[:2]
    across = np.linspace(0, width, 40)
    line = level * height + sum(
        rng.uniform(10, 60) / n * np.sin(across / 400 * n + rng.uniform(0, 7)) for n in (1, 2, 5)
    )
    outline = np.concatenate([np.stack([across, line], 1), [[width, height], [0, height]]]).astype(np.int32)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [outline], 255)
    picture[mask > 0] = colour
    _strokes(rng, picture, mask, count, 46, lean)


def _tree(rng: np.random.Generator, picture: Picture, foot: tuple[int, int], size: int, colour: Colour) -> None:
    x, y = foot
    cv2.line(picture, (x, y), (x + size // 10, y - size), (84, 60, 48), size // 12, cv2.LINE_AA)
    for tone in (0.6, 0.8, 1.0, 1.25):
        for _ in range(150):
            dx, dy = rng.normal(0, size / 3.2, 2) - size * (tone - 0.8) * 0.3
            axes = (int(rng.integers(4, size // 9)), int(rng.integers(3, size // 14)))
            centre = (int(x + dx), int(y - size * 1.1 + 0.7 * dy))
            shade = tuple(min(255.0, part * tone * rng.uniform(0.9, 1.1)) for part in colour)
            cv2.ellipse(picture, centre, axes, rng.uniform(0, 180), 0, 360, shade, -1, cv2.LINE_AA)


def _houses(rng: np.random.Generator, picture: Picture, *, is_night: bool) -> None:
    left = 0
    while left < picture.shape[1]:
        width, top = int(rng.integers(220, 420)), int(rng.integers(250, 700))
        wall = rng.integers(20, 50, 3) if is_night else rng.integers(150, 245, 3)
        cv2.rectangle(picture, (left, top), (left + width, 1240), wall.tolist(), -1)
        cv2.rectangle(picture, (left, top), (left + width // 5, 1240), (wall * 0.75).tolist(), -1)
        for y in range(top + 40, 1150, 90):
            for x in range(left + 24, left + width - 50, 74):
                is_lit = rng.random() < 0.35
                glass = (255, 222, 140) if is_night and is_lit else (28, 34, 60) if is_night else (112, 150, 188)
                cv2.rectangle(picture, (x, y), (x + 44, y + 56), glass, -1)
                cv2.rectangle(picture, (x, y), (x + 44, y + 56), INK, 3, cv2.LINE_AA)
                cv2.line(picture, (x + 22, y), (x + 22, y + 56), INK, 2, cv2.LINE_AA)
                cv2.line(
                    picture, (x + 5, y + 40), (x + 30, y + 8), [min(255, part + 40) for part in glass], 3, cv2.LINE_AA
                )
        cv2.rectangle(picture, (left, top), (left + width, 1240), INK, 5, cv2.LINE_AA)
        sign = str(rng.choice(["BOOKS", "CAFE 24", "RAMEN", "No. 7", "Flowers", "TEA"]))
        cv2.rectangle(picture, (left + 20, 1080), (left + 200, 1140), rng.integers(60, 255, 3).tolist(), -1)
        cv2.putText(picture, sign, (left + 30, 1124), cv2.FONT_HERSHEY_DUPLEX, 1.2, (255, 255, 255), 3, cv2.LINE_AA)
        left += width
