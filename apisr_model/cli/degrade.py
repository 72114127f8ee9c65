"""`apisr-model degrade`: what training will see, as a sheet or as files."""

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from apisr_data.images import Rgb
    from apisr_model.train.recipe import TrainRecipe

_SHOWN_PX = 640  # about the width of a picture on a sheet
_COLUMNS = 3

Input = Annotated[
    Path,
    typer.Argument(
        help="A picture: draw a sheet of samples. A manifest (.parquet): write pairs, or show a sample of training.",
        metavar="INPUT",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        help="The sheet, default NAME.degraded.apisr.png or NAME.sample-N.apisr.png; of a manifest, the pairs' folder.",
    ),
]
Scale = Annotated[int | None, typer.Option(help="High-resolution side over low; default: the recipe's, else 4.", min=1)]
Samples = Annotated[int, typer.Option(help="Of a picture: how many are drawn.", min=1, max=300)]
Count = Annotated[int, typer.Option(help="Of a manifest: pairs a picture.", min=1)]
Sample = Annotated[
    int | None,
    typer.Option(help="Of a manifest: show the sample of this number as training with the --recipe sees it.", min=0),
]
Seed = Annotated[int | None, typer.Option(help="The same seed draws the same; default: the recipe's, else 0.", min=0)]
RecipeName = Annotated[
    str | None,
    typer.Option(help="A training recipe, whose degradation and target are taken; default: those of the paper."),
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
    sample: Sample = None,
    seed: Seed = None,
    recipe: RecipeName = None,
    set_: Set = None,
    where: Where = None,
    workers: Workers = None,
) -> None:
    """Show what the degradation makes of a picture, or write a manifest's pairs for another trainer."""
    from apisr_data.errors import UsageError

    settings = _settings(recipe, set_ or [], scale, seed)
    is_manifest = source.suffix.lower() == ".parquet"
    if sample is not None:
        if not is_manifest or recipe is None:
            raise UsageError("--sample wants a manifest, and the --recipe, --set and --where that it is trained with")
        _show_sample(source, output, settings, sample, where)
    elif not is_manifest:
        _draw_sheet(source, output, settings, samples)
    elif output is None:
        raise UsageError("degrade of a manifest wants -o FOLDER to write the pairs to, or --sample N to show one")
    else:
        _write_pairs(source, output, settings, count, where, workers)


def _settings(recipe: str | None, assignments: list[str], scale: int | None, seed: int | None) -> "TrainRecipe":
    """The recipe, or the paper's; what the options name is put in its place."""
    from apisr_data.config import load_recipe_as, override
    from apisr_model.train.recipe import TrainRecipe, TrainSettings

    base = (
        load_recipe_as(TrainRecipe, recipe, job="train") if recipe else TrainRecipe(train=TrainSettings(iterations=1))
    )
    options = {"network.scale": scale, "train.seed": seed}
    named = [f"{key}={value}" for key, value in options.items() if value is not None]
    return override(base, [*assignments, *named])


