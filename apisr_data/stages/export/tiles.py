"""The most complex tiles of an image."""

import cv2
import numpy as np

from apisr_data.images import Rgb

STEP_PX = 8
MAX_OVERLAP = 0.25
"""Share of a tile's area that it may have in common with one that was taken before it."""


def complex_tiles(image: Rgb, side: int, count: int) -> list[tuple[int, int]]:
    """(left, top) in px of up to `count` tiles of `side` px, the most complex first; none where the image is smaller.

    Complexity is the mean Sobel magnitude of the luma, taken of every tile on a grid of 8 px by an integral image; a
    tile that overlaps an earlier one by more than a quarter is passed over.
    """
    height, width = image.shape[:2]
    if min(height, width) < side:
        return []
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    across, down = (cv2.Sobel(luma, cv2.CV_32F, dx, 1 - dx) for dx in (1, 0))
    total = cv2.integral(cv2.magnitude(across, down))
    tops, lefts = np.arange(0, height - side + 1, STEP_PX), np.arange(0, width - side + 1, STEP_PX)
    corner = total[np.ix_(tops, lefts)] + total[np.ix_(tops + side, lefts + side)]
    energy = corner - total[np.ix_(tops, lefts + side)] - total[np.ix_(tops + side, lefts)]
    taken: list[tuple[int, int]] = []
    while len(taken) < count and np.isfinite(energy).any():
        row, column = np.unravel_index(int(energy.argmax()), energy.shape)
        left, top = int(lefts[column]), int(tops[row])
        taken.append((left, top))
        common = np.outer(np.clip(side - abs(tops - top), 0, None), np.clip(side - abs(lefts - left), 0, None))
        energy[common > MAX_OVERLAP * side * side] = -np.inf
    return taken
