"""From descale curves to a height and how sure it is."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import median_filter

from apisr_data.native_height.descale import Array, Curve, block_eighths

LEAST_CONFIDENCE = 0.8
_REACH = 8
_DIP = 2
"""A dip is `_DIP` heights wide to either side; what it is measured against reaches `_REACH`."""
_NOISE_REACH = 40
_LEAST_NOISE = 1e-3
_EVEN_ODDS_SHARPNESS, _ODDS_PER_SHARPNESS = 5.3, 2.0
_EVEN_ODDS_DEPTH: Mapping[int, float] = {4: 0.27, 5: 0.13, 6: 0.42, 7: 0.13}
_ODDS_PER_DEPTH = 25.0
"""Log odds that a dip is real, by its depth over the noise; and at k/8 of the source height, where coding blocks make
false dips, by its depth. Fitted on 496 single frames: see docs/native-height.md."""


@dataclass(frozen=True)
class Estimate:
    """A native height in px and the kernel that enlarged it, or None where no dip stands out.

    `confidence`: the probability in [0, 1] that the clearest dip is the native height, `LEAST_CONFIDENCE` or more where
    a height is named. A low one means that nothing was found, not that the picture was drawn at its source height.
    """

    height: int | None
    kernel: str | None
    confidence: float


def estimate(curve: Curve) -> Estimate:
    """The height whose dip in `curve` is the likeliest to be real."""
    if len(curve.heights) <= 2 * _REACH:
        return Estimate(None, None, 0.0)
    kernels = list(curve.log_errors)
    errors = np.stack([curve.log_errors[kernel] for kernel in kernels])  # (kernels, heights)
    depth = _depth(errors)
    noise = np.maximum(1.4826 * median_filter(np.abs(depth), (1, 2 * _NOISE_REACH + 1), mode="mirror"), _LEAST_NOISE)
    odds = _ODDS_PER_SHARPNESS * ((depth / noise).max(axis=0) - _EVEN_ODDS_SHARPNESS)
    for i, height in enumerate(curve.heights.tolist()):
        if eighths := block_eighths(height, curve.source_height):
            odds[i] = min(odds[i], _ODDS_PER_DEPTH * (depth[:, i].max() - _EVEN_ODDS_DEPTH[eighths]))
    best = int(odds.argmax())
    confidence = 1 / (1 + math.exp(-min(max(float(odds[best]), -20.0), 20.0)))
    if confidence < LEAST_CONFIDENCE:
        return Estimate(None, None, confidence)
    # The least error favours smooth kernels, the deepest dip sharp ones: together they name most kernels rightly.
    kernel = kernels[int((depth - errors)[:, best].argmax())]
    return Estimate(int(curve.heights[best]), kernel, confidence)


def estimate_by_title(rows: Iterable[Mapping[str, Any]], source_height: int) -> Estimate:
    """The estimate from rows of the table `descale`: videos of one title and one `source_height`, weighed by frames."""
    sums: dict[tuple[str, int], tuple[float, int]] = {}
    for row in rows:
        key = row["kernel"], row["height"]
        total, frames = sums.get(key, (0.0, 0))
        sums[key] = total + row["log_error"] * row["frames"], frames + row["frames"]
    kernels = list(dict.fromkeys(kernel for kernel, _ in sums))
    heights = sorted({height for _, height in sums})
    log_errors = {k: np.array([sums[k, h][0] / sums[k, h][1] for h in heights]) for k in kernels}
    frames = max((frames for _, frames in sums.values()), default=0)
    return estimate(Curve(source_height, np.array(heights, dtype=int), log_errors, frames))


def _depth(errors: Array) -> Array:
    """How far each error lies under the median of its neighbours (kernels, heights).

    The ends are continued by point reflection, because the curve leans with the height.
    """
    padded = np.pad(errors, ((0, 0), (_REACH, _REACH)), mode="reflect", reflect_type="odd")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * _REACH + 1, axis=1)
    beside = np.delete(around, range(_REACH - _DIP, _REACH + _DIP + 1), axis=-1)
    depth: Array = np.median(beside, axis=-1) - errors
    return depth
