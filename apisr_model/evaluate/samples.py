"""What is upscaled and scored: pairs made from a manifest's held-out pictures, or real pictures from a folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apisr_data.errors import ConfigError
from apisr_data.images import Rgb, pixels_sha256, read
from apisr_model.data import Row
from apisr_model.degrade import Degradation, Drawn
from apisr_model.upscale.files import kind_of

_EVALUATION = 3
"""What the generator is for; stands before the seed, so that no draw of training is drawn again."""


@dataclass(frozen=True)
class Sample:
    """One picture to upscale, RGB uint8, and where it was made its `reference`; `drawn` is what spoiled it."""

    low_res: Rgb
    reference: Rgb | None = None
    drawn: Drawn | None = None


@dataclass(frozen=True)
class Case:
    """A sample by name that is read, or made, when its turn comes; reading raises ImageError or ShapeError."""

    name: str
    read: Callable[[], Sample]


def from_manifest(rows: Sequence[Row], degradation: Degradation, scale: int, *, seed: int) -> list[Case]:
    """Whole pictures, cut at the right and bottom to multiples of `scale`, and what `degradation` makes of them.

    What is drawn for a picture depends on its pixels and the seed alone: not on its name, its place or the others.
    """

    def case(row: Row) -> Case:
        def made() -> Sample:
            picture = read(row.path)
            height, width = (side // scale * scale for side in picture.shape[:2])
            reference = np.ascontiguousarray(picture[:height, :width])
            rng = np.random.default_rng([_EVALUATION, seed, int(pixels_sha256(reference)[:16], 16)])
            drawn = degradation.draw(rng)
            low_res = degradation.apply(reference.astype(np.float32) / np.float32(255), drawn)
            return Sample(np.rint(low_res * 255).astype(np.uint8), reference, drawn)

        return Case(row.name, made)

    return [case(row) for row in rows]


def from_folder(folder: Path) -> list[Case]:
    """Every picture in `folder` and the folders in it, by name, as it is; hidden files are passed over.

    Raises:
        ConfigError: there is none.
        OSError: the folder cannot be read.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not _is_hidden(path.relative_to(folder)))
    pictures = [path for path in files if kind_of(path) == "picture"]
    if not pictures:
        raise ConfigError(f"{folder}: no picture among {len(files):,} files")

    def case(path: Path) -> Case:
        return Case(path.relative_to(folder).as_posix(), lambda: Sample(read(path)))

    return [case(path) for path in pictures]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
