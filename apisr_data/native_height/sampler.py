"""Which frames and columns of a video the native height is measured on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apisr_data.native_height.descale import descale_curve

FRAMES = 8
COLUMNS = 8
MIN_HEIGHT = 240
"""Source height, px, under which nothing is measured: too few rows to tell a dip from chance."""
_DETAIL_STEP = 16
_COLUMN_STEP = 4


@dataclass(frozen=True)
class _Kept:
    time_s: float
    detail: float
    columns: NDArray[np.uint8]


class Sampler:
    """Keeps columns of the `FRAMES` frames that show most detail, spread over the video: 70 kB at 1080 rows."""

    def __init__(self) -> None:
        self._kept: list[_Kept] = []

    def offer(self, time_s: float, luma: NDArray[np.uint8]) -> None:
        """Look at a frame's luma (h, w), in the order of time; 0.2 ms for most.

        The two frames closest in time compete when there is one too many. A frame of another height than the first
        is passed over (a folder of pictures may hold any).
        """
        height, width = luma.shape
        if height < MIN_HEIGHT or width < COLUMNS or (self._kept and len(self._kept[0].columns) != height):
            return
        detail = float(_detail(luma[:, ::_DETAIL_STEP]).mean())
        if len(self._kept) == FRAMES:
            times = [kept.time_s for kept in self._kept] + [time_s]
            earlier = int(np.argmin(np.diff(times)))
            rivals = [kept.detail for kept in self._kept] + [detail]
            loser = earlier if rivals[earlier] < rivals[earlier + 1] else earlier + 1
            if loser == FRAMES:
                return
            del self._kept[loser]
        self._kept.append(_Kept(time_s, detail, sample_columns(luma)))

    def curves(self) -> list[Mapping[str, object]]:
        """Rows of the table `descale`, without the video; none where no frame was kept. Seconds of work."""
        if not self._kept:
            return []
        curve = descale_curve(np.hstack([kept.columns for kept in self._kept]), frames=len(self._kept))
        return [
            {"kernel": kernel, "height": height, "log_error": float(error), "frames": curve.frames}
            for kernel, errors in curve.log_errors.items()
            for height, error in zip(curve.heights.tolist(), errors, strict=True)
        ]


def sample_columns(luma: NDArray[np.uint8], columns: int = COLUMNS) -> NDArray[np.uint8]:
    """The most detailed column of each of `columns` equal parts of `luma` (h, w) from left to right: (h, columns)."""
    looked_at = luma[:, ::_COLUMN_STEP] if luma.shape[1] >= columns * _COLUMN_STEP else luma
    part = looked_at.shape[1] // columns
    detail = _detail(looked_at)[: part * columns].reshape(columns, part)
    return looked_at[:, detail.argmax(axis=1) + np.arange(columns) * part]


def _detail(luma: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean absolute second difference down each column, grey levels, (w,)."""
    detail: NDArray[np.float64] = np.abs(np.diff(luma.astype(np.int16), n=2, axis=0)).mean(axis=0)
    return detail
