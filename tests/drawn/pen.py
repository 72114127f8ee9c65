"""Curves, and shapes with an outline and two tones."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
Point = tuple[float, float]
Points = NDArray[np.float64]

INK = (38, 26, 44)


def curve(points: Iterable[Point], *, closed: bool = True) -> Points:
    """The points' polygon with its corners cut off three times."""
    found = np.array(list(points), float)
    for _ in range(3):
        following = np.roll(found, -1, axis=0) if closed else found[1:]
        before = found if closed else found[:-1]
        cut = np.stack([0.75 * before + 0.25 * following, 0.25 * before + 0.75 * following], 1).reshape(-1, 2)
        found = cut if closed else np.concatenate([found[:1], cut, found[-1:]])
    return found


class Pen:
    """Draws shapes of a figure whose height is 1 and whose chin is at (0, 0), x to the right, y down."""

    def __init__(self, picture: Picture, place: Point, size: float) -> None:
        self._picture, self._place, self._size = picture, np.array(place), size

    def shape(
        self, points: Sequence[Point], colour: Colour, *, ink: float = 0.006, shade: Point = (-0.03, -0.02)
    ) -> None:
        """A filled outline; a darker tone where the shape moved by `shade` does not cover it."""
        outline = curve(points)
        cv2.fillPoly(self._picture, [self._px(outline)], colour, cv2.LINE_AA, 4)
        rest = np.zeros(self._picture.shape[:2], np.uint8)
        cv2.fillPoly(rest, [self._px(outline)], 255, cv2.LINE_AA, 4)
        cv2.fillPoly(rest, [self._px(outline + shade)], 0, cv2.LINE_AA, 4)
        red, green, blue = colour
        self._picture[rest > 127] = (red * 0.72, green * 0.66, blue * 0.82)
        self._stroke(outline, ink, closed=True)

    def line(self, points: Sequence[Point], ink: float = 0.004, colour: Colour = INK) -> None:
        self._stroke(curve(points, closed=False), ink, colour=colour)

    def disc(self, centre: Point, radii: Point, colour: Colour) -> None:
        angles = np.linspace(0, 2 * np.pi, 32)
        around = np.stack([np.cos(angles), np.sin(angles)], 1) * radii + centre
        cv2.fillPoly(self._picture, [self._px(around)], colour, cv2.LINE_AA, 4)

    def _stroke(self, points: Points, ink: float, *, closed: bool = False, colour: Colour = INK) -> None:
        px = max(1, round(ink * self._size))
        cv2.polylines(self._picture, [self._px(points)], closed, colour, px, cv2.LINE_AA, 4)

    def _px(self, points: Points) -> NDArray[np.int32]:
        """Sixteenths of a px."""
        return np.asarray(np.rint((points * self._size + self._place) * 16), np.int32)
