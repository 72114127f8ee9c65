"""Targets on the disk: made once, and read by every worker and every run that has the same folder."""

import hashlib
import io
import logging
import zipfile
from pathlib import Path

import numpy as np

from apisr_data.images import Rgb, write_bytes
from apisr_model import targets

log = logging.getLogger(__name__)

_UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, ValueError, KeyError, RuntimeError)
"""What NumPy and its zip reader raise of a file that is absent or damaged, a bit anywhere in it."""


class KeptTargets:
    """A folder of targets, each under a name made of all that decides it; None keeps nothing.

    A file holds the pixels in which the target differs from its picture: in a pseudo ground truth the lines, a fifth or
    so. Making one of 720p takes 150 ms of a core, reading it back 5 ms, from a PNG 17 ms. Processes may write the same
    file at once; a damaged one is made anew; when the folder cannot be written, a warning says so once, and no more is
    kept.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def make(self, picture: Rgb, pixels_sha256: str, kind: str, gamma: float | None) -> Rgb:
        """`targets.make`, or what it gave before."""
        if self._folder is None:
            return targets.make(picture, kind, gamma)
        name = hashlib.sha256(f"{pixels_sha256} {picture.shape} {kind} {gamma} {targets.METHOD}".encode()).hexdigest()[
            :32
        ]
        path = self._folder / name[:2] / f"{name}.npz"
        try:
            return _unpacked(path.read_bytes(), picture)
        except _UNREADABLE:
            target = targets.make(picture, kind, gamma)
        try:
            write_bytes(_packed(target, picture), path)
        except OSError as error:
            log.warning("targets are no longer kept in %s, and made again each time: %s", self._folder, error)
            self._folder = None
        return target


def _packed(target: Rgb, picture: Rgb) -> bytes:
    differs = (target != picture).any(axis=2)
    file = io.BytesIO()
    np.savez(file, differs=np.packbits(differs), pixels=target[differs])  # with checksums
    return file.getvalue()


def _unpacked(data: bytes, picture: Rgb) -> Rgb:
    height, width = picture.shape[:2]
    with np.load(io.BytesIO(data), allow_pickle=False) as kept:
        differs = np.unpackbits(kept["differs"], count=height * width).view(np.bool_).reshape(height, width)
        target = picture.copy()
        target[differs] = kept["pixels"]
    return target
