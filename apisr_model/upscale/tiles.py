"""A network over pictures of any size, piece by piece: no seam, no piece left out, within the memory that is free."""

import dataclasses
import logging
import math
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise, product

import torch
from torch import Tensor

from apisr_data.errors import ResourceError
from apisr_model.errors import ShapeError, WeightsError
from apisr_model.network import Network
from apisr_model.upscale import memory

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Told the input px that are done and their final number."""

_SHARE = {"cpu": 0.25}
"""Of the free memory that one tile may use: pictures, encoders and other programs need some too."""
_SHARE_ELSEWHERE = 0.8
_LARGEST_PX = {"cpu": 1024}
"""Of a tile chosen here. On a CPU, RRDB and Compact take the same time a px from 256 px on, and twice that at 64 px."""
_LARGEST_ELSEWHERE_PX = 2048


@dataclass(frozen=True)
class Span:
    """One side of a tile, input px: the network sees [start, stop), of which [kept_start, kept_stop) is used."""

    start: int
    stop: int
    kept_start: int
    kept_stop: int


@dataclass(frozen=True)
class Tile:
    """A piece of the input, and the part of it whose result is kept; the kept parts cover a picture exactly once."""

    down: Span
    across: Span

    @property
    def kept(self) -> tuple[slice, slice]:
        """Rows and columns of the input that this tile answers for."""
        return slice(self.down.kept_start, self.down.kept_stop), slice(self.across.kept_start, self.across.kept_stop)

    @property
    def side_px(self) -> int:
        """The longer side of what the network sees."""
        return max(self.down.stop - self.down.start, self.across.stop - self.across.start)

    @property
    def kept_px(self) -> int:
        """Number of input px that this tile answers for."""
        return math.prod(part.stop - part.start for part in self.kept)


class Tiler:
    """Runs a network over pictures; remembers what one px needs of memory, and which tile was too large for it.

    Tiles lie on the network's grid, and each is cut in the middle of what it shares with the next one, where at least
    the network's overlap lies beyond the cut. Blending would be worse: it mixes in pixels that lie nearer to the edge
    of their tile, and towards it the error grows faster than a ramp's weight falls.
    """

    def __init__(self, network: Network, tile_px: int | None = None) -> None:
        """`tile_px`: the largest side of a tile with its overlap, input px; None: as large as the memory allows.

        It is rounded to the network's grid, and never below what the overlap needs.
        """
        self.network = network
        self._margin = _round_up(network.overlap_px, network.multiple_of)
        step = max(self._margin, network.multiple_of)  # less would compute the overlap more than nine times
        self._floor = _round_up(max(2 * self._margin + step, network.smallest_px), network.multiple_of)
        self._asked_px = None if tile_px is None else self._on_grid(tile_px)
        self._bytes_per_px: float | None = None
        self._limit_px = sys.maxsize

    def settle(self, height: int, width: int) -> int:
        """Keep to the tile size that a picture of this size gets now, whatever memory is free later; returns it."""
        self._asked_px = self._asked_px or self._automatic(height, width)
        return self._asked_px

    def tiles(self, rgb: Tensor, progress: Progress | None = None) -> Iterator[tuple[Tile, Tensor]]:
        """Each tile and its result (1, 3, scale * h, scale * w) of the kept part, float32 on the network's device.

        `rgb` is (1, 3, h, w), float in [0, 1], uint8 or uint16, on any device. Where memory runs out, the tile that
        failed and those after it are computed in smaller pieces.

        Raises:
            ShapeError: `rgb` has another shape or type.
            ResourceError: not even the smallest tile fits the memory.
            WeightsError: the network's result is not finite in float32 either.
        """
        height, width = _size(rgb)
        tile_px = min(self._asked_px or self._automatic(height, width), self._limit_px)
        todo = deque(self._cut((0, height), (0, width), rgb, tile_px))
        done = 0
        while todo:
            tile = todo.popleft()
            if tile.side_px > min(tile_px, self._limit_px):
                todo.extendleft(reversed(self._cut(_kept(tile.down), _kept(tile.across), rgb, self._limit_px)))
                continue
            try:
                result = self._compute(rgb, tile)
            except Exception as error:  # ONNX Runtime's derive from nothing narrower
                if not memory.has_run_out(error):
                    raise
                todo.appendleft(tile)
            else:
                yield tile, result
                del result
                done += tile.kept_px
                if progress:
                    progress(done, height * width)
                continue
            self._halve(tile)  # out of the handler, whose traceback holds the tensors of the failed attempt

    def _compute(self, rgb: Tensor, tile: Tile) -> Tensor:
        piece = _as_float(rgb[..., tile.down.start : tile.down.stop, tile.across.start : tile.across.stop])
        result = self.network(piece)
        if not torch.isfinite(result).all():
            result = self._compute_in_fp32(piece, tile)
        scale = self.network.scale
        rows, columns = (
            slice((s.kept_start - s.start) * scale, (s.kept_stop - s.start) * scale) for s in (tile.down, tile.across)
        )
        return result[..., rows, columns]

    def _compute_in_fp32(self, piece: Tensor, tile: Tile) -> Tensor:
        network, place = self.network, f"at x {tile.across.start}, y {tile.down.start}"
        if network.dtype != torch.float32:
            log.warning("%s overflows in %s %s; computed there in float32", network.architecture, network.dtype, place)
            result = dataclasses.replace(network, dtype=torch.float32)(piece)
            if torch.isfinite(result).all():
                return result
        raise WeightsError(
            f"{network.origin or network.architecture}: the network's result {place} is not finite (NaN or infinity) "
            "even in float32; its weights are damaged or of another architecture"
        )

    def _halve(self, tile: Tile) -> None:
        """Allow no more than half of what failed.

        Raises:
            ResourceError: the tile that failed had the smallest size.
        """
        memory.release(self.network.device)
        if tile.side_px <= self._floor:
            raise ResourceError(
                f"{self.network.architecture} on {self.network.device}: memory ran out even for a tile of "
                f"{tile.side_px} px, the smallest it can have; close other programs, or choose another --device"
            )
        self._limit_px = self._on_grid(tile.side_px // 2)
        log.warning("memory ran out at tiles of %d px; going on with %d px", tile.side_px, self._limit_px)

    def _on_grid(self, tile_px: float) -> int:
        return max(int(tile_px) // self.network.multiple_of * self.network.multiple_of, self._floor)

    def _automatic(self, height: int, width: int) -> int:
        """The tile size for a picture of that size: the largest that fits into memory, as overlap costs time."""
        height, width = (_round_up(side, self.network.multiple_of) for side in (height, width))
        if max(height, width) <= self._floor:
            return self._floor
        if self._bytes_per_px is None:
            self._bytes_per_px = self._measure()
        kind = torch.device(self.network.device).type
        fitting_px = memory.free_bytes(self.network.device) * _SHARE.get(kind, _SHARE_ELSEWHERE) / self._bytes_per_px
        largest = _LARGEST_PX.get(kind, _LARGEST_ELSEWHERE_PX)
        if height * width <= min(fitting_px, largest**2):
            return max(height, width)
        return self._on_grid(min(largest, math.sqrt(fitting_px)))

    def _measure(self) -> float:
        """Bytes that the network takes for each input px; infinity where memory runs out at the smallest tile."""
        try:
            return memory.bytes_per_px(self.network, self._floor)
        except Exception as error:
            if not memory.has_run_out(error):
                raise
        memory.release(self.network.device)  # out of the handler, as in `tiles`
        return math.inf

    def _cut(self, rows: tuple[int, int], columns: tuple[int, int], rgb: Tensor, tile_px: int) -> list[Tile]:
        """Tiles of at most `tile_px` that keep these rows and columns, in reading order."""
        height, width = _size(rgb)
        down, across = self._spans(*rows, height, tile_px), self._spans(*columns, width, tile_px)
        return [Tile(*both) for both in product(down, across)]

    def _spans(self, start: int, stop: int, side: int, tile_px: int) -> list[Span]:
        """[start, stop) of a side, cut into the fewest pieces, all of one length where there are several."""
        grid = self.network.multiple_of
        low = max(0, (start - self._margin) // grid * grid)
        high = min(_round_up(stop + self._margin, grid), _round_up(side, grid))
        step = tile_px - 2 * self._margin
        count = max(1, math.ceil((high - low - 2 * self._margin) / step))
        length = _round_up(math.ceil((high - low - 2 * self._margin) / count), grid) + 2 * self._margin
        if count == 1:
            length = high - low
        origins = [low + (high - low - length) * i // max(1, count - 1) // grid * grid for i in range(count)]
        cuts = [start, *((left + length + right) // 2 for left, right in pairwise(origins)), stop]
        return [
            Span(origin, min(origin + length, side), *kept)
            for origin, kept in zip(origins, pairwise(cuts), strict=True)
        ]


def scaled(kept: tuple[slice, slice], scale: int) -> tuple[slice, slice]:
    """Where the result of these rows and columns stands in the output."""
    rows, columns = (slice(part.start * scale, part.stop * scale) for part in kept)
    return rows, columns


def _size(rgb: Tensor) -> tuple[int, int]:
    if rgb.ndim != 4 or tuple(rgb.shape[:2]) != (1, 3) or 0 in rgb.shape:
        raise ShapeError(f"tiles are cut from one picture of shape (1, 3, h, w), found {tuple(rgb.shape)}")
    return rgb.shape[2], rgb.shape[3]


def _as_float(piece: Tensor) -> Tensor:
    if piece.is_floating_point():
        return piece.float()
    tops = {torch.uint8: 255, torch.uint16: 65535}
    if piece.dtype not in tops:
        raise ShapeError(f"pixels are float, uint8 or uint16, found {piece.dtype}")
    return piece.float() / tops[piece.dtype]


def _kept(span: Span) -> tuple[int, int]:
    return span.kept_start, span.kept_stop


def _round_up(value: int, grid: int) -> int:
    return -(-value // grid) * grid
