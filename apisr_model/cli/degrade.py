"""`apisr-model degrade`: what training will see, as a sheet or as files."""

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from apisr_data.images import Rgb
    from apisr_model.degrade import DegradationConfig

_SHOWN_PX = 640  # about the width of a sample on the sheet
_COLUMNS = 3

Input = Annotated[
    Path,
    typer.Argument(help="A picture: draw a sheet of samples. A manifest (.parquet): write pairs.", metavar="INPUT"),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", help="The sheet, default NAME.degraded.apisr.png; of a manifest, the pairs' folder."
    ),
]
Scale = Annotated[int | None, typer.Option(help="High-resolution side over low; default: the recipe's, else 4.", min=1)]
Samples = Annotated[int, typer.Option(help="Of a picture: how many are drawn.", min=1, max=300)]
Count = Annotated[int, typer.Option(help="Of a manifest: pairs a picture.", min=1)]
Seed = Annotated[int, typer.Option(help="The same seed draws the same.", min=0)]
RecipeName = Annotated[
    str | None, typer.Option(help="A training recipe, whose degradation is taken; default: the paper's degradation.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting, such as 'degradation.second={probability=0.0}'."),
]
Where = Annotated[str | None, typer.Option(help="Of a manifest: SQL condition over its columns.")]
Workers = Annotated[int | None, typer.Option(help="Of a manifest: processes; default: one a core.", min=0)]


def degrade(
    source: Input,
    output: Output = None,
    scale: Scale = None,
    samples: Samples = 11,
    count: Count = 1,
    seed: Seed = 0,
    recipe: RecipeName = None,
    set_: Set = None,
    where: Where = None,
    workers: Workers = None,
) -> None:
    """Show what the degradation makes of a picture, or write a manifest's pairs for another trainer."""
    from apisr_data.errors import UsageError

    config, recipes_scale = _settings(recipe, set_ or [])
    chosen = scale or recipes_scale
    if source.suffix.lower() != ".parquet":
        _draw_sheet(source, output, config, chosen, samples, seed)
    elif output is None:
        raise UsageError("degrade of a manifest wants -o FOLDER to write the pairs to")
    else:
        _write_pairs(source, output, config, chosen, count, seed, where, workers)


def _settings(recipe: str | None, assignments: list[str]) -> "tuple[DegradationConfig, int]":
    from apisr_data.config import load_recipe_as, override
    from apisr_model.train.recipe import TrainRecipe, TrainSettings

    base = (
        load_recipe_as(TrainRecipe, recipe, job="train") if recipe else TrainRecipe(train=TrainSettings(iterations=1))
    )
    found = override(base, assignments)
    return found.degradation, found.network.scale


def _draw_sheet(
    source: Path, output: Path | None, config: "DegradationConfig", scale: int, samples: int, seed: int
) -> None:
    import numpy as np

    from apisr_data.errors import UsageError
    from apisr_data.images import encode_png, read, resize, write_bytes
    from apisr_data.terminal import OUT
    from apisr_model.degradations import from_levels, to_levels
    from apisr_model.degrade import Degradation
    from apisr_model.errors import ShapeError
    from apisr_model.sheet import grid

    target = output or source.with_name(f"{source.stem}.degraded.apisr.png")
    if target.resolve() == source.resolve():
        raise UsageError(f"{target} is the input; choose another -o")
    picture = read(source)
    height, width = (side // scale for side in picture.shape[:2])
    if not height or not width:
        raise ShapeError(f"{source}: {picture.shape[1]}x{picture.shape[0]} is smaller than the scale, {scale}")
    picture = np.ascontiguousarray(picture[: height * scale, : width * scale])
    degradation, image = Degradation(config, scale), from_levels(picture)
    cells = [("the picture, reduced by area", _enlarged(resize(picture, (width, height), "area")))]
    for number in range(samples):
        drawn = degradation.draw(np.random.default_rng([seed, number]))
        OUT.print(f"-- sample {number}\n{drawn}", markup=False)
        cells.append((f"sample {number}\n{drawn}", _enlarged(to_levels(degradation.apply(image, drawn)))))
    write_bytes(encode_png(grid(cells, _COLUMNS)), target)
    OUT.print(f"wrote {target}: {samples} samples at {width}x{height} px, pixels repeated", markup=False)
    OUT.print("next: apisr-model train MANIFEST, or degrade MANIFEST -o PAIRS for another trainer")


def _enlarged(low_res: "Rgb") -> "Rgb":
    """Pixels repeated until they can be seen."""
    times = max(1, round(_SHOWN_PX / low_res.shape[1]))
    return low_res.repeat(times, axis=0).repeat(times, axis=1)


def _write_pairs(
    manifest: Path,
    out: Path,
    config: "DegradationConfig",
    scale: int,
    count: int,
    seed: int,
    where: str | None,
    workers: int | None,
) -> None:
    import os

    from apisr_data.terminal import ERR, OUT, Bars, seconds_since
    from apisr_model import pair_files
    from apisr_model.data import read_manifest

    began = time.monotonic()
    found = read_manifest(manifest, where)
    rows = [(row, split) for split, some in (("train", found.train), ("val", found.val)) for row in some]
    pictures = [pair_files.Picture(number, row.name, row.path, split) for number, (row, split) in enumerate(rows)]
    settings = pair_files.PairSettings(degradation=config, scale=scale, seed=seed, count=count, manifest=found.digest)
    processes = workers if workers is not None else min(os.cpu_count() or 1, len(pictures))
    with Bars() as bars:
        bars.begin("degrade", len(pictures) * count, "pairs")
        pairs, failures = pair_files.write(out, pictures, settings, workers=processes, on_pair=lambda: bars.advance(1))
    for failure in failures:
        ERR.print(f"  failed: {failure.picture.name}: {failure.reason}", style="red", markup=False)
    OUT.print(
        f"wrote {len(pairs):,} pairs at {scale}x to {out}; {out / pair_files.DRAWN_FILE} says what was drawn"
        f" ({seconds_since(began)})",
        markup=False,
    )
    high, low = (shlex.quote(str(out / "train" / side)) for side in ("high_res", "low_res"))
    OUT.print(f"next: in BasicSR, neosr or traiNNer, dataroot_gt: {high} and dataroot_lq: {low}", markup=False)
    if failures:
        raise typer.Exit(1)
