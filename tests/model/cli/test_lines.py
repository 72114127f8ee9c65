"""`apisr-model lines`."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from apisr_data.errors import ImageError, UsageError
from apisr_data.images import encode_png, read
from apisr_model.cli import app
from apisr_model.lines import enhance
from tests.model.manifests import picture

RUN = CliRunner()


def test_the_sheet_holds_the_mask_the_rounds_and_the_result(tmp_path: Path) -> None:
    source = tmp_path / "x.png"
    source.write_bytes(encode_png(picture(1, (160, 120))))
    result = RUN.invoke(app, ["lines", str(source), "--gamma", "0.97"], catch_exceptions=False)
    assert f"wrote {tmp_path / 'x.lines.apisr.png'}" in result.stdout
    sheet = read(tmp_path / "x.lines.apisr.png")
    steps = enhance(read(source), 0.97)
    mask = np.where(steps.dilated, np.uint8(0), np.uint8(255))
    columns = [slice(number * 168, number * 168 + 160) for number in range(3)]
    bottom = sheet[-120:]
    for column, sharpened in zip(columns, steps.rounds, strict=True):
        np.testing.assert_array_equal(bottom[:, column], sharpened)
    tops = [
        top for top in range(sheet.shape[0] - 240) if np.array_equal(sheet[top : top + 120, columns[1]][..., 0], mask)
    ]
    assert len(tops) == 1
    np.testing.assert_array_equal(sheet[tops[0] : tops[0] + 120, columns[2]], steps.result)


@pytest.mark.parametrize(("options", "error"), [(["nothing.png"], ImageError), (["{x}", "-o", "{x}"], UsageError)])
def test_what_cannot_be_done_is_told(tmp_path: Path, options: list[str], error: type[Exception]) -> None:
    source = tmp_path / "x.png"
    source.write_bytes(encode_png(picture(1)))
    result = RUN.invoke(app, ["lines", *(option.format(x=source) for option in options)])
    assert isinstance(result.exception, error)