def _draw_sheet(source: Path, output: Path | None, settings: "TrainRecipe", samples: int) -> None:
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
    scale, seed = settings.network.scale, settings.train.seed
    picture = read(source)
    height, width = (side // scale for side in picture.shape[:2])
    if not height or not width:
        raise ShapeError(f"{source}: {picture.shape[1]}x{picture.shape[0]} is smaller than the scale, {scale}")
    picture = np.ascontiguousarray(picture[: height * scale, : width * scale])
    degradation, image = Degradation(settings.degradation, scale), from_levels(picture)
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
    from apisr_model.sheet import magnify

    times = max(1, round(_SHOWN_PX / low_res.shape[1]))
    return magnify(low_res, (times * low_res.shape[1], times * low_res.shape[0]))


def _show_sample(manifest: Path, output: Path | None, settings: "TrainRecipe", sample: int, where: str | None) -> None:
    from apisr_data.errors import ConfigError
    from apisr_data.images import encode_png, write_bytes
    from apisr_data.terminal import OUT
    from apisr_model.data import look_up, read_manifest
    from apisr_model.degradations import to_levels
    from apisr_model.sheet import grid, magnify
    from apisr_model.train import feed

    rows = read_manifest(manifest, where).train
    if not rows:
        raise ConfigError(f"manifest {manifest}: no row that was chosen has split 'train'")
    record, pair = look_up(feed.pairs_of(rows, settings), sample, settings.train.batch)
    low_res = to_levels(pair.low_res.permute(1, 2, 0).numpy())
    size = (max(1, round(_SHOWN_PX / record.crop_px)) * record.crop_px,) * 2
    told = str(record).split("\n")
    cells = {
        "\n".join(["the picture", *told[:3]]): pair.high_res.permute(1, 2, 0).numpy(),
        f"what the network learns\n{told[3]}": pair.target.permute(1, 2, 0).numpy(),
        "\n".join(["what it sees", *told[4:]]): low_res,
    }
    target = output or manifest.with_name(f"{manifest.stem}.sample-{sample}.apisr.png")
    write_bytes(encode_png(grid([(text, magnify(rgb, size)) for text, rgb in cells.items()], _COLUMNS)), target)
    OUT.print(str(record), markup=False)
    OUT.print(record.model_dump_json(), markup=False, soft_wrap=True)
    OUT.print(f"wrote {target}: {record.image}, {record.crop_px} px, pixels repeated", markup=False)
    OUT.print(f"next: --sample {sample + 1}, or apisr-model train {shlex.quote(str(manifest))}", markup=False)


def _write_pairs(
    manifest: Path, out: Path, settings: "TrainRecipe", count: int, where: str | None, workers: int | None
) -> None:
    from apisr_data.terminal import ERR, OUT, Bars, seconds_since
    from apisr_model import cores, pair_files
    from apisr_model.data import read_manifest

    began = time.monotonic()
    found = read_manifest(manifest, where)
    rows = [(row, split) for split, some in (("train", found.train), ("val", found.val)) for row in some]
    pictures = [pair_files.Picture(number, row, split) for number, (row, split) in enumerate(rows)]
    scale = settings.network.scale
    made_with = pair_files.PairSettings(
        degradation=settings.degradation,
        target=settings.target,
        scale=scale,
        seed=settings.train.seed,
        count=count,
        manifest=found.digest,
    )
    processes = workers if workers is not None else min(cores.mine(), len(pictures))
    with Bars() as bars:
        bars.begin("degrade", sum(pair_files.copies(picture, made_with) for picture in pictures), "pairs")
        pairs, failures = pair_files.write(out, pictures, made_with, workers=processes, on_pair=lambda: bars.advance(1))
    for failure in failures:
        ERR.print(f"  failed: {failure.picture.row.name}: {failure.reason}", style="red", markup=False)
    real = sum(pair.drawn is None for pair in pairs)
    copied = f", {real:,} of them real ones that the manifest names, copied" if real else ""
    OUT.print(
        f"wrote {len(pairs):,} pairs at {scale}x to {out}{copied}; {out / pair_files.DRAWN_FILE} says what was drawn"
        f" ({seconds_since(began)})",
        markup=False,
    )
    if pairs:
        learned = "high_res" if settings.target.kind == "raw" else pair_files.TARGET_FOLDER
        split = out / pairs[0].picture.split
        high, low = (shlex.quote(str(split / side)) for side in (learned, "low_res"))
        OUT.print(f"next: in BasicSR, neosr or traiNNer, dataroot_gt: {high} and dataroot_lq: {low}", markup=False)
        if learned != "high_res":
            told = f"{learned} holds what is to be learned ({settings.target.kind}), high_res the pictures as they are"
            OUT.print(f"  {told}", markup=False)
    if failures:
        raise typer.Exit(1)
