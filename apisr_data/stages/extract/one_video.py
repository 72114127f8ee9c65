"""One video, or one batch of pictures, into its parts: a row and a thumbnail a frame."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apisr_data import colour, interlacing, scorers, tables, video
from apisr_data.engines import Beat
from apisr_data.errors import ImageError, InputError, VideoError
from apisr_data.images import ImageFile, Luma, Picture, encode_jpeg
from apisr_data.scenes import SceneNumberer
from apisr_data.stages.score.one_video import ScoringJob, measure, scoring
from apisr_data.thumbnails import phash

STATISTICS = ("borders", "combing", "entropy")
"""Scorers that always run here, because dedup, select and rescale need what they say."""

THUMBNAIL_PX = 256
SPARSE_S = 60.0
"""Fewer I-frames than one in this time are an encoder's doing, and worth a warning."""
PICTURES_AT_ONCE = 4
"""Decoded pictures held at a time; ICNet gains little from larger batches on a CPU."""

FRAMES = tables.FRAMES.with_columns(c for name in STATISTICS for c in scorers.columns(name))


@dataclass(frozen=True)
class ExtractJob:
    """One video, or one batch of pictures of a folder, and where its parts go."""

    path: Path
    video_id: str
    mtime_ns: int
    parts: dict[str, Path]
    exact: bool = False
    assume_matrix: str | None = None
    pictures: tuple[str, ...] | None = None
    """File names under `path`, for a batch of pictures."""
    scoring: ScoringJob | None = None
    """Score in the same decode."""


@dataclass(frozen=True)
class Extracted:
    """What came of one job."""

    frames: int
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    """What is wrong with an input whose frames were read all the same: pictures that failed, a video cut short."""


def extract_video(job: ExtractJob, beat: Beat) -> Extracted:
    """Read one video or batch of pictures and write its parts, `videos` last: with it the job is done.

    Raises:
        VideoError: nothing can be read of the video; `write_failure` records that.
        OSError: the disk is full.
    """
    return _extract_video(job, beat) if job.pictures is None else _extract_pictures(job, beat)


def write_failure(job: ExtractJob, error: InputError) -> None:
    """Record that this input failed, so that the next run does not try it again before it changes.

    What an earlier extract left of it goes: a failed video has no frames.
    """
    for name in job.parts.keys() - {"videos"}:
        job.parts[name].unlink(missing_ok=True)
    row = {"video_id": job.video_id, "status": "failed", "reason": str(error), "mtime_ns": job.mtime_ns}
    tables.write(tables.VIDEOS.rows([row]), job.parts["videos"])


