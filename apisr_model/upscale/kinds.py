"""What a file is, by its content: a picture, a video, or neither."""

from pathlib import Path
from typing import Literal

from apisr_model.upscale import picture

Kind = Literal["picture", "video"]

PICTURE_SUFFIXES = frozenset(".avif .bmp .gif .jpe .jpeg .jpg .png .tif .tiff .webp".split())
_VIDEO_SUFFIXES = frozenset(
    ".avi .f4v .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogm .ogv .rm .rmvb .ts .vob .webm .wmv .y4m".split()
)
# Soundtracks and subtitles lie beside videos in the same containers.
SOUND_SUFFIXES = frozenset(".aac .flac .m4a .mka .mks .mp3 .oga .ogg .opus .weba .wma".split())

_STARTS = (b"\x1aE\xdf\xa3", b"FLV\x01", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", b"\0\0\x01\xba", b"\0\0\x01\xb3")
_OTHER_STARTS = (b"YUV4MPEG2", b".RMF", b"DKIF", b"OggS")
_MP4_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_NO_VIDEO_BRANDS = (b"M4A ", b"M4B ", b"heic", b"heix", b"mif1", b"avif")
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")
_TS_PACKETS = ((0, 188), (4, 192))  # offset of the first sync byte, and the distance to the next
_TS_SYNC = 0x47


def kind_of(path: Path) -> Kind | None:
    """Picture or video by the file's content, or where that says nothing, by its suffix; None: neither.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(512)
    if picture.identify(path):
        return "picture"
    if _starts_a_video(start):
        return "video"
    suffix = path.suffix.lower()
    return "picture" if suffix in PICTURE_SUFFIXES else "video" if suffix in _VIDEO_SUFFIXES else None


def is_video(path: Path) -> bool:
    """Whether the file's first bytes are those of a video container, whatever its name says.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return _starts_a_video(file.read(512))


def _starts_a_video(start: bytes) -> bool:
    if start.startswith(_STARTS + _OTHER_STARTS) or (start[:4] == b"RIFF" and start[8:12] == b"AVI "):
        return True
    if start[4:8] in _MP4_ATOMS:
        return start[8:12] not in _NO_VIDEO_BRANDS
    return any(start[at : at + 1] == start[at + step : at + step + 1] == bytes([_TS_SYNC]) for at, step in _TS_PACKETS)


def is_heic(path: Path) -> bool:
    """Whether the file is a picture as telephones take it, which is not read here; False where it cannot be opened."""
    try:
        with path.open("rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start[4:8] == b"ftyp" and start[8:] in _HEIC_BRANDS and not picture.identify(path)
