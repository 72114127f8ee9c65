"""From a manifest to pairs of a low-resolution and a high-resolution picture."""

import hashlib
import signal
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from apisr_data.errors import ConfigError, ImageError, QueryError
from apisr_data.images import Rgb, read
from apisr_model.degradations import Image, from_levels
from apisr_model.degrade import Degradation

_CACHE_BYTES = 256 * 2**20
"""Of decoded pictures that each worker keeps: 97 of 720p. Reading one takes 15 to 40 ms, cutting a crop 1 ms."""

_APART = 16
"""Frames between two that give crops to the same batch, at least."""

_ORDER, _SAMPLE = 1, 2
"""What a generator is for; stands before the seed, so that no two purposes draw the same numbers."""


@dataclass(frozen=True)
class Row:
    """One picture of a manifest; `name` is what the manifest calls it."""

    name: str
    path: Path


@dataclass(frozen=True)
class Manifest:
    """The rows to train on and to validate with, in the manifest's order; `digest` names the file and the condition."""

    path: Path
    train: tuple[Row, ...]
    val: tuple[Row, ...]
    digest: str


def read_manifest(path: Path, where: str | None = None) -> Manifest:
    """The rows of `path` that meet the SQL condition `where` over its columns.

    Raises:
        ConfigError: no such file, no Parquet, no columns `image` and `split`, or no row of either split.
        QueryError: `where` is not one condition over the manifest's columns.
    """
    try:
        content = path.read_bytes()
        table = pq.read_table(pa.BufferReader(content))
    except (OSError, pa.ArrowException) as error:
        raise ConfigError(f"manifest {path}: cannot be read: {error}") from None
    if missing := {"image", "split"} - set(table.column_names):
        raise ConfigError(f"manifest {path}: no column {', '.join(sorted(missing))}; it has {table.column_names}")
    chosen = _where(table, where) if where else table
    rows: dict[str, list[Row]] = {"train": [], "val": []}
    for image, split in zip(chosen["image"].to_pylist(), chosen["split"].to_pylist(), strict=True):
        if split in rows:
            rows[split].append(Row(image, path.parent / image))
    if not any(rows.values()):
        found = f"none of its {table.num_rows:,} rows has split 'train' or 'val'" + (f" where {where}" if where else "")
        raise ConfigError(f"manifest {path}: {found}")
    return Manifest(
        path, tuple(rows["train"]), tuple(rows["val"]), hashlib.sha256(content + (where or "").encode()).hexdigest()
    )


def _where(table: pa.Table, where: str) -> pa.Table:
    locked: dict[str, str | bool | int | float | list[str]] = {"enable_external_access": False}
    with duckdb.connect(":memory:", config=locked | {"python_enable_replacements": False}) as connection:
        try:
            return connection.from_arrow(table).filter(where).to_arrow_table()  # one expression, or DuckDB refuses it
        except duckdb.Error as error:
            raise QueryError(f"where {where!r}: {error}") from None


@dataclass(frozen=True)
class Pair:
    """One sample: RGB float32 in 0..1, `low_res` (3, h / scale, w / scale) and `high_res` (3, h, w)."""

    low_res: Tensor
    high_res: Tensor
    name: str


