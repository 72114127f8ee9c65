"""Look at one video: all its packets, its I-frames, and a few short stretches of every frame."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apisr_data import colour, interlacing, native_height, video
from apisr_data.audit import facts
from apisr_data.engines import Beat
from apisr_data.errors import ColourError
from apisr_data.intra.nal import nal_units
from apisr_data.stages.extract.one_video import warnings
from apisr_data.titles import title_of
from apisr_data.video.decoder import demux
from apisr_data.video.probe import opened

_UNTOLD_RANGE = 0
# How to know an IDR picture: the mask and shift of a NAL unit's type in its first byte, and the types that are IDR.
_IDR_TYPES = {"h264": (31, 0, {5}), "hevc": (63, 1, {19, 20})}


@dataclass(frozen=True)
class AuditJob:
    """One video to look at, for a worker."""

    path: Path
    verify: bool = False
    assume_matrix: str | None = None


def audit_job(job: AuditJob, beat: Beat) -> facts.Audit:
    """`audit` as a worker does it."""
    return audit(job.path, verify=job.verify, assume_matrix=job.assume_matrix, beat=beat)


def audit(
    path: Path, *, verify: bool = False, assume_matrix: str | None = None, beat: Beat = lambda _share: None
) -> facts.Audit:
    """What the video at `path` is, and what `extract` would do with it.

    Args:
        path: the video.
        verify: also decode every frame, and compare the I-frames' time stamps and pixels.
        assume_matrix: colour matrix in place of a guess (see `colour.describe`).
        beat: told the share that is done.

    Raises:
        VideoError: the file cannot be read as a video. A colour that `extract` refuses is no error here.
    """
    refusal = colours = None
    seen = _Seen(has_hashes=verify)
    fields = interlacing.Interlacing()
    try:
        reader = video.iframes(path, assume_matrix=assume_matrix, on_packet=lambda: beat(0.0))
        for frame in reader:
            seen.add(frame)
        scan = reader.scan
        colours = _colour(scan.info, assume_matrix)
        fields = _judge_fields(path, scan.info)
        if not seen.i_frames:
            refusal = f"{path}: no I-frame could be decoded ({scan.decode_errors} packets refused)"
    except ColourError as error:
        refusal, scan = str(error), video.scan(path, on_packet=lambda: beat(0.0))
    title = title_of(path.absolute())
    return facts.Audit(
        path=str(path).encode(errors="replace").decode(),
        title=title.title,
        episode=title.episode,
        stream=_stream(scan.info),
        gops=_gops(path, scan),
        picture_types=list(_picture_types(scan)),
        colour=colours,
        fields=_fields(scan.info, fields),
        native_height=seen.native_height(scan.info.height),
        extract=_plan(scan, seen, fields.kind, refusal),
        verification=_verify(path, seen.hashes, assume_matrix, beat) if verify and colours else None,
    )


class _Seen:
    """What is kept of the I-frames, which are gone when the next one comes."""

    def __init__(self, *, has_hashes: bool) -> None:
        self.i_frames = self.corrupt = 0
        self.hashes: dict[str, str] = {}
        self._has_hashes = has_hashes
        self._heights = native_height.Sampler()

    def add(self, frame: video.Frame) -> None:
        self.i_frames += 1
        self.corrupt += frame.is_corrupt
        self._heights.offer(frame.time_s, frame.luma())
        if self._has_hashes:
            _note_hash(self.hashes, frame)

    def native_height(self, source_height: int) -> facts.NativeHeight | None:
        if not self.i_frames:
            return None
        found = native_height.estimate_by_title([{"video_id": "", **r} for r in self._heights.curves()], source_height)
        return facts.NativeHeight(height=found.height, kernel=found.kernel, confidence=found.confidence)


def _stream(info: video.VideoInfo) -> facts.Stream:
    width, height = colour.displayed_size(info.width, info.height, info.sample_aspect_ratio, info.rotation)
    return facts.Stream(
        container=info.container,
        codec=info.codec,
        profile=info.profile,
        pixel_format=info.pixel_format,
        bit_depth=info.bit_depth,
        width=info.width,
        height=info.height,
        displayed_width=width,
        displayed_height=height,
        sample_aspect_ratio=f"{info.sample_aspect_ratio.numerator}:{info.sample_aspect_ratio.denominator}",
        rotation=info.rotation,
        fps=info.fps,
        duration_s=info.duration_s,
        bytes=info.path.stat().st_size,
    )


def _gops(path: Path, scan: video.Scan) -> facts.Gops:
    types = scan.packets.picture_types
    intra = np.flatnonzero(types == ord("I"))
    lengths = np.diff(np.append(intra, len(types)))
    return facts.Gops(
        packets=len(types),
        i_frames=len(intra),
        key_packets=scan.key_packets,
        idr=_count_idr(path, frozenset(intra.tolist())),
        leading=_count_leading(scan, intra),
        shortest=int(lengths.min()) if len(lengths) else None,
        median=float(np.median(lengths)) if len(lengths) else None,
        longest=int(lengths.max()) if len(lengths) else None,
    )


def _count_leading(scan: video.Scan, intra: NDArray[np.int64]) -> int | None:
    """How many of the packets `intra` are followed, before the next of them, by a frame that is shown earlier."""
    pts = scan.packets.pts
    if None in pts:
        return None
    stamps = np.array(pts, np.int64)
    ends = np.append(intra, len(stamps))[1:]
    return sum(int(stamps[start:end].min() < stamps[start]) for start, end in zip(intra, ends, strict=True))


def _count_idr(path: Path, intra: frozenset[int]) -> int | None:
    with opened(path) as (container, stream):
        codec = stream.codec_context.codec.canonical_name
        if codec not in _IDR_TYPES:
            return None
        mask, shift, idr = _IDR_TYPES[codec]
        extradata = stream.codec_context.extradata or b""
        is_in_lengths = len(extradata) > 22 and not extradata.startswith((b"\0\0\1", b"\0\0\0\1"))
        length_bytes = (extradata[4 if codec == "h264" else 21] & 3) + 1 if is_in_lengths else 0
        count = 0
        for ordinal, packet in enumerate(demux(container, stream)):
            if ordinal in intra:
                data = bytes(packet)
                count += any(
                    data[at] >> shift & mask in idr for at, _ in nal_units(data, length_bytes) if at < len(data)
                )
        return count


def _picture_types(scan: video.Scan) -> Iterator[facts.PictureType]:
    sizes, types = scan.packets.sizes, scan.packets.picture_types
    for letter in "IPB?":
        chosen = sizes[types == ord(letter)]
        if not len(chosen):
            continue
        total, duration_s = int(chosen.sum()), scan.info.duration_s
        yield facts.PictureType(
            picture_type=letter,
            packets=len(chosen),
            bytes=total,
            mean_bytes=total / len(chosen),
            kbit_s=total * 8 / duration_s / 1000 if duration_s else None,
        )


def _colour(info: video.VideoInfo, assume_matrix: str | None) -> facts.Colour:
    described = colour.describe(info, assume_matrix)
    return facts.Colour(
        matrix=described.matrix,
        matrix_source=described.source,
        range=described.range,
        range_source="guess" if info.color_range == _UNTOLD_RANGE else "tag",
        transfer=described.transfer,
        primaries=described.primaries,
        siting=described.siting,
    )


def _judge_fields(path: Path, info: video.VideoInfo) -> interlacing.Interlacing:
    judged = [
        interlacing.judge(frame.luma() for frame in video.window(path, *window))
        for window in interlacing.windows(info.duration_s)
    ]
    return sum(judged, interlacing.Interlacing())


def _fields(info: video.VideoInfo, found: interlacing.Interlacing) -> facts.Fields:
    return facts.Fields(
        flagged=info.field_order,
        measured=found.kind,
        frames=found.frames,
        moving_frames=found.moving,
        combed_share=found.combed_share,
    )


def _plan(scan: video.Scan, seen: _Seen, fields: str | None, refusal: str | None) -> facts.Plan:
    return facts.Plan(
        refusal=refusal,
        method=scan.method,
        reason=scan.unusual or None,
        frames=seen.i_frames,
        decode_errors=scan.decode_errors,
        corrupt=seen.corrupt,
        warnings=[] if refusal else warnings(scan, seen.i_frames, seen.corrupt, fields),
    )


def _verify(path: Path, fast: dict[str, str], assume_matrix: str | None, beat: Beat) -> facts.Verification:
    full: dict[str, str] = {}
    for frame in video.iframes(path, exact=True, assume_matrix=assume_matrix, on_packet=lambda: beat(0.5)):
        _note_hash(full, frame)
    differences = [f"{name}: only a full decode shows this I-frame" for name in full if name not in fast]
    differences += [f"{name}: a full decode shows no such I-frame" for name in fast if name not in full]
    differences += [f"{name}: other pixels" for name in full if fast.get(name, full[name]) != full[name]]
    return facts.Verification(
        is_equal=not differences, i_frames=len(fast), full_decode_i_frames=len(full), differences=differences
    )


def _note_hash(hashes: dict[str, str], frame: video.Frame) -> None:
    """The hash of the RGB pixels under the frame's pts, or its packet where that is absent or repeated."""
    name = f"pts {frame.pts}"
    if frame.pts is None or name in hashes:
        name = f"packet {frame.packet}"
    hashes[name] = hashlib.blake2b(frame.rgb().data, digest_size=16).hexdigest()