def _extract_video(job: ExtractJob, beat: Beat) -> Extracted:
    share = 0.0
    reader = video.iframes(job.path, exact=job.exact, assume_matrix=job.assume_matrix, on_packet=lambda: beat(share))
    taken: set[int] = set()

    def described() -> Iterator[tuple[dict[str, Any], Picture]]:
        nonlocal share
        for frame in reader:
            info = reader.scan.info
            row = {
                "frame_id": frame_id(job.video_id, frame.pts, frame.packet, taken),
                "pts": frame.pts,
                "packet": frame.packet,
                "time_s": frame.time_s,
                "width": frame.width,
                "height": frame.height,
                "packet_bytes": frame.packet_bytes,
                "is_key_packet": frame.is_key_packet,
                "is_corrupt": frame.is_corrupt,
                "bits_per_pixel": 8 * frame.packet_bytes / (info.width * info.height),
            }
            yield row, frame
            share = min(max(frame.time_s / info.duration_s, 0.0), 1.0) if info.duration_s else 0.0

    with ExitStack() as stack:
        frames = stack.enter_context(tables.PartWriter(FRAMES, job.parts["frames"]))
        rows = list(_observed(described(), job, stack))  # facts only; the pictures are gone
        scan, info = reader.scan, reader.scan.info
        if not rows:
            raise VideoError(f"{job.path}: no I-frame could be decoded ({scan.decode_errors} packets refused)")
        for row in rows:
            frames.add({**row, "neighbour_bytes": scan.neighbour_bytes(row["packet"])})
        sizes = stack.enter_context(tables.PartWriter(tables.PACKET_SIZES, job.parts["packet_sizes"]))
        for picture_type, bytes_from, packets, size in scan.size_histogram():
            counts = {"bytes_from": bytes_from, "packets": packets, "bytes": size}
            sizes.add({"video_id": job.video_id, "picture_type": picture_type, **counts})
        fields = _judge_fields(job.path, info, [row["combing"] for row in rows], beat)

    told = warnings(scan, len(rows), sum(row["is_corrupt"] for row in rows), fields)
    cut_short = _cut_short(scan)
    if cut_short:
        told.insert(0, cut_short)
    described_colour = colour.describe(info, job.assume_matrix)
    row = {
        "video_id": job.video_id,
        "status": "done",
        "reason": "; ".join(told) or None,
        "mtime_ns": job.mtime_ns,
        "container": info.container,
        "codec": info.codec,
        "profile": info.profile,
        "pixel_format": info.pixel_format,
        "bit_depth": info.bit_depth,
        "width": info.width,
        "height": info.height,
        "sample_aspect_ratio": float(info.sample_aspect_ratio),
        "rotation": info.rotation,
        "fps": info.fps,
        "duration_s": info.duration_s,
        "interlacing": fields,
        "field_order": info.field_order,
        "colour_matrix": described_colour.matrix,
        "colour_range": described_colour.range,
        "colour_transfer": described_colour.transfer,
        "colour_source": described_colour.source,
        "packets": len(scan.packets),
        "i_frames": len(rows),
        "key_frames": scan.key_packets,
        "iframe_method": scan.method,
        "decode_errors": scan.decode_errors,
        "is_cut_short": cut_short is not None,
    }
    tables.write(tables.VIDEOS.rows([row]), job.parts["videos"])
    named = [f"{job.path}: {reason}" for reason in told]
    return Extracted(len(rows), tuple(named[1:]), tuple(named[:1])) if cut_short else Extracted(len(rows), tuple(named))


def _extract_pictures(job: ExtractJob, beat: Beat) -> Extracted:
    assert job.pictures is not None
    names = job.pictures
    failed: list[str] = []

    def described() -> Iterator[tuple[dict[str, Any], Picture]]:
        for ordinal, name in enumerate(names):
            beat(ordinal / len(names))
            try:
                picture = ImageFile(job.path / name)
                height, width = picture.rgb().shape[:2]
            except ImageError as error:
                failed.append(str(error))
                continue
            size = (job.path / name).stat().st_size
            row = {
                "frame_id": f"{job.video_id}-{ordinal}",
                "packet": ordinal,
                "time_s": float(ordinal),
                "image_name": name,
                "width": width,
                "height": height,
                "packet_bytes": size,
                "is_key_packet": True,
                "is_corrupt": False,
                "bits_per_pixel": 8 * size / (width * height),
            }
            yield row, picture

    count = 0
    with ExitStack() as stack:
        frames = stack.enter_context(tables.PartWriter(FRAMES, job.parts["frames"]))
        for row in _observed(described(), job, stack):
            frames.add(row)
            count += 1
    tables.write(tables.PACKET_SIZES.rows([]), job.parts["packet_sizes"])
    row = {
        "video_id": job.video_id,
        "status": "done",
        "reason": "; ".join(failed) or None,
        "mtime_ns": job.mtime_ns,
        "container": "images",
        "i_frames": count,
        "iframe_method": "pictures",
        "decode_errors": len(failed),
    }
    tables.write(tables.VIDEOS.rows([row]), job.parts["videos"])
    return Extracted(count, errors=tuple(failed))


