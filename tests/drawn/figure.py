"""Somebody with large eyes."""

from dataclasses import dataclass

import numpy as np

from tests.drawn.pen import INK, Colour, Pen, Picture, Point


@dataclass(frozen=True)
class Figure:
    """Where the chin is and how tall the figure, in px; and its colours."""

    chin: Point
    height: float
    skin: Colour
    hair: Colour
    cloth: Colour
    eyes: Colour


def draw_figure(picture: Picture, figure: Figure, step: int) -> None:
    """Draw it from the knees up; its hair moves and its mouth opens and shuts with the `step`."""
    skin, hair, cloth = figure.skin, figure.hair, figure.cloth
    pen, sway = Pen(picture, figure.chin, figure.height), 0.008 * np.sin(step / 2.5)
    locks = [(-0.16 + sway, 0.42), (-0.19, 0.0), (-0.15, -0.28), (0.0, -0.37), (0.15, -0.28), (0.19, 0.0)]
    pen.shape([*locks, (0.17 + sway, 0.44), (0.1, 0.30), (0.0, 0.34), (-0.09, 0.28)], hair, shade=(-0.05, 0.0))
    pen.shape([(-0.05, -0.05), (0.05, -0.05), (0.06, 0.12), (-0.06, 0.12)], skin, shade=(0, 0.06))
    pen.shape(
        [(-0.07, 0.06), (0.07, 0.06), (0.22, 0.12), (0.2, 0.5), (0.32, 1.0), (-0.32, 1.0), (-0.2, 0.5), (-0.22, 0.12)],
        cloth,
    )
    for x, y, bend in ((-0.12, 0.45, -0.05), (-0.02, 0.5, 0.02), (0.09, 0.45, 0.06), (0.15, 0.6, 0.07)):
        pen.line([(x, y), (x + bend / 3, y + 0.2), (x + bend, y + 0.5)])
    pen.shape([(-0.22, 0.12), (-0.13, 0.14), (-0.1, 0.5), (0.06, 0.56), (0.04, 0.61), (-0.2, 0.56)], skin)
    pen.shape([(0.22, 0.12), (0.13, 0.14), (0.12, 0.5), (-0.04, 0.52), (-0.04, 0.57), (0.2, 0.58)], skin)
    pen.shape(
        [(-0.14, -0.2), (0.0, -0.3), (0.14, -0.2), (0.13, -0.05), (0.03, 0.03), (-0.03, 0.03), (-0.13, -0.05)], skin
    )
    for side in (-1, 1):
        x = 0.065 * side
        pen.disc((x, -0.09), (0.037, 0.047), (250, 250, 252))
        pen.disc((x + 0.004, -0.088), (0.027, 0.043), figure.eyes)
        pen.disc((x + 0.004, -0.084), (0.013, 0.022), INK)
        pen.disc((x - 0.008, -0.107), (0.009, 0.012), (255, 255, 255))
        pen.line([(x - 0.042, -0.11), (x - 0.02, -0.142), (x + 0.02, -0.142), (x + 0.042, -0.11)], 0.010)
        pen.line([(x - 0.035, -0.175), (x, -0.19), (x + 0.035, -0.178)], 0.003)
    pen.line([(0.004, -0.055), (0.010, -0.035), (0.002, -0.032)], 0.0025)
    pen.disc((0.0, -0.008), (0.016, 0.003 + 0.006 * (step // 2 % 3)), (176, 64, 72))
    fringe = [(-0.17, 0.02), (-0.17, -0.22), (0.0, -0.36), (0.17, -0.22), (0.17, 0.02), (0.13, -0.1), (0.11, -0.17)]
    pen.shape(
        [*fringe, (0.06, -0.12), (0.03, -0.19), (-0.03, -0.12), (-0.05, -0.19), (-0.1, -0.1), (-0.14, -0.14)], hair
    )
    for x in (-0.11, -0.05, 0.02, 0.08):
        pen.line([(x, -0.3 + abs(x)), (x * 1.2, -0.24), (x * 1.3 + sway, -0.17)], 0.0025)
    pen.line([(-0.1, -0.24), (-0.02, -0.27), (0.08, -0.25)], 0.011, (255, 244, 226))
