"""The pictures of a manifest as a worker holds them: decoded, with their targets, as many as its memory allows."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apisr_data.errors import ImageError
from apisr_data.images import Rgb, pixels_sha256, read
from apisr_model import targets
from apisr_model.data.kept_targets import KeptTargets
from apisr_model.data.manifest import Row, read_low_res
from apisr_model.targets import TargetConfig

_HELD_BYTES = 256 * 2**20
"""Of decoded pictures that each worker holds: 97 of 720p, half of that with their targets."""

_TARGET = 4
"""What the generator is for; stands before the seed, so that no two purposes draw the same numbers."""


@dataclass(frozen=True)
class Picture:
    """RGB uint8 (h, w, 3) each: a row's picture, what is learned of it, and the other half of a real pair."""

    high_res: Rgb
    target: Rgb
    """The same array as `high_res` where the target is the raw picture."""
    low_res: Rgb | None
    gamma: float | None
    """What was drawn to make the target."""

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        own = 0 if self.target is self.high_res else self.target.nbytes
        return self.high_res.nbytes + own + (0 if self.low_res is None else self.low_res.nbytes)


class Pictures:
    """Rows' pictures by number. A target depends on the picture's pixels, the settings and the seed alone."""

    def __init__(self, rows: Sequence[Row], config: TargetConfig, scale: int, seed: int, kept: Path | None) -> None:
        self._rows = tuple(rows)
        self._config = config
        self._scale = scale
        self._seed = seed
        self._kept = KeptTargets(kept)
        self._held: OrderedDict[int, Picture] = OrderedDict()
        self._held_bytes = 0

    def __getitem__(self, number: int) -> Picture:
        """The picture of row `number`, from memory where it was asked for lately.

        Raises:
            ImageError: it is missing or damaged; the message names its row.
            ShapeError: a real pair's sides do not fit the scale.
        """
        if number in self._held:
            self._held.move_to_end(number)
            return self._held[number]
        picture = self._read(self._rows[number])
        self._held[number] = picture
        self._held_bytes += picture.nbytes
        while self._held_bytes > _HELD_BYTES and len(self._held) > 1:
            self._held_bytes -= self._held.popitem(last=False)[1].nbytes
        return picture

    def _read(self, row: Row) -> Picture:
        try:
            high_res = read(row.path)
        except ImageError as error:
            raise ImageError(f"manifest row '{row.name}': {error}") from None
        low_res = read_low_res(row, high_res, self._scale)
        if self._config.kind == "raw":
            return Picture(high_res, high_res, low_res, None)
        pixels = pixels_sha256(high_res)
        gamma = targets.draw(self._config, np.random.default_rng([_TARGET, self._seed, int(pixels[:16], 16)]))
        target = self._kept.make(high_res, pixels, self._config.kind, gamma)
        return Picture(high_res, target, low_res, gamma)
