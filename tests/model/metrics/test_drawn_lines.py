"""Lines that are found, moved, missed and invented."""

import cv2
import numpy as np
import pytest

from apisr_model import lines
from apisr_model.metrics import line_f1


def drawing(*, right=True):
    """Grey paper with black lines on the left and, sharp or not, on the right: RGB uint8 (160, 240, 3)."""
    canvas = np.full((160, 240, 3), 200, np.uint8)
    for x in range(20, 240 if right else 120, 40):
        cv2.line(canvas, (x, 15), (x - 8, 145), (20, 20, 20), 2)
    return canvas


def defocused():
    """The drawing, its right half as a lens leaves a background."""
    picture = drawing()
    picture[:, 120:] = cv2.GaussianBlur(picture, (0, 0), 8)[:, 120:]
    return picture


def test_the_ground_truth_has_all_its_lines():
    assert line_f1(drawing(), drawing()) == 1


def test_the_pseudo_ground_truth_has_the_ground_truths_lines():
    assert line_f1(lines.pseudo_gt(drawing()), drawing()) > 0.98


def test_a_line_one_pixel_over_is_the_same_and_one_five_over_is_not():
    assert line_f1(np.roll(drawing(), 1, axis=1), drawing()) > 0.98
    assert line_f1(np.roll(drawing(), 5, axis=1), drawing()) < 0.5


def test_lines_that_are_missed_cost_recall():
    assert line_f1(drawing(right=False), drawing()) == pytest.approx(2 / 3, abs=0.05)  # precision 1, recall 1/2


def test_lines_invented_in_a_defocused_background_are_not_rewarded():
    reference = defocused()
    assert not lines.line_mask(reference)[:, 140:].any()
    left_alone, invented = line_f1(reference, reference), line_f1(drawing(), reference)
    assert left_alone == 1
    assert invented == pytest.approx(2 / 3, abs=0.05)  # precision 1/2, recall 1


def test_a_blurred_result_has_fewer_lines_than_a_sharp_one():
    soft, softer = (cv2.GaussianBlur(drawing(), (0, 0), sigma) for sigma in (1.5, 4))
    assert line_f1(softer, drawing()) < line_f1(soft, drawing()) <= 1


@pytest.mark.parametrize(("result", "expected"), [(np.full((160, 240, 3), 90, np.uint8), 1), (drawing(), 0)])
def test_where_there_are_no_lines_none_is_right_and_any_is_wrong(result, expected):
    assert line_f1(result, np.full((160, 240, 3), 90, np.uint8)) == expected
