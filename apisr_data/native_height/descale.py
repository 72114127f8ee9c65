"""The descale error of columns of pixels at every candidate height."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.fft import dct
from scipy.linalg import cholesky_banded, lapack

Array = NDArray[np.float64]

_RIDGE = 1e-6
"""Keeps the rows outside the picture, which a few edge pixels barely see, solvable."""
_FLOOR = 1e-3
"""Squared grey levels: well under the 1/12 that 8-bit rounding leaves, so that a black column has a logarithm."""
_BLACK = 24
"""Luma up to which a row at the top or bottom is a border: limited-range black, 16, and its coding noise."""
_RINGING_ROWS = 4
"""Rows beside a border that its edge may have rung into."""
_BLOCK = 8
_BLOCK_DIPS = {4: 0.6, 5: 0.45, 6: 0.8, 7: 0.6}
"""Depth of the false dip at k/8 of the source height for each unit of blockiness: fitted on H.264, CRF 18 to 28."""


@dataclass(frozen=True)
class Kernel:
    """An interpolation kernel: `weight` of distances in native rows, zero past `radius`."""

    radius: int
    weight: Callable[[Array], Array]


def _bilinear(x: Array) -> Array:
    return np.maximum(0.0, 1.0 - np.abs(x))


def _bicubic(b: float, c: float) -> Callable[[Array], Array]:
    """The cubic family. Source: Mitchell and Netravali, "Reconstruction filters in computer graphics", 1988, eq. 8."""

    def weight(x: Array) -> Array:
        x = np.abs(x)
        near = (12 - 9 * b - 6 * c) * x**3 + (-18 + 12 * b + 6 * c) * x**2 + (6 - 2 * b)
        far = (-b - 6 * c) * x**3 + (6 * b + 30 * c) * x**2 + (-12 * b - 48 * c) * x + (8 * b + 24 * c)
        return np.where(x < 1, near, np.where(x < 2, far, 0.0)) / 6

    return weight


def _lanczos(x: Array) -> Array:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


KERNELS: Mapping[str, Kernel] = {
    "bilinear": Kernel(1, _bilinear),
    "mitchell": Kernel(2, _bicubic(1 / 3, 1 / 3)),
    "catmull-rom": Kernel(2, _bicubic(0, 1 / 2)),
    "lanczos": Kernel(3, _lanczos),
}


@dataclass(frozen=True)
class Curve:
    """Mean log descale error (natural, of RMS grey levels) of each kernel at each of `heights`, shape (heights,)."""

    source_height: int
    heights: NDArray[np.int_]
    log_errors: Mapping[str, Array]
    frames: int


def candidates(source_height: int) -> range:
    """The heights looked at, 4/9 to 91/100 of `source_height`: 480 to 982 for 1080, 320 to 655 for 720.

    Closer to the source height too few rows are left over to tell an enlarged picture from noise; at 11/12 of it,
    compressed pictures that were never enlarged often dip.
    """
    return range(source_height * 4 // 9, source_height * 91 // 100 + 1)


def block_eighths(height: int, source_height: int) -> int | None:
    """The k of a `height` that is k/8 of `source_height` and that 8-pixel coding blocks imitate; else None.

    A block whose high frequencies were quantised away is as good as k samples enlarged to 8.
    """
    k, rest = divmod(height * _BLOCK, source_height)
    return k if not rest and k in _BLOCK_DIPS else None


def descale_curve(
    columns: NDArray[np.uint8],
    *,
    frames: int = 1,
    kernels: Iterable[str] = tuple(KERNELS),
    heights: Iterable[int] | None = None,
) -> Curve:
    """The descale error of `columns` (source height, n), luma, at each of `heights` (`candidates` unless given).

    The error at a height is the RMS, in grey levels, of what the best native picture of that height, enlarged by the
    kernel, cannot explain, over the rows that it leaves free. Pixel centres lie as in zimg, swscale and Pillow:
    native = (row + 1/2) * height / source height - 1/2. Rows beyond the picture are unknowns too, so no assumption is
    made about how its edge was extended. Black borders are left out, and the picture is not expected to be enlarged
    separately from them. Means are over logarithms, so that a few columns with captions do not hide the others.
    """
    source_height = columns.shape[0]
    rows = _rows_within_borders(columns)
    pixels = columns[rows].astype(np.float64)
    pixels -= pixels.mean(axis=0)  # every kernel reproduces a constant: this only saves digits
    energy = np.square(pixels).sum(axis=0)
    blockiness = _blockiness(columns, rows)
    at = np.array(candidates(source_height) if heights is None else list(heights), dtype=int)
    log_errors = {name: np.empty(len(at)) for name in kernels}
    for name, errors in log_errors.items():
        for i, height in enumerate(at.tolist()):
            left = energy - _explained(pixels, KERNELS[name], rows.start, height, source_height)
            free_rows = len(pixels) * (1 - height / source_height)
            errors[i] = np.log(left.clip(0) / free_rows + _FLOOR).mean() / 2
            if eighths := block_eighths(height, source_height):
                errors[i] += _BLOCK_DIPS[eighths] * blockiness[eighths]
    return Curve(source_height, at, log_errors, frames)


def _explained(pixels: Array, kernel: Kernel, top: int, height: int, source_height: int) -> Array:
    """Energy of each column of `pixels` (rows from `top` on) within reach of enlargements from `height` rows, (n,).

    With the enlargement A and the Cholesky factor L of its banded normal matrix, |A x|^2 of the least-squares x is
    |L^-1 A^T y|^2: one forward substitution, and x itself is never needed.
    """
    rows, taps = len(pixels), 2 * kernel.radius
    centre = (np.arange(top, top + rows) + 0.5) * height / source_height - 0.5
    native = np.floor(centre).astype(int)[:, None] + np.arange(1 - kernel.radius, 1 + kernel.radius)  # (rows, taps)
    weights = kernel.weight(centre[:, None] - native)
    weights /= weights.sum(axis=1, keepdims=True)
    native -= native[0, 0]
    unknowns = int(native[-1, -1]) + 1

    enlarge = sparse.csr_matrix(
        (weights.ravel(), native.ravel(), np.arange(0, rows * taps + 1, taps)), shape=(rows, unknowns)
    )
    normal = np.zeros((taps, unknowns))  # lower band: normal[d, j] = (A^T A)[j + d, j]
    for d in range(taps):
        products = weights[:, : taps - d] * weights[:, d:]
        normal[d] = np.bincount(native[:, : taps - d].ravel(), products.ravel(), minlength=unknowns)
    normal[0] += _RIDGE
    factor = cholesky_banded(normal, lower=True, overwrite_ab=True, check_finite=False)
    solved, _ = lapack.dtbtrs(factor, np.asfortranarray(enlarge.T @ pixels), uplo="L", overwrite_b=1)
    energy: Array = np.square(solved, out=solved).sum(axis=0)
    return energy


def _rows_within_borders(columns: NDArray[np.uint8]) -> slice:
    """The rows between the black ones at the top and at the bottom; all of them where there is no border."""
    lit = np.flatnonzero((columns > _BLACK).any(axis=1))
    if not len(lit):
        return slice(0, len(columns))
    top, bottom = int(lit[0]), int(lit[-1]) + 1
    return slice(
        top + _RINGING_ROWS if top else 0,
        bottom - _RINGING_ROWS if bottom < len(columns) else bottom,
    )


def _blockiness(columns: NDArray[np.uint8], rows: slice) -> dict[int, float]:
    """For each k, how much less there is above the k-th eighth of the spectrum within coding blocks than across them.

    The mean log ratio (natural, of amplitudes) of the DCT of 8 rows half a block off to that of 8 rows on the block
    grid, 0 at least. An enlargement does not know where the blocks lie.
    """

    def log_detail(first: int) -> dict[int, Array]:
        count = max((rows.stop - first) // _BLOCK, 1)
        blocks = columns[first : first + count * _BLOCK].astype(np.float64).reshape(-1, _BLOCK, columns.shape[1])
        energy = np.square(dct(blocks, axis=1, norm="ortho")).mean(axis=0)  # (8, n)
        return {k: np.log(energy[k:].mean(axis=0) + _FLOOR) / 2 for k in _BLOCK_DIPS}

    first = -(-rows.start // _BLOCK) * _BLOCK
    within, across = log_detail(first), log_detail(first + _BLOCK // 2)
    return {k: max(float((across[k] - within[k]).mean()), 0.0) for k in _BLOCK_DIPS}
