"""How well a result's drawn lines are those of the pseudo ground truth."""

import cv2
import numpy as np

from apisr_data.images import Rgb
from apisr_model import lines
from apisr_model.metrics.record import check_pair

_NEAR = np.ones((3, 3), np.uint8)


def line_f1(result: Rgb, reference: Rgb) -> float:
    """F1 in 0..1 of the result's line mask against that of the reference's pseudo ground truth, within 1 px.

    Precision is the share of the result's line pixels with one of the other mask among their 8 neighbours or on the
    spot, recall the share of the other mask's with one of the result's: a line one px over is the same line, a line
    drawn into a defocused background is a false one. 1 where neither has a line. `reference` is the raw ground truth.

    Raises:
        ShapeError: not RGB uint8 (h, w, 3), or of different sizes.
    """
    check_pair("line_f1", result, reference)
    found, wanted = lines.line_mask(result), lines.line_mask(reference)
    if not found.any() or not wanted.any():
        return float(found.any() == wanted.any())
    precision, recall = _share_near(found, wanted), _share_near(wanted, found)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _share_near(mask: lines.Mask, other: lines.Mask) -> float:
    """The share of `mask` that lies on `other` or beside it."""
    near = cv2.dilate(other.view(np.uint8), _NEAR) > 0
    return float((mask & near).sum() / mask.sum())
