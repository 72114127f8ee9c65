"""From a manifest to pairs of a low-resolution and a high-resolution picture."""

import hashlib
import signal
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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
from apisr_model.degradations import Image
from apisr_model.degrade import Degradation

_CACHE_BYTES = 256 * 2**20
"""Of decoded pictures that each worker keeps: 97 of 720p. Reading one takes 15 to 40 ms, cutting a crop 1 ms."""

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
        ConfigError: no such file, no Parquet, no columns `image` and `split`, or no row to train on.
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
    if not rows["train"]:
        found = f"none of its {table.num_rows:,} rows has split 'train'" + (f" where {where}" if where else "")
        raise ConfigError(f"manifest {path}: nothing to train on: {found}")
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


class Pairs(Dataset[Pair]):
    """Pairs without end: sample `index` is a pure function of the rows, the settings, the seed and `index`.

    So it is the same whoever asks for it and when: any number of workers, a run that was resumed. Every picture comes
    once before any comes again, in an order drawn anew for each round.
    """

    def __init__(
        self, rows: Sequence[Row], degradation: Degradation, *, crop_px: int, seed: int, augment: bool = True
    ) -> None:
        self._rows = tuple(rows)
        self._degradation = degradation
        self._crop_px = crop_px
        self._seed = seed
        self._augment = augment
        self._decoded: OrderedDict[int, Rgb] = OrderedDict()
        self._decoded_bytes = 0

    def __getitem__(self, index: int) -> Pair:
        """Sample `index`, 0, 1, ...

        Raises:
            ImageError: the picture is missing or damaged; the message names its row.
        """
        round_, place = divmod(index, len(self._rows))
        order = np.random.default_rng([_ORDER, self._seed, round_]).permutation(len(self._rows))
        row = int(order[place])
        rng = np.random.default_rng([_SAMPLE, self._seed, index])
        crop = _crop(self._picture(row), self._crop_px, rng)
        if self._augment:
            crop = _turn(crop, rng)
        high_res = crop.astype(np.float32) / np.float32(255)
        low_res = self._degradation.apply(high_res, self._degradation.draw(rng))
        return Pair(_tensor(low_res), _tensor(high_res), self._rows[row].name)

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


def batches(
    pairs: Pairs, samples: Iterable[int], batch: int, *, workers: int = 0, pin: bool = False
) -> Iterator[Batch]:
    """The pairs with the indices `samples`, in that order, `batch` at a time, made ahead by `workers` processes."""
    return iter(
        DataLoader(
            pairs,
            sampler=samples,
            batch_size=batch,
            collate_fn=_stack,
            num_workers=workers,
            pin_memory=pin,
            # OpenCV's threads do not survive a fork
            multiprocessing_context="spawn" if workers else None,
            worker_init_fn=_leave_interrupts_to_the_parent if workers else None,
        )
    )


def _leave_interrupts_to_the_parent(_worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)  # the processes share the cores already


def _stack(pairs: list[Pair]) -> Batch:
    return Batch(
        torch.stack([pair.low_res for pair in pairs]),
        torch.stack([pair.high_res for pair in pairs]),
        tuple(pair.name for pair in pairs),
    )


def _crop(rgb: Rgb, side: int, rng: np.random.Generator) -> Rgb:
    """A square of `side` px anywhere in the picture, drawn evenly; a picture that is smaller is reflected beyond."""
    height, width = rgb.shape[:2]
    if height < side or width < side:
        below, right = max(side - height, 0), max(side - width, 0)
        rgb = cv2.copyMakeBorder(rgb, 0, below, 0, right, cv2.BORDER_REFLECT_101).astype(np.uint8, copy=False)
        height, width = rgb.shape[:2]
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    return rgb[top : top + side, left : left + side]


def _turn(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    """One of the eight ways to lay a square, each as likely: two flips and a transpose."""
    rows, columns, transpose = rng.integers(2, size=3)
    rgb = rgb[:: -1 if rows else 1, :: -1 if columns else 1]
    return rgb.transpose(1, 0, 2) if transpose else rgb


def _tensor(image: Image) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
