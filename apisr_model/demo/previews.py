"""What training sees of a picture: the pseudo ground truth step by step, and samples of the degradation."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apisr_data import images
from apisr_data.config import load_recipe_as, recipe_names
from apisr_data.errors import ImageError
from apisr_data.images import Rgb
from apisr_model import lines
from apisr_model.degradations import from_levels, to_levels
from apisr_model.degrade import Degradation, DegradationConfig
from apisr_model.demo.jobs import Report, Update
from apisr_model.sheet import ink, magnify
from apisr_model.train.recipe import TrainRecipe

PAPER = "the paper's"
"""The degradation of the settings' defaults, beside those of the recipes."""

_SHOWN_PX = 640  # about the width of a sample as shown


@dataclass(frozen=True)
class Shown:
    """Pictures with what is written under each."""

    told: str
    cells: tuple[tuple[Path, str], ...]
    steps: tuple[str, ...] = ()
    """Of a degradation, for each sample: what was drawn, a line a step."""


def enhance(source: Path, gamma: float, report: Report) -> Shown:
    """The picture, its pseudo ground truth, and every step between.

    Raises:
        ImageError, ShapeError, JobError, OSError: it cannot be read or written, or is to stop.
    """
    report(Update("drawing"))
    picture = images.read(source)
    steps = lines.enhance(picture, gamma)
    share = float(steps.dilated.mean())
    cells = [
        ("picture", "the picture", picture),
        ("pseudo-gt", "pseudo ground truth", steps.result),
        ("lines", "lines that XDoG finds", ink(steps.lines)),
        ("kept", "without specks", ink(steps.kept)),
        ("dilated", "gaps within lines filled", ink(steps.dilated)),
        *((f"round-{n}", f"sharpened, round {n}", rgb) for n, rgb in enumerate(steps.rounds, 1)),
    ]
    return Shown(f"{share:.1%} of the pixels are lines", _written(source, cells))


def recipes() -> tuple[str, ...]:
    """Names of degradations to choose from."""
    return (PAPER, *recipe_names("train"))


def degrade(source: Path, recipe: str, scale: int, samples: int, seed: int, report: Report) -> Shown:
    """`samples` low-resolution pictures, drawn as `apisr-model degrade --seed` draws them; pixels are repeated.

    Raises:
        ImageError, DegradationError, JobError, OSError: it cannot be read, spoilt or written, or is to stop.
    """
    is_papers = recipe == PAPER
    config = DegradationConfig() if is_papers else load_recipe_as(TrainRecipe, recipe, job="train").degradation
    degradation = Degradation(config, scale)
    picture = images.read(source)
    height, width = (side // scale for side in picture.shape[:2])
    if not height or not width:
        raise ImageError(f"{source}: {picture.shape[1]}x{picture.shape[0]} px is smaller than the scale, {scale}")
    picture = np.ascontiguousarray(picture[: height * scale, : width * scale])
    cells = [("reduced", "reduced by area, nothing else", _enlarged(images.resize(picture, (width, height), "area")))]
    drawn = []
    for number in range(samples):
        report(Update("drawing", number / samples, f"sample {number}"))
        drawn.append(degradation.draw(np.random.default_rng([seed, number])))
        spoilt = to_levels(degradation.apply(from_levels(picture), drawn[-1]))
        cells.append((f"sample-{number}", f"sample {number}", _enlarged(spoilt)))
    told = f"{samples} samples of {width}x{height} px, seed {seed}; pixels are repeated to be seen"
    return Shown(told, _written(source, cells), tuple(map(str, drawn)))


def _enlarged(low_res: Rgb) -> Rgb:
    times = max(1, round(_SHOWN_PX / low_res.shape[1]))
    return magnify(low_res, (times * low_res.shape[1], times * low_res.shape[0]))


def _written(source: Path, cells: list[tuple[str, str, Rgb]]) -> tuple[tuple[Path, str], ...]:
    """Each picture as a PNG beside `source`, with its label."""
    made = []
    for name, label, rgb in cells:
        path = source.with_name(f"{source.stem}.{name}.png")
        images.write_bytes(images.encode_png(rgb), path)
        made.append((path, label))
    return tuple(made)
