"""NIQE: how far a picture's statistics are from those of sharp ones; and the statistics of one's own sharp pictures."""

import io
import math
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from apisr_data import cache as fetched
from apisr_data.errors import InputError
from apisr_data.images import Rgb, write_bytes
from apisr_model import weights
from apisr_model.errors import WeightsError
from apisr_model.metrics.record import check_rgb
from apisr_model.metrics.scene_statistics import BLOCK_PX, FEATURES, WINDOW_TAPS, Floats, measure

FILE = "niqe_pris_params.npz"
URL = (
    "https://raw.githubusercontent.com/XPixelGroup/BasicSR/8d56e3a045f9fb3e1d8872f92ee4a4f07f886b0a"
    f"/basicsr/metrics/{FILE}"
)
SHA256 = "2a7c182a68c9e7f1b2e2e5ec723279d6f65d912b6fcaf37eb2bf03d7367c4296"

_SHARP_SHARE = 0.75
"""Of a picture's sharpest block: blocks above it are taken for sharp. Source: the NIQE paper, section II.C."""


@dataclass(frozen=True)
class Pristine:
    """What sharp pictures look like: `mean` (36,) and `covariance` (36, 36) of their blocks' features."""

    mean: Floats
    covariance: Floats


def niqe(image_rgb: Rgb, pristine: Pristine | None = None) -> float:
    """Natural Image Quality Evaluator of RGB uint8 (h, w, 3): from 0, lower is better.

    BT.601 luma in 16..235, rounded; no border cut; blocks of 96 px without overlap; float64. Without `pristine` the
    model of natural photographs is taken that BasicSR distributes. Flat blocks count as in BasicSR: their NaN features
    are left out of the mean, the others (a shape of 0.2) are not. NaN where fewer than two blocks have all features.

    Raises:
        ShapeError: not RGB uint8.
        FetchError: the published model is not in the cache and cannot be had.
    """
    check_rgb("niqe", image_rgb)
    pristine = pristine or published()
    features = measure(image_rgb).features
    whole = features[~np.isnan(features).any(axis=1)]
    if len(whole) < 2:
        return math.nan
    away = pristine.mean - np.nanmean(features, axis=0)
    spread = (pristine.covariance + np.cov(whole, rowvar=False)) / 2
    return float(np.sqrt(away @ np.linalg.pinv(spread) @ away))


def fit_niqe(images: Iterable[Rgb]) -> Pristine:
    """The model of one's own pictures, from the sharp blocks of each; for `niqe(image, pristine)`.

    Scores under different models cannot be compared. Pictures should be sharp and unspoiled, and as large as what will
    be scored.

    Raises:
        ShapeError: a picture is not RGB uint8.
        InputError: too few sharp blocks for a covariance of 36 features.
    """
    found = [np.empty((0, FEATURES))]
    count = 0
    for image in images:
        check_rgb("fit_niqe", image)
        blocks = measure(image)
        is_sharp = blocks.sharpness > _SHARP_SHARE * blocks.sharpness.max(initial=0)
        found.append(blocks.features[is_sharp & ~np.isnan(blocks.features).any(axis=1)])
        count += 1
    features = np.concatenate(found)
    if len(features) <= FEATURES:
        raise InputError(
            f"NIQE's statistics need more than {FEATURES} sharp blocks of {BLOCK_PX} px; {count:,} pictures have "
            f"{len(features)}: give more, or larger ones"
        )
    return Pristine(features.mean(axis=0), np.cov(features, rowvar=False))


def save(pristine: Pristine, path: Path) -> None:
    """Write the model as .npz with the keys of BasicSR's file, whose code can read it.

    Raises:
        OSError: it cannot be written; what was there before is whole.
    """
    content = io.BytesIO()
    window = np.outer(WINDOW_TAPS, WINDOW_TAPS)
    np.savez(
        content,
        mu_pris_param=pristine.mean[None],
        cov_pris_param=pristine.covariance,
        gaussian_window=window,
    )
    write_bytes(content.getvalue(), path)


def load(path: Path) -> Pristine:
    """The model in a file that `save` or BasicSR wrote.

    Raises:
        WeightsError: it is absent, or holds no such model.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            mean, covariance = np.asarray(stored["mu_pris_param"]).ravel(), np.asarray(stored["cov_pris_param"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path}: no NIQE model with mu_pris_param and cov_pris_param: {error}") from None
    if mean.shape != (FEATURES,) or covariance.shape != (FEATURES, FEATURES):
        raise WeightsError(f"{path}: a NIQE model of {FEATURES} features was wanted, found {covariance.shape}")
    return Pristine(mean.astype(np.float64), covariance.astype(np.float64))


@cache
def published() -> Pristine:
    """NIQE's authors' model of 125 natural photographs, as BasicSR distributes it (Apache-2.0); fetched once.

    Raises:
        FetchError: it is not in the cache and cannot be had.
    """
    return load(fetched.fetch(URL, FILE, sha256=SHA256, offline=weights.is_offline()))