def _observed(
    described: Iterable[tuple[dict[str, Any], Picture]], job: ExtractJob, stack: ExitStack
) -> Iterator[dict[str, Any]]:
    """Each row completed by what its picture shows; its thumbnail and scores are written on the way."""
    thumbnails = stack.enter_context(tables.PartWriter(tables.THUMBNAILS, job.parts["thumbnails"], rows_held=64))
    ongoing = (
        stack.enter_context(scoring(job.scoring, job.video_id, is_video=job.pictures is None)) if job.scoring else None
    )
    statistics = [scorers.build(name) for name in STATISTICS]
    scene = SceneNumberer()
    pictures_left = iter(described)
    while batch := list(itertools.islice(pictures_left, PICTURES_AT_ONCE)):
        measured = measure(statistics, [picture for _, picture in batch])
        if ongoing:
            ongoing.add([(row["frame_id"], row["time_s"], picture) for row, picture in batch])
        for (row, picture), columns in zip(batch, measured, strict=True):
            small = picture.rgb(thumbnail_size(row["width"], row["height"]))
            row |= {
                "video_id": job.video_id,
                "scene": scene.next(small),
                "phash": phash(small),
                "luma_mean": float(picture.luma()[::2, ::2].mean()),
                **columns,
            }
            jpeg = encode_jpeg(small, quality=90)
            thumbnails.add({"frame_id": row["frame_id"], "video_id": job.video_id, "jpeg": jpeg})
            yield row


def warnings(scan: video.Scan, i_frames: int, damaged: int, fields: str | None) -> list[str]:
    """What a user should know of a video that was read all the same."""
    told = []
    if scan.info.duration_s and i_frames < scan.info.duration_s / SPARSE_S:
        told.append(f"only {i_frames} I-frames in {scan.info.duration_s:.0f} s (intra refresh?); see docs/i-frames.md")
    if fields in ("interlaced", "telecine"):
        told.append(f"{fields} video: the policy 'diverse' drops frames that show combing")
    if damaged:
        told.append(f"{damaged} of {i_frames} I-frames are damaged and will not be selected")
    if scan.decode_errors:
        told.append(f"the decoder refused {scan.decode_errors} of {len(scan.packets)} packets")
    return told


def _cut_short(scan: video.Scan) -> str | None:
    """That the last packet is shown long before the stated end; an audio track may end some seconds later."""
    shown = [pts for pts in scan.packets.pts if pts is not None]
    if not shown or not scan.info.duration_s:
        return None
    end_s = float((max(shown) - scan.info.start_time) * scan.info.time_base)
    if scan.info.duration_s - end_s <= max(2.0, scan.info.duration_s / 20):
        return None
    return f"cut short: it ends at {end_s:.1f} of {scan.info.duration_s:.1f} s; the frames until there were read"


def frame_id(video_id: str, pts: int | None, packet: int, taken: set[int]) -> str:
    """The id of a frame: its raw pts, or `n<packet>` where that is absent or `taken` by an earlier frame."""
    if pts is None or pts in taken:
        return f"{video_id}-n{packet}"
    taken.add(pts)
    return f"{video_id}-{pts}"


def thumbnail_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the thumbnail of a picture of this size; a small picture is its own."""
    longer = max(width, height)
    if longer <= THUMBNAIL_PX:
        return width, height
    return max(1, round(width * THUMBNAIL_PX / longer)), max(1, round(height * THUMBNAIL_PX / longer))


def _judge_fields(path: Path, info: video.VideoInfo, combing: Sequence[float], beat: Beat) -> str | None:
    """progressive, interlaced or telecine: measured on short stretches where anything points at fields."""
    if not interlacing.is_suspect(info.field_order, combing):
        return "progressive"

    def lumas(start_s: float, seconds: float) -> Iterator[Luma]:
        for frame in video.window(path, start_s, seconds):
            beat(1.0)
            yield frame.luma()

    judged = [interlacing.judge(lumas(*window)) for window in interlacing.windows(info.duration_s)]
    return sum(judged, interlacing.Interlacing()).kind
