"""Decoded frame -> RGB or luma: matrix, range, chroma siting, bit depth, sample aspect ratio, rotation.

Primaries are recorded, not converted, and the transfer function stays as coded: RGB is the video's own R'G'B'.
"""

import functools
import logging
import threading
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, cast

import av
import av.filter
import cv2
import numpy as np
from numpy.typing import NDArray

from apisr_data.errors import ColourError, UsageError
from apisr_data.images import Luma, Rgb

log = logging.getLogger(__name__)

# H.273 codes, as PyAV reports them. A tag of 0 (RGB) on a YUV format is a muxer's mistake and is read as no tag.
_MATRICES = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020"}
_REFUSED_MATRICES = {8: "YCgCo", 10: "BT.2020 constant luminance", 11: "SMPTE 2085", 12: "chroma-derived",
                     13: "chroma-derived constant luminance", 14: "ICtCp", 15: "IPT-C2", 16: "YCgCo-Re",
                     17: "YCgCo-Ro"}  # fmt: skip
_TRANSFERS = {1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100",
              10: "log316", 11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12",
              16: "smpte2084", 17: "smpte428", 18: "arib-std-b67"}  # fmt: skip
_HDR_TRANSFERS = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
_PRIMARIES = {1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020",
              10: "smpte428", 11: "smpte431", 12: "smpte432", 22: "ebu3213"}  # fmt: skip
ASSUMABLE_MATRICES = ("bt709", "bt601", "bt2020")

_LUMA_WEIGHTS = {"bt601": (0.299, 0.587, 0.114), "bt2020": (0.2627, 0.678, 0.0593)}
_BT709_LUMA_WEIGHTS = (0.2126, 0.7152, 0.0722)

# Aspect ratios within this of square are the rounding of an encoder: resampling for them would blur every pixel to move
# none by a visible amount. The nearest ratio that is meant (12:11) is 9% away. Beyond 4 the tag is damage.
_SQUARE_TOLERANCE = 0.01
_LARGEST_ASPECT = 4


class Described(Protocol):
    """What `describe` reads of a stream; the colour fields are H.273 codes, as PyAV gives them."""

    @property
    def path(self) -> Path: ...  # noqa: D102
    @property
    def codec(self) -> str: ...  # noqa: D102
    @property
    def height(self) -> int: ...  # noqa: D102
    @property
    def pixel_format(self) -> str: ...  # noqa: D102
    @property
    def colorspace(self) -> int: ...  # noqa: D102
    @property
    def color_range(self) -> int: ...  # noqa: D102
    @property
    def color_primaries(self) -> int: ...  # noqa: D102
    @property
    def color_trc(self) -> int: ...  # noqa: D102


@dataclass(frozen=True)
class Colour:
    """How a video's numbers become RGB, and where that knowledge comes from."""

    matrix: str
    """bt709, bt601, bt2020, rgb; rarely smpte240m or fcc."""
    range: Literal["limited", "full"]
    transfer: str | None
    """Transfer function that the stream names; None when silent."""
    primaries: str | None
    """Primaries that the stream names; None when silent."""
    siting: Literal["left", "center", "topleft"]
    """Where the chroma samples stand among the luma samples."""
    source: Literal["tag", "guess", "user"]
    """Where `matrix` comes from."""


def describe(info: Described, assume_matrix: str | None = None) -> Colour:
    """The colour of a stream: its tag; else `assume_matrix`; else BT.709 from 720 lines up and BT.601 below.

    Siting is the codec's convention, as PyAV does not show a stream's own: centre for MPEG-1 and JPEG, top left for
    BT.2020, left for the rest.

    Raises:
        ColourError: PQ, HLG, XYZ or a matrix that is not a fixed one of Y'CbCr.
        UsageError: `assume_matrix` is not a known matrix.
    """
    if assume_matrix is not None and assume_matrix not in ASSUMABLE_MATRICES:
        raise UsageError(f"cannot assume the matrix '{assume_matrix}'; known: {', '.join(ASSUMABLE_MATRICES)}")
    transfer = _TRANSFERS.get(info.color_trc)
    if transfer in _HDR_TRANSFERS:
        raise ColourError(
            f"{info.path}: the transfer function is {transfer} ({_HDR_TRANSFERS[transfer]}), which has no faithful "
            f"8-bit RGB; tone-map it to BT.709 first"
        )
    is_rgb = _is_rgb(info.pixel_format)
    refused = "XYZ" if info.pixel_format.startswith("xyz") else _REFUSED_MATRICES.get(info.colorspace)
    if refused and not is_rgb:
        raise ColourError(f"{info.path}: the colour matrix is {refused}, which is not supported; convert it to BT.709")
    tagged = "rgb" if is_rgb else _MATRICES.get(info.colorspace)
    if tagged and assume_matrix not in (None, tagged):
        log.warning("%s: is tagged %s; the assumed matrix %s is not used", info.path, tagged, assume_matrix)
    matrix = tagged or assume_matrix or ("bt709" if info.height >= 720 else "bt601")
    is_full = info.color_range == 2 or (info.color_range != 1 and (is_rgb or info.pixel_format.startswith("yuvj")))
    is_jpeg_like = info.codec in ("mjpeg", "mpeg1video") or info.pixel_format.startswith("yuvj")
    return Colour(
        matrix=matrix,
        range="full" if is_full else "limited",
        transfer=transfer,
        primaries=_PRIMARIES.get(info.color_primaries),
        siting="center" if is_jpeg_like else "topleft" if matrix == "bt2020" else "left",
        source="tag" if tagged else "user" if assume_matrix else "guess",
    )


