"""The batched pseudo ground truth against that of single pictures, on torch's CPU."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from apisr_model import lines, lines_torch
from apisr_model.errors import ShapeError
from tests.model.manifests import picture


def tensor(*pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2).copy()).float() / 255


def test_masks_are_the_authors_from_the_image(golden):
    stored = np.load(golden / "pseudo_gt.npz")
    for number in (0, 1):
        drawing = np.asarray(Image.open(io.BytesIO(stored[f"image_{number}"].tobytes())))
        theirs = np.unpackbits(stored[f"lines_{number}"], axis=1, count=drawing.shape[1]).astype(bool)
        mask = lines_torch.line_mask(tensor(drawing), float(stored[f"gamma_{number}"]))
        assert (mask[0].numpy() == theirs).mean() >= 0.999
        assert (mask[0].numpy() == lines.line_mask(drawing, float(stored[f"gamma_{number}"]))).mean() >= 0.9999


def test_each_image_of_a_batch_has_its_own_gamma_and_its_own_greatest_difference():
    drawings = [picture(1, (160, 120)), picture(2, (160, 120)) // 2, np.zeros((120, 160, 3), np.uint8)]
    gammas = [0.97, 0.98, 0.975]
    made = lines_torch.pseudo_gt(tensor(*drawings), torch.tensor(gammas)).mul(255)
    for ours, drawing, gamma in zip(made, drawings, gammas, strict=True):
        expected = lines.pseudo_gt(drawing, gamma)
        difference = np.abs(ours.permute(1, 2, 0).numpy() - expected)
        assert difference.max() <= 1.01
        assert (difference > 0.01).mean() < 1e-3


def test_what_is_no_line_is_the_drawing_itself():
    images = torch.rand(1, 3, 60, 60, generator=torch.Generator().manual_seed(0)) * 0.02 + 0.5
    images[:, :, 10:50, 30] = 0
    mask = lines_torch.line_mask(images)[:, None].expand_as(images)
    made = lines_torch.pseudo_gt(images)
    assert torch.equal(made[~mask], images[~mask])
    levels = made[mask] * 255
    assert levels.numel()
    assert (levels - levels.round()).abs().max() < 1e-4


@settings(max_examples=150, deadline=None)
@given(
    arrays(np.bool_, st.tuples(st.just(2), st.integers(1, 40), st.integers(1, 40))),
    st.integers(1, 40),
    st.integers(1, 9),
)
def test_filter_and_dilation_are_those_of_single_masks(masks, min_px: int, min_neighbours: int):
    kept = lines_torch.filter_outliers(torch.from_numpy(masks), min_px).numpy()
    grown = lines_torch.passive_dilate(torch.from_numpy(masks), min_neighbours).numpy()
    for place, mask in enumerate(masks):
        assert np.array_equal(kept[place], lines.filter_outliers(mask, min_px))
        assert np.array_equal(grown[place], lines.passive_dilate(mask, min_neighbours))


@pytest.mark.parametrize("length", [31, 32, 33, 400])
def test_a_winding_line_is_measured_to_its_end(length: int):
    path: list[tuple[int, int]] = []
    for turn in range(10):
        path += [(4 * turn, x if turn % 2 == 0 else 39 - x) for x in range(40)]
        path += [(4 * turn + step, path[-1][1]) for step in (1, 2, 3)]
    mask = torch.zeros(1, 40, 40, dtype=torch.bool)
    for y, x in path[:length]:
        mask[0, y, x] = True
    expected = lines.filter_outliers(mask[0].numpy())
    assert np.array_equal(lines_torch.filter_outliers(mask)[0].numpy(), expected)
    assert expected.any() == (length >= 32)


def test_autocast_does_not_move_lines():
    images = tensor(picture(3, (96, 80)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        within = lines_torch.line_mask(images)
    assert torch.equal(within, lines_torch.line_mask(images))


def test_images_that_cannot_be_enhanced_are_refused():
    with pytest.raises(ShapeError, match=r"found torch.uint8 \(1, 3, 40, 40\)"):
        lines_torch.pseudo_gt(torch.zeros(1, 3, 40, 40, dtype=torch.uint8))
    with pytest.raises(ShapeError, match="at least 26 px"):
        lines_torch.line_mask(torch.zeros(1, 3, 25, 40))


@pytest.mark.gpu
def test_a_gpu_finds_the_lines_that_the_cpu_finds():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    images = tensor(picture(4, (320, 240)), picture(5, (320, 240)))
    assert (lines_torch.line_mask(images.cuda()).cpu() == lines_torch.line_mask(images)).float().mean() >= 0.999
