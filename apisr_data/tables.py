"""Every table of a dataset: its columns with type, unit and meaning, and how a part reaches the disk."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True)
class Column:
    """One column: `type` is an Arrow type, `meaning` one line that includes the unit or range."""

    name: str
    type: pa.DataType
    meaning: str


@dataclass(frozen=True)
class Table:
    """A table's name and columns.

    `is_per_video` tables are folders with one part a video; the others are one file.
    """

    name: str
    columns: tuple[Column, ...]
    is_per_video: bool = True

    def with_columns(self, columns: Iterable[Column]) -> "Table":
        """This table with `columns` after its own (a scorer's, say)."""
        return Table(self.name, self.columns + tuple(columns), self.is_per_video)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema; each field carries its meaning as metadata."""
        return pa.schema([pa.field(c.name, c.type, metadata={"meaning": c.meaning}) for c in self.columns])

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
        """Rows as an Arrow table with exactly this table's columns; a key that is not a column is an error."""
        names = {c.name for c in self.columns}
        for row in rows:
            if unknown := row.keys() - names:
                raise KeyError(f"table '{self.name}' has no column {sorted(unknown)}; it has {sorted(names)}")
        return pa.Table.from_pylist(list(rows), schema=self.schema)


_STRING, _INT, _BIG, _FLOAT, _BOOL = pa.string(), pa.int32(), pa.int64(), pa.float64(), pa.bool_()

_VIDEO_ID = Column("video_id", _STRING, "BLAKE2b of size and samples of the content, 16 hex digits")
_FRAME_ID = Column("frame_id", _STRING, "<video_id>-<pts>; the packet's ordinal where pts is absent or repeated")

SOURCES = Table(
    "sources",
    (
        _VIDEO_ID,
        Column("path", _STRING, "a place where this content was seen, absolute"),
        Column("bytes", _BIG, "file size"),
        Column("mtime_ns", _BIG, "modification time, ns since the epoch"),
        Column("kind", _STRING, "video, or images (a batch of pictures of one folder)"),
        Column("pictures", pa.list_(_STRING), "file names under `path` of a batch of pictures; null for a video"),
        Column("title", _STRING, "from --titles, else the file name, else the folder"),
        Column("episode", _STRING, "from --titles, else the file name; null where none is named"),
        Column("source", _STRING, "where the material comes from (--titles); null when not said"),
        Column("licence", _STRING, "its licence (--titles); 'unknown' when not said"),
    ),
    is_per_video=False,
)

VIDEOS = Table(
    "videos",
    (
        _VIDEO_ID,
        Column("status", _STRING, "done, or failed"),
        Column("reason", _STRING, "why it failed, or a warning; null otherwise"),
        Column("mtime_ns", _BIG, "modification time of the file that was read"),
        Column("container", _STRING, "container format, as libavformat names it"),
        Column("codec", _STRING, "video codec"),
        Column("profile", _STRING, "codec profile"),
        Column("pixel_format", _STRING, "decoded pixel format"),
        Column("bit_depth", _INT, "bits a component"),
        Column("width", _INT, "coded width, px"),
        Column("height", _INT, "coded height, px"),
        Column("sample_aspect_ratio", _FLOAT, "width of a pixel over its height"),
        Column("rotation", _INT, "degrees clockwise that a player turns the picture by: 0, 90, 180 or 270"),
        Column("fps", _FLOAT, "average frame rate, 1/s"),
        Column("duration_s", _FLOAT, "duration of the video stream, s"),
        Column("interlacing", _STRING, "progressive, interlaced or telecine, as measured; null when not measurable"),
        Column("field_order", _STRING, "what the stream's flags say: progressive, tff, bff; null when silent"),
        Column("colour_matrix", _STRING, "bt709, bt601, bt2020, rgb, smpte240m or fcc"),
        Column("colour_range", _STRING, "limited or full"),
        Column("colour_transfer", _STRING, "transfer function that the stream names; null when silent"),
        Column("colour_source", _STRING, "where the matrix comes from: tag, guess or user"),
        Column("packets", _INT, "video packets in the file"),
        Column("i_frames", _INT, "I-frames decoded"),
        Column("key_frames", _INT, "packets that the container marks as key"),
        Column("iframe_method", _STRING, "how the I-frames were found: key-packets, slice-types, headers, full-decode"),
        Column("decode_errors", _INT, "packets that the decoder refused"),
        Column("is_cut_short", _BOOL, "the stream ends long before the duration that the file states"),
    ),
)

PACKET_SIZES = Table(
    "packet_sizes",
    (
        _VIDEO_ID,
        Column("picture_type", _STRING, "I, P, B, or ? where the packet's header does not tell"),
        Column("bytes_from", _BIG, "lower edge of a quarter-octave bin of packet size, bytes"),
        Column("packets", _INT, "packets in this bin"),
        Column("bytes", _BIG, "their total size"),
    ),
)

FRAMES = Table(
    "frames",
    (
        _FRAME_ID,
        _VIDEO_ID,
        Column("pts", _BIG, "the packet's raw presentation time stamp, in the stream's time base; null where absent"),
        Column("packet", _INT, "the packet's ordinal in demux order (a picture's ordinal in its batch)"),
        Column("time_s", _FLOAT, "seconds from the stream's start"),
        Column("image_name", _STRING, "file name under the source folder, for a picture; null for a video's frame"),
        Column("width", _INT, "displayed width of the undistorted frame, px"),
        Column("height", _INT, "displayed height of the frame, px"),
        Column("packet_bytes", _BIG, "size of the packet (of the file, for a picture)"),
        Column("is_key_packet", _BOOL, "the container marks the packet as key"),
        Column("is_corrupt", _BOOL, "the decoder marks the frame as possibly damaged"),
        Column("bits_per_pixel", _FLOAT, "packet bits over coded pixels"),
        Column("neighbour_bytes", _FLOAT, "mean size of the P and B packets up to the I-frames on either side, bytes"),
        Column("scene", _INT, "0, 1, ... in time order; consecutive I-frames of one shot share it"),
        Column("phash", pa.uint64(), "64-bit perceptual hash (DCT signs of the 32x32 luma)"),
        Column("luma_mean", _FLOAT, "mean luma, 0..255"),
    ),
)

THUMBNAILS = Table(
    "thumbnails",
    (_FRAME_ID, _VIDEO_ID, Column("jpeg", pa.binary(), "the whole frame at 256 px on its longer side, JPEG")),
)

DESCALE = Table(
    "descale",
    (
        _VIDEO_ID,
        Column("kernel", _STRING, "bilinear, mitchell, catmull-rom or lanczos"),
        Column("height", _INT, "candidate native height, px"),
        Column("log_error", _FLOAT, "mean over the sampled frames of the log of the descale error"),
        Column("frames", _INT, "frames sampled"),
    ),
)

NATIVE_HEIGHTS = Table(
    "native_heights",
    (
        Column("title", _STRING, "title of the work"),
        Column("source_height", _INT, "coded height of the videos measured, px"),
        Column("height", _INT, "height that the title was drawn at, px; null where none stands out"),
        Column("kernel", _STRING, "kernel that brought it to the source height; null where none stands out"),
        Column("confidence", _FLOAT, "0..1, see docs/native-height.md"),
        Column("videos", _INT, "videos measured"),
        Column("frames", _INT, "frames measured"),
    ),
    is_per_video=False,
)

SCORES = Table(
    "scores",
    (
        _FRAME_ID,
        _VIDEO_ID,
        Column("complexity", _FLOAT, "image complexity, greater is more complex; comparable within one scorer"),
        Column("complexity_scorer", _STRING, "the scorer that made `complexity`"),
    ),
)

DUPLICATES = Table(
    "duplicates",
    (
        _FRAME_ID,
        Column("cluster", _INT, "0, 1, ...; frames that a chain of matches connects"),
        Column("kept_frame_id", _STRING, "the better frame that this one matches directly; itself where it is kept"),
        Column("rank", _INT, "1-based preference among the frames with this kept_frame_id; 1 is the kept one"),
        Column("distance", _INT, "Hamming distance of the perceptual hash to the kept frame's"),
        Column("thumbnail_difference", _FLOAT, "largest mean difference of a thumbnail block to the kept one, 0..255"),
    ),
    is_per_video=False,
)

REPEATS = Table(
    "repeats",
    (
        Column("run", _INT, "0, 1, ...: one stretch that several videos share (an opening, an ending)"),
        _VIDEO_ID,
        Column("start_s", _FLOAT, "start of the stretch in this video, s"),
        Column("end_s", _FLOAT, "end of the stretch in this video, s"),
        Column("frames", _INT, "I-frames of this video in the stretch"),
        Column("kind", _STRING, "opening, ending or repeat, by where it lies in its videos"),
    ),
    is_per_video=False,
)

SELECTION = Table(
    "selection",
    (
        _FRAME_ID,
        Column("is_kept", _BOOL, "the frame is in the training set"),
        Column("reason", _STRING, "why it is kept or dropped"),
        Column("partition", _INT, "which part of the video's time it stands in, 0-based; null where none applies"),
        Column("rank", _INT, "1-based rank by complexity among the partition's candidates; null for others"),
    ),
    is_per_video=False,
)

OVERRIDES = Table(
    "overrides",
    (
        _FRAME_ID,
        Column("is_kept", _BOOL, "what a person decided"),
        Column("reason", _STRING, "why; null when not said"),
    ),
    is_per_video=False,
)

IMAGES = Table(
    "images",
    (
        _FRAME_ID,
        Column("image", _STRING, "path of the PNG under the dataset folder; null where none was made"),
        Column("reason", _STRING, "why there is no image, or why its size was kept; null otherwise"),
        Column("width", _INT, "px"),
        Column("height", _INT, "px"),
        Column("kernel", _STRING, "resampling kernel: lanczos, area, paper, or none where the size was kept"),
        Column("crop_left", _INT, "px cut from the displayed frame before scaling"),
        Column("crop_top", _INT, "px cut from the displayed frame before scaling"),
        Column("crop_width", _INT, "px of the displayed frame that were scaled"),
        Column("crop_height", _INT, "px of the displayed frame that were scaled"),
        Column("scaled_width", _INT, "px after scaling; the image is its centre"),
        Column("scaled_height", _INT, "px after scaling; the image is its centre"),
        Column("sha256", _STRING, "of the RGB pixels, row by row (not of the file)"),
    ),
    is_per_video=False,
)

MANIFEST = Table(
    "manifest",
    (
        Column("image", _STRING, "path relative to the manifest"),
        Column("width", _INT, "px"),
        Column("height", _INT, "px"),
        Column("sha256", _STRING, "of the RGB pixels, row by row"),
        Column("split", _STRING, "train or val"),
        Column("title", _STRING, "title of the work"),
        Column("episode", _STRING, "episode; null where none"),
        Column("video_id", _STRING, "see sources"),
        Column("frame_id", _STRING, "see frames"),
        Column("time_s", _FLOAT, "seconds from the video's start"),
        Column("complexity", _FLOAT, "see scores"),
        Column("complexity_scorer", _STRING, "see scores"),
        Column("source", _STRING, "where the material comes from"),
        Column("licence", _STRING, "its licence, or 'unknown'"),
        Column("recipe", _STRING, "digest of every setting that shaped this row"),
    ),
    is_per_video=False,
)

TABLES = (
    SOURCES,
    VIDEOS,
    PACKET_SIZES,
    FRAMES,
    THUMBNAILS,
    DESCALE,
    NATIVE_HEIGHTS,
    SCORES,
    DUPLICATES,
    REPEATS,
    SELECTION,
    OVERRIDES,
    IMAGES,
    MANIFEST,
)


class PartWriter:
    """Write a part row by row; it takes its name when the `with` block ends well, and leaves nothing otherwise.

    At most `rows_held` rows are in memory.
    """

    def __init__(self, table: Table, path: Path, *, rows_held: int = 256) -> None:
        self._table = table
        self._path = path
        self._rows_held = rows_held
        self._rows: list[Mapping[str, Any]] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self._file = pq.ParquetWriter(self._temporary, table.schema, compression="zstd")

    def add(self, row: Mapping[str, Any]) -> None:
        """One row more."""
        self._rows.append(row)
        if len(self._rows) >= self._rows_held:
            self._flush()

    def _flush(self) -> None:
        self._file.write_table(self._table.rows(self._rows))
        self._rows.clear()

    def __enter__(self) -> "PartWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush()
            self._file.close()
            if kind is None:
                self._temporary.replace(self._path)
        finally:
            self._temporary.unlink(missing_ok=True)


def write(table: pa.Table, path: Path) -> None:
    """Write `table` as Parquet (zstd) so that `path` holds either its old content or all of the new one.

    Raises:
        OSError: the disk is full or the folder cannot be written; nothing half-written is left under `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        pq.write_table(table, temporary, compression="zstd")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
