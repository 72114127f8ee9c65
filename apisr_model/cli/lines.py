"""`apisr-model lines`: how the pseudo ground truth comes about, as one picture."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

_COLUMNS = 3


def lines(
    image: Annotated[Path, typer.Argument(help="A picture, at the height that networks are trained at.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The sheet to write; default NAME.lines.apisr.png.")
    ] = None,
    gamma: Annotated[
        float,
        typer.Option(help="The larger, the more counts as a line; training draws from 0.97 to 0.98.", min=0, max=1),
    ] = 0.975,
) -> None:
    """Draw the mask of a picture's lines, the three rounds of sharpening and the pseudo ground truth."""
    from apisr_data.errors import UsageError
    from apisr_data.images import encode_png, read, write_bytes
    from apisr_data.terminal import OUT
    from apisr_model.lines import enhance
    from apisr_model.sheet import grid, ink

    target = output or image.with_name(f"{image.stem}.lines.apisr.png")
    if target.resolve() == image.resolve():
        raise UsageError(f"{target} is the input; choose another -o")
    picture = read(image)
    steps = enhance(picture, gamma)
    share = float(steps.dilated.mean())
    cells = [
        ("the picture", picture),
        (f"lines, gamma {gamma:g}: {share:.1%} of the pixels", ink(steps.dilated)),
        ("pseudo ground truth: lines from round 3, all else from the picture", steps.result),
        *((f"sharpened, round {number}", sharpened) for number, sharpened in enumerate(steps.rounds, 1)),
    ]
    write_bytes(encode_png(grid(cells, _COLUMNS)), target)
    OUT.print(f"wrote {target}: {share:.1%} of the pixels are lines", markup=False)
    OUT.print(f"next: apisr-model degrade {shlex.quote(str(image))}", markup=False)
