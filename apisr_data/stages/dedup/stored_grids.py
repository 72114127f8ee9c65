"""The luma grids of a dataset's thumbnails, compared pair by pair, in memory that does not grow with the dataset."""

import logging
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from apisr_data import thumbnails
from apisr_data.dataset import Dataset
from apisr_data.stages import Progress
from apisr_data.stages.dedup.clusters import Indices

log = logging.getLogger(__name__)

_PAIRS_AT_ONCE = 256  # 1 MiB a side, which stays in the processor's cache
_THUMBNAILS_AT_ONCE = 2048
_SHAPE = (thumbnails.GRID_PX, thumbnails.GRID_PX)


class StoredGrids:
    """The grids of these frames, 4 KiB each, in a temporary file of the dataset's folder; a context manager.

    Raises:
        OSError: the disk is full.
    """

    def __init__(self, dataset: Dataset, frame_ids: pa.ChunkedArray, progress: Progress) -> None:
        self._row = np.full(len(frame_ids), -1)
        self._file = tempfile.TemporaryFile(dir=dataset.path)  # noqa: SIM115 (closed by __exit__)
        try:
            written = 0
            for numbers, grids in _decode(dataset, frame_ids):
                self._row[numbers] = np.arange(written, written + len(numbers))
                self._file.write(grids.tobytes())
                written += len(numbers)
                progress.advance(len(numbers))
            self._file.flush()
        except BaseException:
            self._file.close()
            raise
        if written < len(frame_ids):
            log.warning("%d thumbnails are missing or damaged: their frames match nothing", len(frame_ids) - written)
        # mapped only now: a write to a map of a full disk would end the process
        self._grids: NDArray[np.uint8] | None = (
            np.memmap(self._file, np.uint8, "r", shape=(written, *_SHAPE))
            if written
            else np.zeros((1, *_SHAPE), np.uint8)
        )

    def __enter__(self) -> "StoredGrids":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._grids = None  # unmapped, or Windows would not remove the file
        self._file.close()

    def differences(self, left: Indices, right: Indices) -> NDArray[np.float32]:
        """`thumbnails.difference` of frames left[k] and right[k]; infinite where a thumbnail is missing or damaged."""
        assert self._grids is not None
        found = np.empty(len(left), np.float32)
        for start in range(0, len(left), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            a, b = self._row[left[part]], self._row[right[part]]
            found[part] = np.where((a < 0) | (b < 0), np.inf, thumbnails.difference(self._grids[a], self._grids[b]))
        return found


def _decode(dataset: Dataset, frame_ids: pa.ChunkedArray) -> Iterator[tuple[Indices, NDArray[np.uint8]]]:
    """Batches of positions in `frame_ids` and their grids (n, 64, 64), in the order of the parts."""
    connection = dataset.connection
    connection.register("wanted", pa.table({"frame_id": frame_ids, "n": np.arange(len(frame_ids))}))
    query = "SELECT w.n, t.jpeg FROM thumbnails t JOIN wanted w USING (frame_id)"
    with ThreadPoolExecutor() as decoders:  # OpenCV decodes outside the interpreter's lock
        for batch in connection.sql(query).to_arrow_reader(_THUMBNAILS_AT_ONCE):
            grids = list(decoders.map(_grid_or_none, batch["jpeg"].to_pylist()))
            numbers = [n for n, grid in zip(batch["n"].to_pylist(), grids, strict=True) if grid is not None]
            if numbers:
                yield np.array(numbers), np.stack([grid for grid in grids if grid is not None])
    connection.unregister("wanted")


def _grid_or_none(jpeg: bytes | None) -> NDArray[np.uint8] | None:
    try:
        return thumbnails.grid(jpeg or b"")
    except ValueError:
        return None