def displayed_size(width: int, height: int, sample_aspect_ratio: Fraction, rotation: int) -> tuple[int, int]:
    """Width and height in px that a player shows a coded picture at.

    The axis that grows is scaled, so that nothing is lost: 720x480 at 32:27 is 853x480, at 8:9 it is 720x540.
    """
    aspect = honoured_aspect(sample_aspect_ratio)
    width, height = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
    return (height, width) if rotation % 180 else (width, height)


def honoured_aspect(sample_aspect_ratio: Fraction) -> Fraction:
    """The ratio that `displayed_size` goes by: 1 where the tag is absent, damaged, or a rounding of square."""
    is_meant = abs(sample_aspect_ratio - 1) > _SQUARE_TOLERANCE
    is_possible = 1 / _LARGEST_ASPECT <= sample_aspect_ratio <= _LARGEST_ASPECT
    return sample_aspect_ratio if is_meant and is_possible else Fraction(1)


def to_rgb(
    frame: av.VideoFrame,
    colour: Colour,
    *,
    size: tuple[int, int] | None = None,
    rotation: int = 0,
    sample_aspect_ratio: Fraction = Fraction(1),
) -> Rgb:
    """The frame as displayed: uint8 (h, w, 3), red first, C-contiguous.

    `size` is the (width, height) wanted, as displayed; default `displayed_size`. `rotation` is clockwise, in degrees.
    A size that shrinks both axes averages areas; anything else is bicubic, and so is the chroma.
    Interlaced chroma is interpolated within its field, unless the height shrinks.
    """
    out = size or displayed_size(frame.width, frame.height, sample_aspect_ratio, rotation)
    width, height = out[::-1] if rotation % 180 else out
    depth = frame.format.components[0].bits
    is_gray = len(frame.format.components) <= 2 and not frame.format.has_palette
    # swscale shifts full-range samples of more than 8 bits down in place of scaling them (1023 -> 255.75), so that path
    # goes by 16 bits. Everything else is exact to 0.51 levels straight to 8 bits with the flags of _Converter.
    is_deep_full = colour.range == "full" and 8 < depth < 16 and not is_gray
    convert = _converter(
        _Conversion(
            frame.width,
            frame.height,
            frame.format.name,
            frame.colorspace,
            frame.color_range,
            width,
            height,
            "gbrp16le" if is_deep_full else "rgb24",
            frame.interlaced_frame and height >= frame.height,
        ),
        colour,
    )
    rgb = convert(frame)
    if is_deep_full:
        rgb = cv2.convertScaleAbs(rgb, alpha=255 / ((2**depth - 1) << (16 - depth)))
    if is_gray and colour.range == "limited":
        rgb = _look_up(rgb, 8, colour.range)  # swscale takes every gray for full range
    return np.ascontiguousarray(np.rot90(rgb, -rotation // 90 % 4))


def to_luma(frame: av.VideoFrame, colour: Colour) -> Luma:
    """Full-range luma of the coded picture (no rotation, no aspect): uint8 (h, w), a copy, rounded to nearest."""
    luma, *others = frame.format.components
    depth = luma.bits
    is_own_plane = luma.is_luma and not frame.format.has_palette and all(c.plane != luma.plane for c in others)
    # p010 and its kin keep their bits at the top of each word.
    if not is_own_plane or not 8 <= depth <= 16 or frame.format.name.startswith(("p0", "p2", "p4")):
        rgb = to_rgb(frame, colour, size=(frame.width, frame.height))
        weights = _LUMA_WEIGHTS.get(colour.matrix, _BT709_LUMA_WEIGHTS)
        return cast(Luma, cv2.transform(rgb, np.array([weights], np.float32)))
    plane = frame.planes[0]
    word = "u1" if depth == 8 else ">u2" if frame.format.is_big_endian else "<u2"
    samples: NDArray[Any] = np.frombuffer(plane, word)  # type: ignore[call-overload]
    samples = samples.reshape(plane.height, -1)[:, : plane.width]
    return _look_up(samples.astype(samples.dtype.newbyteorder("="), copy=False), depth, colour.range)


def _look_up(samples: NDArray[Any], depth: int, colour_range: str) -> NDArray[np.uint8]:
    """Luma samples of `depth` bits as 0..255; 1.3 ms for 1080p."""
    return cast(NDArray[np.uint8], cv2.LUT(samples, _to_full_range(depth, colour_range)))


@functools.cache
def _to_full_range(depth: int, colour_range: str) -> NDArray[np.uint8]:
    """Table from a luma sample of `depth` bits to 0..255, as long as `cv2.LUT` wants it."""
    samples = np.arange(256 if depth == 8 else 65536)
    black, white = (16 << depth - 8, 235 << depth - 8) if colour_range == "limited" else (0, 2**depth - 1)
    levels: NDArray[np.float64] = np.clip((samples - black) * (255 / (white - black)), 0, 255)
    return np.rint(levels).astype(np.uint8)


def _is_rgb(pixel_format: str) -> bool:
    described = av.VideoFormat(pixel_format)
    return described.is_rgb or described.has_palette


class _Conversion(NamedTuple):
    """What one filter graph converts: it must not see a frame of another kind."""

    width: int
    height: int
    pixel_format: str
    colorspace: int
    color_range: int
    out_width: int
    out_height: int
    out_format: str
    is_interlaced: bool


class _Converter:
    """swscale in a filter graph, as `VideoFrame.reformat` can set neither the siting nor interlaced chroma.

    Measured on constant colours against the closed form, 8 and 10 bits, 4:2:0 and 4:4:4: `accurate_rnd` with
    `full_chroma_int` is within 0.51 levels of the unrounded value; without them it is 2 too dark. rgb48 with a bilinear
    kernel wraps around (255 off), so nothing goes through rgb48. `bitexact`: the same result on every processor.
    One 1080p frame on one core: 16 ms at full size, 1.6 ms at 456x256, 3 ms at 512x512, the same for 10 bits.
    """

    def __init__(self, conversion: _Conversion, colour: Colour) -> None:
        c = conversion
        kernel = "area" if c.out_width < c.width and c.out_height < c.height else "bicubic"
        scale = {
            "w": c.out_width,
            "h": c.out_height,
            "interl": int(c.is_interlaced),
            "in_chroma_loc": colour.siting,
            "flags": f"{kernel}+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact",
        }
        if colour.matrix != "rgb":
            scale |= {"in_color_matrix": colour.matrix, "in_range": colour.range, "out_range": "full"}
        self._lock = threading.Lock()
        self._graph = av.filter.Graph()  # held here: its nodes do not keep it alive
        self._graph.threads = 1
        self._source = self._graph.add(
            "buffer",
            f"video_size={c.width}x{c.height}:pix_fmt={c.pixel_format}:time_base=1/1:pixel_aspect=1/1"
            f":colorspace={c.colorspace}:range={c.color_range}",
        )
        self._sink = self._graph.add("buffersink")
        self._graph.link_nodes(
            self._source,
            self._graph.add("scale", ":".join(f"{key}={value}" for key, value in scale.items())),
            self._graph.add("format", f"pix_fmts={c.out_format}"),
            self._sink,
        ).configure()

    def __call__(self, frame: av.VideoFrame) -> NDArray[Any]:
        with self._lock:  # what goes in must come out before the next goes in
            self._source.push(frame)
            converted = self._sink.pull()
        assert isinstance(converted, av.VideoFrame)
        return converted.to_ndarray()


# A video asks for its full size and one or two small ones; a converter holds about a frame of memory.
@functools.lru_cache(maxsize=6)
def _converter(conversion: _Conversion, colour: Colour) -> _Converter:
    return _Converter(conversion, colour)
