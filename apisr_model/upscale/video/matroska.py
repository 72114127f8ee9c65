"""The display size of a Matroska file's video track, which PyAV gives libav's muxer no way to write.

The muxer is made to leave room: the track's name is written with `ROOM` behind it. Afterwards the track is laid out
anew within its own bytes, the display size in it and the name without the room, so that nothing else moves.
Source: RFC 9559 (Matroska), RFC 8794 (EBML).
"""

import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from apisr_model.errors import ContainerError

FORMATS = ("matroska", "webm")
ROOM = " " * 40
_SEGMENT, _TRACKS, _ENTRY, _VIDEO = 0x18538067, 0x1654AE6B, 0xAE, 0xE0
_NUMBER, _NAME, _CRC, _VOID = 0xD7, 0x536E, 0xBF, 0xEC
_DISPLAY = (0x54B0, 0x54BA, 0x54B2)  # width, height, unit: the muxer says «unknown», silence means pixels
_HEAD_BYTES = 1 << 20  # libav writes the tracks among the first things, fonts after them


class _Element(NamedTuple):
    """Where an element and its payload lie."""

    kind: int
    begin: int
    payload: int
    end: int


def set_display_size(path: Path, track: int, size: tuple[int, int], sample_aspect_ratio: Fraction) -> None:
    """Write how large the track at index `track`, of `size` coded pixels, is to be shown.

    Raises:
        ContainerError: the file is not laid out as libav's muxer lays it out.
    """
    with path.open("r+b") as file:
        head = bytearray(file.read(_HEAD_BYTES))
        tracks = _find(head, _TRACKS, _find(head, _SEGMENT))
        head += file.read(max(0, tracks.end - len(head)))  # a subtitle's header alone may be megabytes
        inside = _elements(head, tracks.payload, min(tracks.end, len(head)))
        entries = [element for element in inside if element.kind == _ENTRY]
        entry = next((entry for entry in entries if _track_number(head, entry) == track + 1), None)
        if entry is None or tracks.end > len(head):
            raise ContainerError(f"{path}: no track {track + 1} at the head of the Matroska file")
        anew = _laid_out_anew(head, entry, _display_size(size, sample_aspect_ratio))
        spare = entry.end - entry.payload - len(anew)
        if spare < 2:
            raise ContainerError(f"{path}: no room for the display size in track {track + 1}")
        head[entry.payload : entry.end] = anew + _element(_VOID, bytes(spare - 2))
        first = next(_elements(head, tracks.payload, tracks.end))
        if first.kind == _CRC:
            head[first.payload : first.end] = zlib.crc32(head[first.end : tracks.end]).to_bytes(4, "little")
        file.seek(0)
        file.write(head)


def _display_size(size: tuple[int, int], sample_aspect_ratio: Fraction) -> tuple[int, int]:
    """Width and height in square pixels; the axis that comes out whole is scaled, else the width."""
    width, height = size
    if (width * sample_aspect_ratio).denominator != 1 and (height / sample_aspect_ratio).denominator == 1:
        return width, int(height / sample_aspect_ratio)
    return round(width * sample_aspect_ratio), height


def _laid_out_anew(head: bytearray, entry: _Element, display: tuple[int, int]) -> bytes:
    """The track's payload with the display size, and without the room in its name."""
    pieces = []
    for child in _elements(head, entry.payload, entry.end):
        piece = bytes(head[child.begin : child.end])
        if child.kind == _NAME:
            name = bytes(head[child.payload : child.end]).removesuffix(ROOM.encode())
            piece = _element(_NAME, name) if name else b""
        elif child.kind == _VIDEO:
            inside = _elements(head, child.payload, child.end)
            kept = [bytes(head[e.begin : e.end]) for e in inside if e.kind not in _DISPLAY]
            sizes = (side.to_bytes(4, "big") for side in display)
            piece = _element(_VIDEO, b"".join([*kept, *map(_element, _DISPLAY, sizes)]))
        pieces.append(piece)
    return b"".join(pieces)


def _find(head: bytearray, kind: int, within: _Element | None = None) -> _Element:
    start, end = (within.payload, within.end) if within else (0, len(head))
    found = next((e for e in _elements(head, start, min(end, len(head))) if e.kind == kind), None)
    if found is None:
        raise ContainerError(f"no Matroska element {kind:x} where libav's muxer writes it")
    return found


def _elements(head: bytearray, at: int, end: int) -> Iterator[_Element]:
    while at < end:
        begin = at
        kind_bytes = 9 - head[at].bit_length()
        kind = int.from_bytes(head[at : at + kind_bytes], "big")
        at += kind_bytes
        size_bytes = 9 - head[at].bit_length()
        size = int.from_bytes(head[at : at + size_bytes], "big") & ((1 << 7 * size_bytes) - 1)
        at += size_bytes
        is_unknown = size == (1 << 7 * size_bytes) - 1
        yield _Element(kind, begin, at, end if is_unknown else at + size)
        at = end if is_unknown else at + size


def _element(kind: int, payload: bytes) -> bytes:
    size_bytes = next(n for n in range(1, 9) if len(payload) < (1 << 7 * n) - 1)
    size = (len(payload) | 1 << 7 * size_bytes).to_bytes(size_bytes, "big")
    return kind.to_bytes((kind.bit_length() + 7) // 8, "big") + size + payload


def _track_number(head: bytearray, entry: _Element) -> int | None:
    for child in _elements(head, entry.payload, entry.end):
        if child.kind == _NUMBER:
            return int.from_bytes(head[child.payload : child.end], "big")
    return None
