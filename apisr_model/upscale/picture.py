"""A picture file as arrays that a network can take, and what else in it has to survive."""

import io
import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, TiffImagePlugin, UnidentifiedImageError

from apisr_data import images
from apisr_data.errors import ImageError

log = logging.getLogger(__name__)

READABLE = ("PNG", "JPEG", "WEBP", "AVIF", "TIFF", "BMP", "GIF")
"""Pillow's names of the formats that are read; a file's content decides, not its name."""

_ORIENTATION = 0x0112
_BITS, _PHOTOMETRIC, _PLANES, _EXTRA_SAMPLES = 258, 262, 284, 338  # of TIFF
_WHITE_IS_ZERO, _SEPARATE, _PREMULTIPLIED = 0, 2, (1,)
_PROFILE = 34675
_TIFF_STARTS = (b"II*\0", b"MM\0*")
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
# ImageDescription, Make, Model, Software, DateTime, Artist, Copyright; sizes and offsets are the old file's own.
KEPT_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
_OLD_SIZE_TAGS = (0xA002, 0xA003, 0xA005)  # PixelXDimension, PixelYDimension, and a pointer into the old file

Channel = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True)
class Picture:
    """A picture upright.

    Attributes:
        colour: RGB (h, w, 3) or grey (h, w), uint8 or uint16, as stored: in the colour space of `icc_profile`.
        alpha: (h, w) of the same type, not premultiplied; None: opaque.
        icc_profile: None: sRGB.
        exif: date, author, camera and so on; no orientation.
    """

    colour: Channel
    alpha: Channel | None = None
    icc_profile: bytes | None = None
    exif: Image.Exif | None = None

    @property
    def is_grey(self) -> bool:
        """Whether it is stored without colour."""
        return self.colour.ndim == 2

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), px."""
        return self.colour.shape[1], self.colour.shape[0]


def identify(path: Path) -> str | None:
    """Pillow's name of the format of a picture file, by its content; None where it is no picture."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=READABLE) as image:
            return image.format
    except images.BROKEN_FILE_ERRORS:
        return "TIFF" if _tags_of_grey_with_alpha(path) else None


