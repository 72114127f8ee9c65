"""What a visitor may ask for, checked before any work."""

import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from apisr_data.errors import ImageError, InputError, VideoError
from apisr_data.video import probe
from apisr_model.upscale import kinds, picture


@dataclass(frozen=True)
class Limits:
    """What one visitor may ask for, and how much of it at a time."""

    max_mpx: float = 4.0
    """Of a picture, or of one frame of a video, before it is upscaled: millions of pixels."""
    max_seconds: float = 60.0
    """Of a video at a time."""
    max_minutes: float = 30.0
    """That one job may take."""
    max_upload_mb: int = 200
    queue: int = 8
    """Jobs that may wait beside the one at work."""
    keep_minutes: float = 60.0
    """How long uploads and results stay."""


def check_picture(path: Path, limits: Limits) -> None:
    """Look at a picture's header alone.

    Raises:
        ImageError: no picture, several in one file, or too large.
    """
    if picture.identify(path) is None:
        raise ImageError(f"{path}: not a picture that can be read (PNG, JPEG, WebP, AVIF, TIFF, BMP or GIF)")
    with warnings.catch_warnings(action="ignore"), Image.open(path, formats=picture.READABLE) as image:
        if getattr(image, "is_animated", False) and image.format != "MPO":
            raise ImageError(f"{path}: holds several pictures; save the one that you mean, or an animation as a video")
        _check_size(path, *image.size, limits)


def check_video(path: Path, limits: Limits, start_s: float | None, duration_s: float | None) -> None:
    """Look at a video's header; a part of it is `duration_s` from `start_s` on, s.

    What a file is, its first bytes decide and not its name: libav would follow a playlist to other files.

    Raises:
        VideoError: no video, its frames are too large, or the part is too long.
    """
    if not kinds.is_video(path):
        raise VideoError(f"{path}: not a video{'; pictures have their own tab' if picture.identify(path) else ''}")
    found = probe(path)
    _check_size(path, found.width, found.height, limits)
    rest_s = None if found.duration_s is None else found.duration_s - (start_s or 0)
    asked_s = min((seconds for seconds in (duration_s, rest_s) if seconds is not None), default=None)
    if asked_s is None or asked_s > limits.max_seconds:
        length = "of unknown length" if asked_s is None else f"{asked_s:.0f} s long"
        raise VideoError(
            f"{path}: {length}; at most {limits.max_seconds:g} s are done at a time: say how many under Duration"
        )


def _check_size(path: Path, width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_mpx * 1e6:
        raise InputError(
            f"{path}: {width}x{height} px are {width * height / 1e6:.1f} million; at most {limits.max_mpx:g} are taken"
        )
