"""The pseudo ground truth against the authors' own output, and what must hold for any drawing."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy import ndimage

from apisr_model import lines
from apisr_model.errors import ShapeError

masks = arrays(np.bool_, st.tuples(st.integers(1, 24), st.integers(1, 24)))


SHARPENED_PART = np.s_[100:196, 200:328]


@pytest.fixture(scope="module", params=[0, 1])
def reference(request, golden):
    """One drawing as RGB, and the masks and sharpenings that the authors' code makes of it."""
    stored = np.load(golden / "pseudo_gt.npz")
    found = {key.removesuffix(f"_{request.param}"): stored[key] for key in stored if key.endswith(f"_{request.param}")}
    image = np.asarray(Image.open(io.BytesIO(found["image"].tobytes())))
    width = image.shape[1]
    unpacked = {key: np.unpackbits(found[key], axis=1, count=width).astype(bool) for key in ("raw", "kept", "lines")}
    return found | unpacked | {"image": image}


def test_masks_are_the_authors_from_the_image(reference):
    steps = lines.enhance(reference["image"], float(reference["gamma"]))
    for mine, theirs in ((steps.lines, "raw"), (steps.kept, "kept"), (steps.dilated, "lines")):
        assert (mine == reference[theirs]).mean() >= 0.999


def test_filter_and_dilation_are_the_authors_to_the_bit(reference):
    kept = lines.filter_outliers(reference["raw"])
    assert np.array_equal(kept, reference["kept"])
    assert np.array_equal(lines.passive_dilate(kept), reference["lines"])


def test_sharpening_is_the_authors_within_one_level(reference):
    steps = lines.enhance(reference["image"], float(reference["gamma"]))
    for mine, theirs in ((steps.rounds[0], "sharp1"), (steps.rounds[2], "sharp3")):
        difference = np.abs(mine[SHARPENED_PART].astype(int) - reference[theirs])
        assert difference.max() <= 1
        assert (difference > 0).mean() < 1e-3


def test_lines_come_from_the_third_round_and_all_else_from_the_drawing(reference):
    steps = lines.enhance(reference["image"])
    assert np.array_equal(steps.result[steps.dilated], steps.rounds[2][steps.dilated])
    assert np.array_equal(steps.result[~steps.dilated], reference["image"][~steps.dilated])
    assert np.array_equal(lines.pseudo_gt(reference["image"]), steps.result)
    assert np.array_equal(lines.line_mask(reference["image"]), steps.dilated)


def test_a_larger_gamma_finds_more_lines(reference):
    found = [lines.enhance(reference["image"], gamma).lines.sum() for gamma in (0.97, 0.975, 0.98)]
    assert found == sorted(found)
    assert found[0] < found[-1]


@given(masks, st.integers(1, 9))
def test_a_component_is_kept_by_its_size(mask, min_px):
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    expected = np.isin(labels, [n for n in range(1, count + 1) if (labels == n).sum() >= min_px])
    assert np.array_equal(lines.filter_outliers(mask, min_px), expected)


@given(masks)
def test_dilation_counts_neighbours_and_nothing_outside(mask):
    neighbours = ndimage.convolve(mask.astype(int), np.ones((3, 3)), mode="constant") - mask
    assert np.array_equal(lines.passive_dilate(mask), mask | (neighbours >= 3))


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_picture_has_no_lines(level):
    flat = np.full((40, 60, 3), level, np.uint8)
    assert not lines.line_mask(flat).any()
    assert np.array_equal(lines.pseudo_gt(flat), flat)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 90, 3), (90, 1, 3), (7, 5, 3)])
def test_pictures_smaller_than_the_unsharp_mask_are_taken(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    assert lines.pseudo_gt(picture).shape == shape


@pytest.mark.parametrize("array", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)])
def test_what_is_no_picture_is_refused(array):
    with pytest.raises(ShapeError, match="RGB uint8"):
        lines.pseudo_gt(array)
