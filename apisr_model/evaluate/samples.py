"""What is upscaled and scored: pairs made from a manifest's held-out pictures, or real pictures from a folder."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apisr_data.errors import ConfigError
from apisr_data.images import Rgb, pixels_sha256, read
from apisr_model.data import Row, read_low_res
from apisr_model.degradations import from_levels, to_levels
from apisr_model.degrade import Degradation, Drawn
from apisr_model.upscale.files import kind_of

log = logging.getLogger(__name__)

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
    source: str | None = None
    """Where it was taken from, if that is more than a picture of this name."""


def from_manifest(rows: Sequence[Row], degradation: Degradation, scale: int, *, seed: int) -> list[Case]:
    """Whole pictures, cut at the right and bottom to multiples of `scale`, and what `degradation` makes of them.

    What is drawn for a picture depends on its pixels and the seed alone: not on its name, its place or the others. A
    row with a real low resolution is taken as it is.
    """

    def case(row: Row) -> Case:
        def made() -> Sample:
            picture = read(row.path)
            if (real := read_low_res(row, picture, scale)) is not None:
                return Sample(real, picture)
            height, width = (side // scale * scale for side in picture.shape[:2])
            reference = np.ascontiguousarray(picture[:height, :width])
            rng = np.random.default_rng([_EVALUATION, seed, int(pixels_sha256(reference)[:16], 16)])
            drawn = degradation.draw(rng)
            return Sample(to_levels(degradation.apply(from_levels(reference), drawn)), reference, drawn)

        return Case(row.name, made)

    return [case(row) for row in rows]


def from_folder(folder: Path) -> list[Case]:
    """Every picture in `folder` and the folders in it, by name, as it is; videos and hidden files are passed over.

    Raises:
        ConfigError: there is none.
        OSError: the folder cannot be read.
    """
    kinds = {path: kind_of(path) for path in visible_files(folder)}
    pictures = [path for path, kind in kinds.items() if kind == "picture"]
    videos = sum(kind == "video" for kind in kinds.values())
    told = f"{videos:,} video{'s' if videos != 1 else ''}: --recipe evaluate_avc_reallq takes frames of each"
    if not pictures:
        raise ConfigError(f"{folder}: no picture among {len(kinds):,} files" + (f", but {told}" if videos else ""))
    if videos:
        log.warning("%s: passed over %s", folder, told)

    def case(path: Path) -> Case:
        return Case(path.relative_to(folder).as_posix(), lambda: Sample(read(path)))

    return [case(path) for path in pictures]


def visible_files(folder: Path) -> list[Path]:
    """The files at and below `folder`, by name, without hidden ones and those in hidden folders.

    Raises:
        OSError: the folder cannot be read.
    """
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if not any(part[0] == "." for part in path.relative_to(folder).parts))
