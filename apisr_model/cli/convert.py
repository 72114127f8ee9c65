"""`apisr-model convert`."""

from pathlib import Path
from typing import Annotated

import typer


def convert(
    weights: Annotated[str, typer.Argument(help="A file of weights or a name of the zoo.", metavar="WEIGHTS")],
    out: Annotated[Path, typer.Argument(help="What to write: its suffix decides.", metavar="OUT.safetensors|OUT.onnx")],
    half: Annotated[bool, typer.Option("--half", help="Store numbers in 16 bits.")] = False,
    opset: Annotated[int | None, typer.Option(help="ONNX operator set; default: 18.", min=14, max=20)] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write weights as safetensors or ONNX, and compare the result with the original."""
    from shlex import quote

    from apisr_data.terminal import ERR, OUT, Bars
    from apisr_model import convert as command
    from apisr_model.weights import resolve

    with Bars() as bars:
        resolve(weights, progress=bars.follow(weights, "bytes"))
    ERR.print("converting, then comparing ...")
    done = command.convert(weights, out, half=half, opset=opset, force=force)
    size = f"{done.path.stat().st_size / 1e6:.1f} MB"
    OUT.print(f"largest difference from the original's output: {done.difference:.1g} of 1", markup=False)
    if done.licence:
        OUT.print(f"licence of the weights, here as there: {done.licence}", markup=False)
    OUT.print(f"wrote {done.path}: {done.architecture}, {done.scale}x, {size}", markup=False)
    OUT.print(f"next: apisr-model upscale PICTURE --weights {quote(str(done.path))}", markup=False)
