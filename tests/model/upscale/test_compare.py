from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from apisr_data.images import Rgb, encode_png, read, write_bytes
from apisr_model import checkpoint
from apisr_model.architectures import build, configure
from apisr_model.cli import app
from apisr_model.errors import ShapeError
from apisr_model.upscale.compare import SHOWN_PX, compare

GAP = 8


def dots(size: tuple[int, int], where: tuple[int, int], side: int) -> Rgb:
    """Black (h, w) with a chequered square whose top left corner is `where`."""
    picture = np.zeros((*size, 3), np.uint8)
    top, left = where
    rows, columns = np.indices((side, side))
    picture[top : top + side, left : left + side] = 255 * ((rows + columns) % 2)[..., None]
    return picture


def columns_of(sheet: Rgb) -> list[Rgb]:
    step = SHOWN_PX + GAP
    return [sheet[:, start : start + SHOWN_PX] for start in range(0, sheet.shape[1], step)]


def test_the_input_a_plain_resize_and_each_result_stand_side_by_side() -> None:
    before = dots((200, 300), (50, 120), 100)
    after = np.repeat(np.repeat(before, 2, 0), 2, 1)
    sheet = compare(before, {"one": after, "two": 255 - after}, places=1)
    first, _, one, two = (column[-SHOWN_PX:] for column in columns_of(sheet))
    expected = np.repeat(np.repeat(before[50:150, 120:220], 4, 0), 4, 1)
    np.testing.assert_array_equal(first, expected)  # the detailed place, each pixel four times
    np.testing.assert_array_equal(one, expected)
    np.testing.assert_array_equal(two, 255 - expected)


def test_a_long_label_takes_more_lines_and_pushes_all_columns_down() -> None:
    picture = dots((120, 120), (0, 0), 100)
    short, long = (compare(picture, {text: picture}, places=1) for text in ("short", "many words " * 12))
    assert long.shape[0] > short.shape[0]
    assert long.shape[1] == short.shape[1] == 3 * SHOWN_PX + 2 * GAP
    np.testing.assert_array_equal(long[-SHOWN_PX:], short[-SHOWN_PX:])


@pytest.mark.parametrize(("shape", "dtype"), [((1, 1, 3), np.uint8), ((7, 900, 3), np.uint16), ((50, 60), np.uint8)])
def test_any_size_grey_and_16_bits_are_shown(shape: tuple[int, ...], dtype: type) -> None:
    before: NDArray[Any] = np.full(shape, np.iinfo(dtype).max // 3, dtype)
    sheet = compare(before, {"x": np.repeat(np.repeat(before, 2, 0), 2, 1)})
    assert sheet.dtype == np.uint8
    assert (sheet[-1, :SHOWN_PX] == 85).all()


@pytest.mark.parametrize("after", [np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_picture_is_refused(after: NDArray[Any]) -> None:
    with pytest.raises(ShapeError, match=r"compare wants uint8 or uint16"):
        compare(np.zeros((4, 4, 3), np.uint8), {"x": after})


def test_no_result_is_refused() -> None:
    with pytest.raises(ShapeError, match="no result"):
        compare(np.zeros((4, 4, 3), np.uint8), {})


def test_upscale_draws_a_comparison_that_no_later_run_takes_for_an_input(tmp_path: Path) -> None:
    small = {"scale": 2, "features": 4, "convolutions": 0}
    weights = tmp_path / "w.safetensors"
    checkpoint.save(weights, build("compact", **small), "compact", configure("compact", **small))
    (tmp_path / "in").mkdir()
    write_bytes(encode_png(dots((120, 140), (10, 10), 100)), tmp_path / "in" / "a.png")
    command = ["upscale", str(tmp_path / "in"), "--weights", str(weights), "--device", "cpu"]
    for _ in range(2):
        result = CliRunner().invoke(app, [*command, "--compare", "mine"], catch_exceptions=False)
        assert "compared in" in result.output
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == ["a.apisr.png", "a.compare.apisr.png", "a.png"]
    assert read(tmp_path / "in" / "a.compare.apisr.png").shape[1] == 3 * SHOWN_PX + 2 * GAP