def read(path: Path) -> Picture:
    """The picture in a file (PNG, JPEG, WebP, AVIF, TIFF, BMP, GIF), its first frame where it has several.

    The EXIF orientation is applied. Pixels stay in the colour space of their ICC profile, which goes with them; CMYK
    becomes sRGB by its profile. 16 bits are kept from PNG and TIFF; AVIF of more than 8 bits is read as 8.

    Raises:
        ImageError: not a picture, truncated, too large (above 179 megapixels), CMYK without a profile, or in floats.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=READABLE) as image:
            if getattr(image, "is_animated", False) and image.format != "MPO":
                what = "pages" if image.format == "TIFF" else "frames"
                log.warning("%s: only the first of its %d %s is read", path, getattr(image, "n_frames", 2), what)
            return _read(image, path)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    except images.BROKEN_FILE_ERRORS as error:
        tags = _tags_of_grey_with_alpha(path) if isinstance(error, UnidentifiedImageError) else None
        if tags:
            return _of_grey_with_alpha(path, tags)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        reason = "not a picture that can be read" if isinstance(error, UnidentifiedImageError) else reason
        raise ImageError(f"{path}: {reason}") from None


def _read(image: ImageFile.ImageFile, path: Path) -> Picture:
    rawmodes = [str(tile[3]) for tile in image.tile]  # gone once it is loaded
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else None
    orientation = 1 if tags is None else int(tags.get(_ORIENTATION, 1))  # gone too: Pillow turns TIFF by itself
    image.load()  # before EXIF: of a PNG that loads the pixels too, and what is wrong with them would go unsaid
    exif = _kept(_exif(image))
    if tags is None:
        orientation = _exif(image).get(_ORIENTATION, 1)
    if tags is not None and set(tags.get(_BITS, ())) == {16} and image.mode in ("RGB", "RGBA", "I;16", "I;16B"):
        colour, alpha = _deep_tiff(path, tags, orientation)
        orientation = 1
    elif tags is None and image.mode in ("RGB", "RGBA", "LA") and any(";16" in mode for mode in rawmodes):
        colour, alpha = _split(images.decode_deep(path.read_bytes()))
        colour = colour[..., 0] if image.mode == "LA" else colour
    else:
        colour, alpha = _channels(image)
        orientation = _exif(image).get(_ORIENTATION, 1)  # Pillow turns TIFF by itself
    colour, alpha = _upright(colour, orientation), None if alpha is None else _upright(alpha, orientation)
    profile = None if image.mode == "CMYK" else image.info.get("icc_profile")
    space = _space(profile) if profile else None
    if space == "RGB" and colour.ndim == 2:
        colour = _repeated(colour)
    elif profile and space != ("GRAY" if colour.ndim == 2 else "RGB"):
        log.warning("%s: an ICC profile that does not fit its pixels is left out", path)
        profile = None
    return Picture(colour, alpha, profile, exif)


def _channels(image: Image.Image) -> tuple[Channel, Channel | None]:
    """Colour and alpha of a loaded picture of 8 bits, or of 16 bits without colour."""
    if image.mode.startswith("I;16"):
        grey, clear = np.asarray(image).astype(np.uint16), image.info.get("transparency")
        return grey, None if clear is None else np.where(grey == clear, 0, 65535).astype(np.uint16)
    if image.mode == "CMYK":
        return np.array(images.to_srgb(image, image.info.get("icc_profile"))), None
    if image.mode not in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "YCbCr"):
        raise ValueError(f"pixels in mode '{image.mode}' have no agreed range; save it as RGB with 8 or 16 bits")
    is_grey = image.mode in ("1", "L", "LA", "La")
    if not image.has_transparency_data and image.mode != "La":
        return np.array(image.convert("L" if is_grey else "RGB")), None
    rgba = np.array(image.convert("LA").convert("RGBA") if image.mode == "La" else image.convert("RGBA"))
    return rgba[..., 0] if is_grey else rgba[..., :3], rgba[..., 3]


def _deep_tiff(path: Path, tags: Mapping[int, Any], orientation: object) -> tuple[Channel, Channel | None]:
    """Colour and alpha of a TIFF of 16 bits, upright."""
    if len(tags[_BITS]) == 2 or (tags.get(_PLANES) == _SEPARATE and len(tags[_BITS]) > 1):
        colour, alpha = _split(_upright(_channels_last(path, tags), orientation))
    else:
        colour, alpha = _split(images.decode_deep(path.read_bytes()))
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        colour = np.subtract(65535, colour, dtype=np.uint16)
    if alpha is not None and tags.get(_EXTRA_SAMPLES) == _PREMULTIPLIED:
        opacity = np.maximum(alpha, 1) if colour.ndim == 2 else np.maximum(alpha, 1)[..., None]
        straight = colour.astype(np.float32) / opacity * 65535
        colour = np.minimum(straight.round(), 65535).astype(np.uint16)
    return colour, alpha


def _channels_last(path: Path, tags: Mapping[int, Any]) -> images.Deep:
    """(h, w, c) of a TIFF of 16 bits that neither Pillow nor OpenCV reads: channels apart, or grey with alpha."""
    try:
        pixels = tifffile.imread(path, key=0)
    except ValueError as error:  # LZW, say
        raise ImageError(
            f"its 16-bit channels cannot be read: {error}; where it is whole, save it uncompressed"
        ) from None
    return np.ascontiguousarray(np.moveaxis(pixels, 0, 2) if tags.get(_PLANES) == _SEPARATE else pixels)


def _tags_of_grey_with_alpha(path: Path) -> Mapping[int, Any] | None:
    """The tags of a TIFF of 16 bits of grey and alpha, which Pillow does not know; None where it is none."""
    try:
        with path.open("rb") as file:
            if file.read(4) not in _TIFF_STARTS:
                return None
        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages.first
            is_it = page.dtype == np.uint16 and page.samplesperpixel == 2 and page.photometric in (0, 1)
            return {tag.code: tag.value for tag in page.tags} if is_it else None
    except (*images.BROKEN_FILE_ERRORS, tifffile.TiffFileError, LookupError):
        return None


def _of_grey_with_alpha(path: Path, tags: Mapping[int, Any]) -> Picture:
    try:
        colour, alpha = _deep_tiff(path, tags, tags.get(_ORIENTATION, 1))
    except (ImageError, *images.BROKEN_FILE_ERRORS) as error:
        raise ImageError(f"{path}: {error}") from None
    profile = tags.get(_PROFILE)
    exif = Image.Exif()
    exif.update({tag: tags[tag] for tag in KEPT_TAGS if isinstance(tags.get(tag), str)})
    return Picture(colour, alpha, profile if profile and _space(profile) == "GRAY" else None, _kept(exif))


def _split(pixels: images.Deep) -> tuple[Channel, Channel | None]:
    """(h, w, 1, 3 or 4) as colour, or grey without its axis, and alpha."""
    if pixels.shape[2] not in (1, 2, 3, 4):
        raise ImageError(f"16-bit pixels of {pixels.shape[2]} channels cannot be read; save it as RGB or RGBA")
    if pixels.shape[2] == 1:
        return pixels[..., 0], None
    if pixels.shape[2] == 2:
        return pixels[..., 0], pixels[..., 1]
    return pixels[..., :3], pixels[..., 3] if pixels.shape[2] == 4 else None


def _upright(pixels: NDArray[Any], orientation: object) -> NDArray[Any]:
    """Source: EXIF 2.32, tag 274: where the stored row 0 and column 0 belong."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _repeated(grey: NDArray[Any]) -> NDArray[Any]:
    """(h, w) -> (h, w, 3)."""
    return np.stack([grey] * 3, axis=2)


def _exif(image: Image.Image) -> Image.Exif:
    try:
        return image.getexif()
    except images.BROKEN_FILE_ERRORS:  # no pixel depends on it
        return Image.Exif()


def _kept(exif: Image.Exif) -> Image.Exif | None:
    kept = Image.Exif()
    try:
        for tag in KEPT_TAGS:
            if tag in exif:
                kept[tag] = exif[tag]
        for ifd in (_EXIF_IFD, _GPS_IFD):
            content = {tag: value for tag, value in exif.get_ifd(ifd).items() if tag not in _OLD_SIZE_TAGS}
            if content:
                kept.get_ifd(ifd).update(content)
        return kept if len(kept.tobytes()) > len(Image.Exif().tobytes()) else None
    except (*images.BROKEN_FILE_ERRORS, TypeError, OverflowError):  # values that no standard allows
        log.warning("EXIF that cannot be written again is left out")
        return None


def _space(profile: bytes) -> str | None:
    """RGB, GRAY, CMYK ...; None: no profile."""
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()
    except (ImageCms.PyCMSError, OSError):
        return None
