"""Pictures as arrays: what a picture offers, reading and writing files, resizing; the only place that knows BGR."""

import hashlib
import io
import logging
import os
import struct
import warnings
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from apisr_data.errors import ImageError

log = logging.getLogger(__name__)

Rgb = NDArray[np.uint8]
"""uint8 (h, w, 3), red first, 0..255, sRGB or BT.709 gamma as stored."""

Luma = NDArray[np.uint8]
"""uint8 (h, w), full range 0..255."""

Deep = NDArray[np.uint16]
"""uint16 (h, w, c), 0..65535: grey, grey and alpha, RGB or RGBA."""

Kernel = Literal["lanczos", "area", "paper"]

# Of one 1280x720 frame: 30 ms, 1.05 MB; OpenCV's defaults 26 ms, 1.17 MB; level 1 with its own filter 48 ms, 1.05 MB;
# Pillow's level 1 59 ms, 1.04 MB; PyAV's with `up` 29 ms, 1.05 MB. Rows filtered by `up` also decode fastest (15 ms).
_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP)

BROKEN_FILE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    RuntimeError,  # the AVIF decoder's
    Image.DecompressionBombError,
)
"""What Pillow and its decoders raise of a file that is damaged or no picture."""


class Picture(Protocol):
    """One decoded picture: a video's frame or an image file."""

    def rgb(self, size: tuple[int, int] | None = None) -> Rgb:
        """The picture as displayed, RGB; antialiased to `size` = (width, height) px when given."""

    def luma(self) -> Luma:
        """Full-range luma at the coded size."""


class ImageFile:
    """An image file as a `Picture`; it is read once, when first asked for.

    Raises:
        ImageError: from `rgb` and `luma`, as `read`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def rgb(self, size: tuple[int, int] | None = None) -> Rgb:
        """The picture upright, RGB; antialiased to `size` = (width, height) px when given."""
        if size is None:
            return self._pixels
        height, width = self._pixels.shape[:2]
        return resize(self._pixels, size, "area" if size[0] <= width and size[1] <= height else "lanczos")

    def luma(self) -> Luma:
        """BT.601 luma of the upright picture, which is how JPEG stores it."""
        return cv2.cvtColor(self._pixels, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)

    @cached_property
    def _pixels(self) -> Rgb:
        return read(self.path)


def read(path: Path) -> Rgb:
    """The picture in a file (PNG, JPEG, WebP, AVIF, TIFF, BMP), upright, in sRGB, its first frame where it has several.

    The EXIF orientation is applied; an ICC profile is converted to sRGB; 16 bits become 8; transparency is laid over
    white, the paper that a drawing stands on.

    Raises:
        ImageError: not a picture, truncated, too large (above 179 megapixels), CMYK without a profile, or in floats.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged metadata, which no pixel depends on
            with Image.open(path) as image:
                image.load()
                return _upright_srgb(image)
    except BROKEN_FILE_ERRORS as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        reason = "not a picture that can be read" if isinstance(error, UnidentifiedImageError) else reason
        raise ImageError(f"{path}: {reason}") from None


def decode(data: bytes) -> Rgb:
    """The picture in a PNG or JPEG that this project encoded.

    Raises:
        ImageError: it is damaged.
    """
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    if bgr is None:
        raise ImageError(f"encoded picture of {len(data)} bytes: damaged")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def encode_png(rgb: Rgb) -> bytes:
    """`rgb` as a PNG, lossless and fast rather than smallest."""
    return cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), _PNG)[1].tobytes()


def encode_jpeg(rgb: Rgb, *, quality: int) -> bytes:
    """`rgb` as a JPEG; `quality` 0..100."""
    return cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, quality))[1].tobytes()


def decode_deep(data: bytes) -> Deep:
    """The 16-bit pixels of a PNG as stored, or of a TIFF turned as its orientation says; 1, 3 or 4 channels.

    Pillow, which reads everything else, cuts colour of 16 bits down to 8. Profiles are not applied, and a TIFF whose
    channels are stored apart, or whose white is 0, comes out wrong.

    Raises:
        ImageError: it is damaged, or has other than 16 bits.
    """
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if bgr is None or bgr.dtype != np.uint16:
        raise ImageError(f"encoded picture of {len(data)} bytes: damaged, or not of 16 bits")
    return _red_and_blue_swapped(np.asarray(bgr, np.uint16).reshape(*bgr.shape[:2], -1))


