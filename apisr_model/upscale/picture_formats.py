"""Picture files to write: what each format can hold, and a picture in it."""

import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from apisr_data import images
from apisr_data.errors import ConfigError, ImageError
from apisr_model.upscale.picture import KEPT_TAGS, Picture

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Format:
    """A format that pictures are written in.

    Attributes:
        name: Pillow's.
        suffixes: of its files, the usual one first.
        largest_px: the longest side that it can have.
        has_alpha: whether it holds transparency.
        is_deep: whether it holds 16 bits.
        options: Pillow's, where no quality is asked for.
        quality_options: Pillow's, beside a quality that is asked for; None: it has no quality.
    """

    name: str
    suffixes: tuple[str, ...]
    largest_px: int
    has_alpha: bool = True
    is_deep: bool = False
    options: Mapping[str, Any] | None = None
    quality_options: Mapping[str, Any] | None = None


# Of a 5120x2880 frame, PNG level 3 takes 1.1 s and 8.9 MB, level 1 0.8 s and 9.7 MB, level 6 2.6 s and 7.7 MB.
# Colour at half the size would blur drawn lines, so that lossy formats keep all of it.
FORMATS = (
    Format("PNG", (".png",), 2**31 - 1, is_deep=True, options={"compress_level": 3}),
    Format("JPEG", (".jpg", ".jpeg", ".jpe"), 65500, has_alpha=False, quality_options={"subsampling": 0}),
    Format("WEBP", (".webp",), 16383, options={"lossless": True, "quality": 30, "method": 0}, quality_options={}),
    Format("AVIF", (".avif",), 65536, quality_options={"subsampling": "4:4:4", "speed": 7}),
    Format("TIFF", (".tiff", ".tif"), 2**31 - 1, is_deep=True),
)
_DEFAULT_QUALITIES = {"JPEG": 95, "AVIF": 90}  # WebP is lossless unless a quality is asked for


def format_named(name: str) -> Format:
    """The format of that name or suffix, with or without its dot.

    Raises:
        ConfigError: none is written under it; the message lists those that are.
    """
    for known in FORMATS:
        if name.lower().removeprefix(".") in (known.name.lower(), *(suffix[1:] for suffix in known.suffixes)):
            return known
    listed = ", ".join(known.name.lower() for known in FORMATS)
    raise ConfigError(f"no picture can be written as '{name}'; there are {listed}")


def format_after(read_format: str) -> Format:
    """What a picture of Pillow's `read_format` becomes unless said otherwise: the same where that loses nothing."""
    return format_named(read_format if read_format in ("WEBP", "TIFF") else "png")


def check(chosen: Format, size: tuple[int, int], quality: int | None = None) -> None:
    """Whether `chosen` can hold a picture of (width, height) px at all.

    Raises:
        ImageError: a side is too long; the message says which format is not too small.
        ConfigError: a quality where there is none to choose.
    """
    if quality is not None and (chosen.quality_options is None or not 0 <= quality <= 100):
        held = "from 0 to 100" if chosen.quality_options is not None else "not for it: it is lossless"
        raise ConfigError(f"quality {quality} for {chosen.name}: a quality is {held}")
    if max(size) > chosen.largest_px:
        raise ImageError(
            f"{size[0]}x{size[1]} px is more than {chosen.name}'s {chosen.largest_px} px a side; choose png or tiff"
        )


def write(picture: Picture, path: Path, chosen: Format, quality: int | None = None) -> None:
    """Write `picture`; `path` holds all of it or what it held before.

    Where the format has no transparency it is laid over white, and where it has 8 bits 16 are rounded; both are said.

    Raises:
        ImageError: the format cannot hold it.
        ConfigError: a quality where there is none to choose.
        OSError: the disk is full or the folder cannot be written.
    """
    check(chosen, picture.size, quality)
    if picture.alpha is not None and not chosen.has_alpha:
        log.warning("%s: %s has no transparency; the picture is laid over white", path, chosen.name)
        picture = _over_white(picture)
    if picture.colour.dtype == np.uint16 and not chosen.is_deep:
        log.warning("%s: %s holds 8 bits; the picture's 16 are rounded", path, chosen.name)
        alpha = None if picture.alpha is None else images.to_eight_bits(picture.alpha)
        picture = replace(picture, colour=images.to_eight_bits(picture.colour), alpha=alpha)
    try:
        data = _encode(picture, chosen, quality)
    except (OSError, ValueError, OverflowError) as error:
        raise ImageError(f"{path}: cannot be written as {chosen.name}: {error}") from error
    images.write_bytes(data, path)


def _encode(picture: Picture, chosen: Format, quality: int | None) -> bytes:
    pixels = _joined(picture)
    if chosen.name == "TIFF":
        return _tiff(picture, pixels)
    exif = picture.exif.tobytes() if picture.exif else None
    if pixels.dtype == np.uint16:
        return images.encode_deep(pixels, icc_profile=picture.icc_profile, exif=exif)
    quality = _DEFAULT_QUALITIES.get(chosen.name) if quality is None else quality
    options = dict((chosen.options if quality is None else chosen.quality_options) or {})
    options |= {"quality": quality} if quality is not None else {}
    options |= {"exif": exif} if exif else {}
    options |= {"icc_profile": picture.icc_profile} if picture.icc_profile else {}
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, chosen.name, **options)
    return file.getvalue()


def _tiff(picture: Picture, pixels: NDArray[Any]) -> bytes:
    """Pillow writes no 16-bit colour in TIFF, and no file above 4 GiB."""
    kept = {tag: str(picture.exif[tag]) for tag in KEPT_TAGS if tag in picture.exif} if picture.exif else {}
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        pixels[..., 0] if pixels.shape[2] == 1 else pixels,
        photometric="minisblack" if picture.is_grey else "rgb",
        planarconfig="contig" if pixels.shape[2] > 1 else None,
        extrasamples=("unassalpha",) if picture.alpha is not None else None,
        compression="zlib",
        predictor=True,
        iccprofile=picture.icc_profile,
        software=False,
        metadata=None,
        extratags=[(tag, "s", 0, text, True) for tag, text in kept.items() if text.isascii()],
    )
    return file.getvalue()


def _joined(picture: Picture) -> NDArray[Any]:
    """(h, w, 1..4): grey or RGB, with alpha where there is one."""
    colour: NDArray[Any] = picture.colour[..., None] if picture.is_grey else picture.colour
    return colour if picture.alpha is None else np.concatenate([colour, picture.alpha[..., None]], axis=2)


def _over_white(picture: Picture) -> Picture:
    assert picture.alpha is not None
    top = np.iinfo(picture.colour.dtype).max
    opacity = picture.alpha.astype(np.float32) / top
    opacity = opacity if picture.is_grey else opacity[..., None]
    colour: NDArray[Any] = (
        (top + (picture.colour.astype(np.float32) - top) * opacity).round().astype(picture.colour.dtype)
    )
    return replace(picture, colour=colour, alpha=None)
