"""What a video's numbers mean, and how an output says so."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, Self

import av

from apisr_data.errors import ColourError, UsageError

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

LUMA_WEIGHTS = {
    "bt601": (0.299, 0.587, 0.114),
    "bt709": (0.2126, 0.7152, 0.0722),
    "bt2020": (0.2627, 0.678, 0.0593),
    "smpte240m": (0.212, 0.701, 0.087),
    "fcc": (0.3, 0.59, 0.11),
}
"""Red, green and blue in Y' by matrix. Source: ITU-T H.273, table 4."""

# What a player takes a silent stream for, by its matrix: (matrix, primaries, transfer) as H.273 codes.
_USUAL_CODES = {"rgb": (0, 1, 13), "bt709": (1, 1, 1), "fcc": (4, 4, 4), "bt601": (6, 6, 6), "smpte240m": (7, 7, 7),
                "bt2020": (9, 9, 14)}  # fmt: skip
_625_LINE_CODES = (5, 5, 6)


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


class Codes(NamedTuple):
    """A colour as the tags of a stream: H.273 codes, and AVColorRange (1 limited, 2 full)."""

    colorspace: int
    color_range: int
    color_primaries: int
    color_trc: int


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
    is_625_line: bool = False
    """BT.601 as PAL and SECAM have it: the same matrix with other primaries."""

    @property
    def codes(self) -> Codes:
        """The tags that make a player show what it showed before, whatever the size of the picture.

        A player goes by the height where a tag is missing, so an untagged 480-line video would change its colours when
        it becomes 1920 lines high. So everything is tagged: what the stream names, else what goes with its matrix.
        """
        matrix, primaries, transfer = _625_LINE_CODES if self._is_625_line_601 else _USUAL_CODES[self.matrix]
        return Codes(
            matrix,
            2 if self.range == "full" else 1,
            next((code for code, name in _PRIMARIES.items() if name == self.primaries), primaries),
            next((code for code, name in _TRANSFERS.items() if name == self.transfer), transfer),
        )

    def in_format(self, pixel_format: str) -> Self:
        """This colour for a picture of another format: RGB becomes BT.709 as Y'CbCr, and Y'CbCr full-range RGB."""
        if is_rgb(pixel_format) == (self.matrix == "rgb"):
            return self
        if self.matrix == "rgb":
            return replace(self, matrix="bt709", range="limited", siting="left")
        return replace(self, matrix="rgb", range="full")

    @property
    def _is_625_line_601(self) -> bool:
        return self.is_625_line and self.matrix == "bt601"


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
    has_rgb = is_rgb(info.pixel_format)
    refused = "XYZ" if info.pixel_format.startswith("xyz") else _REFUSED_MATRICES.get(info.colorspace)
    if refused and not has_rgb:
        raise ColourError(f"{info.path}: the colour matrix is {refused}, which is not supported; convert it to BT.709")
    tagged = "rgb" if has_rgb else _MATRICES.get(info.colorspace)
    if tagged and assume_matrix not in (None, tagged):
        log.warning("%s: is tagged %s; the assumed matrix %s is not used", info.path, tagged, assume_matrix)
    matrix = tagged or assume_matrix or ("bt709" if info.height >= 720 else "bt601")
    is_full = info.color_range == 2 or (info.color_range != 1 and (has_rgb or info.pixel_format.startswith("yuvj")))
    is_jpeg_like = info.codec in ("mjpeg", "mpeg1video") or info.pixel_format.startswith("yuvj")
    return Colour(
        matrix=matrix,
        range="full" if is_full else "limited",
        transfer=transfer,
        primaries=_PRIMARIES.get(info.color_primaries),
        siting="center" if is_jpeg_like else "topleft" if matrix == "bt2020" else "left",
        source="tag" if tagged else "user" if assume_matrix else "guess",
        is_625_line=info.colorspace == 5 or (info.colorspace != 6 and info.height in (288, 576)),
    )


def is_rgb(pixel_format: str) -> bool:
    """Whether pictures of this format hold RGB, directly or through a palette."""
    described = av.VideoFormat(pixel_format)
    return described.is_rgb or described.has_palette
