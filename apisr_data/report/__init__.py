"""report: a dataset as one page to look at, and to decide frame by frame; its decisions are what `select` takes.

`facts` asks the tables, `progress` says which stages are behind, `page` puts both into one HTML file that needs nothing
else, or small pictures beside it where there are many frames.
"""

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from apisr_data.dataset import Dataset
from apisr_data.errors import DatasetError, UsageError
from apisr_data.images import write_bytes
from apisr_data.report.facts import gather
from apisr_data.report.page import render
from apisr_data.report.progress import StageState

INLINE_BYTES = 6_000_000
"""JPEG bytes of all thumbnails, up to which they stand in the page itself: some 500 frames."""

_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
_OUR_PICTURE = re.compile(r"[0-9a-f]{16}-[0-9]+\.jpg")
_SAFE_NAME = re.compile(r"[0-9A-Za-z_-]+")
_FRAMES_READ = 256


@dataclass(frozen=True)
class Written:
    """What was written."""

    path: Path
    frames: int
    pictures: Path | None
    """The folder of thumbnails beside the page; None where they stand in it."""
    behind: StageState | None
    """The first stage that is not done; None where all are."""


def write_report(dataset: Dataset, target: Path | None = None, *, inline_bytes: int = INLINE_BYTES) -> Written:
    """Write the page about `dataset` to `target`, DATASET/report.html unless given; an older one is replaced.

    Raises:
        UsageError: `target` is a folder or no .html file, or lies where nothing may be written.
        DatasetError: a table is damaged.
        OSError: the disk is full; an older page is then as it was.
    """
    path = target or dataset.path / "report.html"
    if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
        raise UsageError(f"report {path}: a report is a page; name a file that ends in .html")
    try:
        return _write(dataset, path, inline_bytes)
    except (duckdb.Error, pa.ArrowException) as error:
        raise DatasetError(f"{dataset.path}: a table is damaged: {error}") from None
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
        told = f"report: the folder {path.parent} cannot be written ({error.strerror}); name another page with -o"
        raise UsageError(told) from None


def _write(dataset: Dataset, path: Path, inline_bytes: int) -> Written:
    facts = gather(dataset)
    size = dataset.sql("SELECT coalesce(sum(octet_length(jpeg)), 0) FROM thumbnails").fetchall()[0][0]
    beside = path.with_name(f"{path.stem}.files")
    pictures = beside if size > inline_bytes else None
    thumbnails = None
    if pictures is None:
        thumbnails = dict(_thumbnails(dataset))
    else:
        for frame_id, jpeg in _thumbnails(dataset):
            write_bytes(jpeg, pictures / f"{frame_id}.jpg")
    page = render(facts, thumbnails, pictures.name if pictures else None)
    write_bytes(page.encode(errors="replace"), path)
    if pictures is None:
        _remove_pictures(beside)
    behind = next((StageState(**stage) for stage in facts["stages"] if stage["state"] != "done"), None)
    return Written(path, facts["totals"]["frames"], pictures, behind)


def _remove_pictures(folder: Path) -> None:
    """Remove what an older report left beside the page, and the folder where nothing else lies in it."""
    if folder.is_symlink() or not folder.is_dir():
        return
    for file in folder.iterdir():
        if _OUR_PICTURE.fullmatch(file.name):
            file.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()


def _thumbnails(dataset: Dataset) -> Iterator[tuple[str, bytes]]:
    """Every frame's thumbnail, a few at a time; ids that are no file name are left out."""
    for part in dataset.parts("thumbnails") if dataset.digest("extract") else ():
        for batch in pq.ParquetFile(part).iter_batches(_FRAMES_READ, columns=["frame_id", "jpeg"]):
            for frame_id, jpeg in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                if jpeg and _SAFE_NAME.fullmatch(frame_id):
                    yield frame_id, jpeg