class Pairs(Dataset[tuple[Pair, ...]]):
    """Frames without end, each degraded once and cut into `crops` pairs.

    Frame `number` is a pure function of the rows, the settings, the seed and `number`. So it is the same whoever asks
    for it and when: any number of workers, a run that was resumed. Every picture comes once before any comes again, in
    an order drawn anew for each round. What is degraded is the part of the picture that holds the crops, with
    `context_px` around them as far as the picture goes; all of its crops share one draw.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        degradation: Degradation,
        *,
        crop_px: int,
        seed: int,
        augment: bool = True,
        crops: int = 1,
        context_px: int = 0,
    ) -> None:
        self.crops = crops
        self._rows = tuple(rows)
        self._degradation = degradation
        self._crop_px = crop_px
        self._seed = seed
        self._augment = augment
        self._context_px = context_px
        self._decoded: OrderedDict[int, Rgb] = OrderedDict()
        self._decoded_bytes = 0

    def __getitem__(self, number: int) -> tuple[Pair, ...]:
        """The pairs of frame `number`, 0, 1, ...

        Raises:
            ImageError: the picture is missing or damaged; the message names its row.
            DegradationError: a codec failed; the message names its parameters.
        """
        round_, place = divmod(number, len(self._rows))
        order = np.random.default_rng([_ORDER, self._seed, round_]).permutation(len(self._rows))
        row = int(order[place])
        rng = np.random.default_rng([_SAMPLE, self._seed, number])
        side, scale = self._crop_px, self._degradation.scale
        picture = _at_least(self._picture(row), side)
        window, corners = _crops(picture.shape[:2], side, scale, self.crops, self._context_px, rng)
        high_res = from_levels(picture[window])
        low_res = self._degradation.apply(high_res, self._degradation.draw(rng))
        pairs = []
        for top, left in corners:
            turn = tuple(rng.integers(2, size=3)) if self._augment else (0, 0, 0)
            low_top, low_left, low_side = top // scale, left // scale, side // scale
            low = low_res[low_top : low_top + low_side, low_left : low_left + low_side]
            high = high_res[top : top + side, left : left + side]
            pairs.append(Pair(_tensor(_turn(low, turn)), _tensor(_turn(high, turn)), self._rows[row].name))
        return tuple(pairs)

    def _picture(self, row: int) -> Rgb:
        """The decoded picture, from memory where it was asked for lately."""
        if row in self._decoded:
            self._decoded.move_to_end(row)
            return self._decoded[row]
        try:
            rgb = read(self._rows[row].path)
        except ImageError as error:
            raise ImageError(f"manifest row '{self._rows[row].name}': {error}") from None
        self._decoded[row] = rgb
        self._decoded_bytes += rgb.nbytes
        while self._decoded_bytes > _CACHE_BYTES and len(self._decoded) > 1:
            self._decoded_bytes -= self._decoded.popitem(last=False)[1].nbytes
        return rgb


@dataclass(frozen=True)
class Batch:
    """Pairs stacked: `low_res` (b, 3, h / scale, w / scale), `high_res` (b, 3, h, w), RGB float32 in 0..1."""

    low_res: Tensor
    high_res: Tensor
    names: tuple[str, ...]

    def pin_memory(self) -> "Batch":
        """In memory that a GPU reads directly; DataLoader calls it."""
        return Batch(self.low_res.pin_memory(), self.high_res.pin_memory(), self.names)


def batches(pairs: Pairs, samples: range, batch: int, *, workers: int = 0, pin: bool = False) -> Iterator[Batch]:
    """The samples with those numbers, `batch` at a time, made ahead by `workers` processes.

    The crops of one frame come at least a batch apart, by a fixed pattern: which sample has which number depends on
    `pairs` and `batch` alone, so a run can begin anywhere.
    """
    crops, apart = pairs.crops, max(_APART, -(-batch // pairs.crops))
    first, skipped = divmod(samples.start, crops)
    held = (crops - 1) * apart + 1  # frames whose crops are not all given out
    frames = DataLoader(
        pairs,
        sampler=range(first, -(-samples.stop // crops) + held - 1),
        batch_size=None,
        num_workers=workers,
        # OpenCV's threads do not survive a fork
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_leave_interrupts_to_the_parent if workers else None,
    )
    stream = islice(_spread(frames, crops, apart), skipped, skipped + len(samples))
    while together := list(islice(stream, batch)):
        stacked = _stack(together)
        yield stacked.pin_memory() if pin else stacked


def _spread(frames: Iterable[tuple[Pair, ...]], crops: int, apart: int) -> Iterator[Pair]:
    """One pair each of `crops` frames that lie `apart` frames from each other, again and again."""
    held: deque[tuple[Pair, ...]] = deque(maxlen=(crops - 1) * apart + 1)
    for frame in frames:
        held.append(frame)
        if len(held) == held.maxlen:
            yield from (held[apart * crop][crop] for crop in range(crops))


def _leave_interrupts_to_the_parent(_worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)  # the processes share the cores already


def _stack(pairs: list[Pair]) -> Batch:
    return Batch(
        torch.stack([pair.low_res for pair in pairs]),
        torch.stack([pair.high_res for pair in pairs]),
        tuple(pair.name for pair in pairs),
    )


def _at_least(rgb: Rgb, side: int) -> Rgb:
    """A picture with both sides of at least `side` px: reflected beyond where it is smaller."""
    below, right = (max(side - extent, 0) for extent in rgb.shape[:2])
    if not below and not right:
        return rgb
    return cv2.copyMakeBorder(rgb, 0, below, 0, right, cv2.BORDER_REFLECT_101).astype(np.uint8, copy=False)


def _crops(
    shape: tuple[int, ...], side: int, scale: int, crops: int, context: int, rng: np.random.Generator
) -> tuple[tuple[slice, slice], list[tuple[int, int]]]:
    """The window around `crops` squares drawn evenly, and their corners in it.

    The corners are multiples of the scale from the window's, and that lies anywhere.
    """
    window, corners = [], []
    for extent in shape:
        phase = int(rng.integers(min(scale, extent - side + 1)))
        places = phase + scale * rng.integers((extent - side - phase) // scale + 1, size=crops)
        start = phase + max(int(places.min()) - context - phase, 0) // scale * scale
        stop = phase + (min(int(places.max()) + side + context, extent) - phase) // scale * scale
        window.append(slice(start, stop))
        corners.append((places - start).tolist())
    return (window[0], window[1]), list(zip(*corners, strict=True))


def _turn(image: Image, turn: Sequence[int]) -> Image:
    """One of the eight ways to lay a square: two flips and a transpose."""
    rows, columns, transpose = turn
    image = image[:: -1 if rows else 1, :: -1 if columns else 1]
    return image.transpose(1, 0, 2) if transpose else image


def _tensor(image: Image) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