def encode_deep(pixels: Deep, *, icc_profile: bytes | None = None, exif: bytes | None = None) -> bytes:
    """`pixels` as a PNG of 16 bits with that profile and EXIF; grey with alpha is stored as RGBA."""
    if pixels.shape[2] == 2:
        pixels = pixels[..., (0, 0, 0, 1)]
    kept = {cv2.IMAGE_METADATA_ICCP: icc_profile, cv2.IMAGE_METADATA_EXIF: exif and exif.removeprefix(b"Exif\0\0")}
    kinds, contents = [], []
    for kind, content in kept.items():
        if content:
            kinds.append(kind)
            contents.append(np.frombuffer(content, np.uint8))
    return cv2.imencodeWithMetadata(".png", _red_and_blue_swapped(pixels), kinds, contents, _PNG)[1].tobytes()


def write_bytes(data: bytes, path: Path) -> None:
    """Write a file so that `path` holds either its old content or all of the new one; folders are made.

    Raises:
        OSError: the disk is full or the folder cannot be written; nothing half-written is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def to_eight_bits(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """0..65535 as 0..255, rounded to the nearest; uint8 as it is."""
    if pixels.dtype == np.uint8:
        return np.asarray(pixels, np.uint8)
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def pixels_sha256(rgb: Rgb) -> str:
    """SHA-256 of the RGB pixels row by row, in hex; the same whatever file format they are stored in."""
    return hashlib.sha256(np.ascontiguousarray(rgb).data).hexdigest()


def resize(rgb: Rgb, size: tuple[int, int], kernel: Kernel) -> Rgb:
    """`rgb` at `size` = (width, height) px, in gamma space as stored.

    `lanczos` (a = 3) and `area` are antialiased: their support widens with the reduction. `paper` is OpenCV's bicubic
    without antialiasing, as the authors' `720P_resize.py` calls it. A picture of that size is returned as it is.
    """
    height, width = rgb.shape[:2]
    if (width, height) == size:
        return rgb
    if kernel == "lanczos":  # in integers, so the same on every machine
        return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))
    interpolation = cv2.INTER_AREA if kernel == "area" else cv2.INTER_CUBIC
    return cv2.resize(rgb, size, interpolation=interpolation).astype(np.uint8, copy=False)


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """`image`, grey, RGB or CMYK without transparency, as RGB in sRGB.

    Raises:
        ValueError: CMYK without a profile that can be used.
    """
    try:
        stored = ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else None
        if stored and not (image.mode == "RGB" and "sRGB" in ImageCms.getProfileDescription(stored)):
            srgb, intent = ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC
            return ImageCms.profileToProfile(image, stored, srgb, intent, outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError) as error:
        log.warning("an ICC profile that does not fit '%s' pixels is ignored: %s", image.mode, error)
    if image.mode == "CMYK":
        raise ValueError("CMYK without a usable ICC profile does not say its colours; convert it to RGB")
    return image.convert("RGB")


def _red_and_blue_swapped(pixels: NDArray[np.uint16]) -> NDArray[np.uint16]:
    order = {3: (2, 1, 0), 4: (2, 1, 0, 3)}.get(pixels.shape[2])
    return pixels if order is None else np.ascontiguousarray(pixels[..., order])


def _upright_srgb(image: Image.Image) -> Rgb:
    profile = image.info.get("icc_profile")
    image = _eight_bits(ImageOps.exif_transpose(image))
    if not image.has_transparency_data:
        return np.array(to_srgb(image, profile))
    image = image if image.mode in ("LA", "RGBA") else image.convert("RGBA")
    colour = to_srgb(image.convert(image.mode.removesuffix("A")), profile)
    return np.array(Image.composite(colour, Image.new("RGB", colour.size, "white"), image.getchannel("A")))


def _eight_bits(image: Image.Image) -> Image.Image:
    """`image` in a mode that holds grey, RGB or CMYK of 8 bits, with or without transparency."""
    if image.mode.startswith("I;16"):
        return Image.fromarray(to_eight_bits(np.asarray(image)))
    if image.mode in ("L", "LA", "RGB", "RGBA", "RGBa", "PA", "CMYK") or image.has_transparency_data:
        return image
    if image.mode in ("1", "P", "RGBX", "YCbCr"):
        return image.convert("L" if image.mode == "1" else "RGB")
    raise ValueError(f"pixels in mode '{image.mode}' have no agreed range; save it as RGB with 8 or 16 bits")
