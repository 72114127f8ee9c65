"""RGB -> a frame for an encoder, the inverse of `to_rgb`.

swscale is not used for it: full-range chroma and everything from 16-bit RGB come out one to four codes off on constant
colours. Here every code is the nearest one.
"""

from typing import Any, Literal

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from apisr_data.colour.description import LUMA_WEIGHTS, Colour, is_rgb
from apisr_data.colour.planes import samples
from apisr_data.colour.rgb import Rgb16
from apisr_data.images import Rgb

# Rows at a time, so that floats stay in the cache; even, for chroma of half height.
_BAND_ROWS = 64
_TAPS = np.arange(-4, 5)
_SUBSAMPLINGS = {(1, 1): "444", (2, 1): "422", (2, 2): "420"}


def to_frame(rgb: Rgb | Rgb16, colour: Colour, pixel_format: str) -> av.VideoFrame:
    """The picture in an encoder's pixel format, with `colour`'s tags (`Colour.codes`) on the frame.

    RGB of 0..255 as uint8 or 0..65535 as uint16, (h, w, 3), to the nearest code each. Chroma is shrunk with a bicubic
    kernel of 8 luma samples around the place where `colour.siting` puts it. RGB as Y'CbCr becomes BT.709.

    Raises:
        ValueError: `pixel_format` is unknown to libav, or of another subsampling than 4:2:0, 4:2:2 and 4:4:4.
    """
    colour = colour.in_format(pixel_format)
    height, width, _ = rgb.shape
    planar, across, down = _planar(pixel_format)
    frame = av.VideoFrame(width, height, planar)
    depth = frame.format.components[0].bits
    planes = samples(frame)
    if is_rgb(planar):
        codes = _rounded(rgb, np.eye(3, 4) * (2**depth - 1) / np.iinfo(rgb.dtype).max, depth)
        for plane, channel in zip(planes, (1, 2, 0), strict=True):  # G, B, R
            plane[:] = codes[..., channel]
    else:
        matrix = _matrix(colour, depth) / ([np.iinfo(rgb.dtype).max] * 3 + [1])
        planes[0][:] = _rounded(rgb, matrix[:1], depth)
        if len(planes) > 1:
            _fill_chroma(planes[1:], rgb, matrix[1:], (across, down), depth, colour.siting)
    if planar != pixel_format:
        # the same samples in another order; libswscale's threads write over each other's first samples at odd widths
        frame = frame.reformat(format=pixel_format, threads=1)
    frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc = colour.codes
    return frame


def _planar(pixel_format: str) -> tuple[str, int, int]:
    """The planar little-endian format that holds the same samples, and luma samples for one of chroma, (x, y)."""
    described = av.VideoFormat(pixel_format)
    depth = described.components[0].bits
    suffix = "" if depth <= 8 else f"{depth}le"
    if is_rgb(pixel_format):
        return f"gbrp{suffix}", 1, 1
    if len(described.components) <= 2:
        return f"gray{suffix}", 1, 1
    across, down = 16 // described.chroma_width(16), 16 // described.chroma_height(16)
    if (across, down) not in _SUBSAMPLINGS:
        raise ValueError(f"pixel format {pixel_format}: only 4:2:0, 4:2:2 and 4:4:4 are written")
    return f"yuv{_SUBSAMPLINGS[across, down]}p{suffix}", across, down


def _matrix(colour: Colour, depth: int) -> NDArray[np.float64]:
    """R'G'B' of 0..1, and 1, to unrounded Y', Cb, Cr codes: (3, 4). Source: ITU-T H.273, equations 20 to 37."""
    red, green, blue = LUMA_WEIGHTS[colour.matrix]
    luma = np.array([red, green, blue])
    rows = [luma, ([0, 0, 1] - luma) / (2 * (1 - blue)), ([1, 0, 0] - luma) / (2 * (1 - red))]
    unit, top = 2 ** (depth - 8), 2**depth - 1
    black, spans = (16 * unit, (219 * unit, 224 * unit)) if colour.range == "limited" else (0, (top, top))
    gains, offsets = np.array([spans[0], spans[1], spans[1]]), np.array([black, 128 * unit, 128 * unit])
    matrix: NDArray[np.float64] = np.column_stack([np.array(rows) * gains[:, None], offsets])
    return matrix


def _rounded(rgb: NDArray[Any], matrix: NDArray[np.float64], depth: int) -> NDArray[Any]:
    """`matrix` (n, 4) on every pixel, to the nearest code."""
    if rgb.dtype == np.uint8 and depth > 8:
        rgb = rgb.astype(np.uint16)  # the result has the type of what goes in
    return cv2.transform(rgb, matrix.astype(np.float32))


def _fill_chroma(
    planes: list[NDArray[Any]],
    rgb: NDArray[Any],
    matrix: NDArray[np.float64],
    subsampling: tuple[int, int],
    depth: int,
    siting: Literal["left", "center", "topleft"],
) -> None:
    across, down = subsampling
    x_taps = _taps(across, 0.5 if siting == "center" else 0.0)
    y_taps = _taps(down, 0.0 if siting == "topleft" else 0.5)
    height = rgb.shape[0]
    margin = len(_TAPS) // 2
    for start in range(0, height, _BAND_ROWS):
        first, stop = max(0, start - margin), min(height, start + _BAND_ROWS)
        band = rgb[first : stop + margin].astype(np.float32)
        chroma = cv2.transform(band, matrix.astype(np.float32))
        if subsampling != (1, 1):
            chroma = cv2.sepFilter2D(chroma, -1, x_taps, y_taps, borderType=cv2.BORDER_REPLICATE)
        chroma = np.rint(chroma[start - first : stop - first : down, ::across]).clip(0, 2**depth - 1)
        rows = slice(start // down, start // down + len(chroma))
        for channel, plane in enumerate(planes):
            plane[rows] = chroma[..., channel]


def _taps(step: int, offset: float) -> NDArray[np.float64]:
    """The bicubic kernel (a = -1/2), `step` times as wide, around a place `offset` beyond the luma sample."""
    if step == 1:
        return np.asarray(_TAPS == 0, np.float64)
    distance = np.abs(_TAPS - offset) / step
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    taps: NDArray[np.float64] = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
    taps /= taps.sum()
    return taps
