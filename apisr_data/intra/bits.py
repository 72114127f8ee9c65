"""Bits of a header, most significant first, and the places of NAL units."""

from collections.abc import Iterator

_START_CODE = b"\0\0\1"


class Bits:
    """Reads the first bytes of a NAL unit or frame header; bits past the end raise EOFError."""

    __slots__ = ("_left", "_value")

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def read(self, count: int) -> int:
        """The next `count` bits as an unsigned integer."""
        self._left -= count
        if self._left < 0:
            raise EOFError("the header ends early")
        return (self._value >> self._left) & ((1 << count) - 1)

    def skip(self, count: int) -> None:
        """Passes over `count` bits."""
        self._left -= count

    def read_ue(self) -> int:
        """An unsigned Exp-Golomb code (H.264 9.1)."""
        rest = self._value & ((1 << self._left) - 1) if self._left > 0 else 0
        zeros = self._left - rest.bit_length()
        if rest == 0 or zeros > 32:
            raise EOFError("no Exp-Golomb code here")
        self._left -= zeros
        return self.read(zeros + 1) - 1

    def read_se(self) -> int:
        """A signed Exp-Golomb code (H.264 9.1.1)."""
        code = self.read_ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def unescape(data: bytes) -> bytes:
    """The payload of a NAL unit without its emulation prevention bytes."""
    return data.replace(b"\0\0\3", b"\0\0")


def nal_units(data: bytes, length_bytes: int) -> Iterator[tuple[int, int]]:
    """Start and end of each NAL unit of a packet.

    Args:
        data: the packet.
        length_bytes: size of the length in front of each unit; 0 for start codes (Annex B).
    """
    total = len(data)
    if length_bytes:
        start = length_bytes
        while start < total:
            end = start + int.from_bytes(data[start - length_bytes : start], "big")
            yield start, min(end, total)
            start = end + length_bytes
        return
    found = data.find(_START_CODE)
    while found >= 0:
        start = found + 3
        found = data.find(_START_CODE, start)
        yield start, found if found >= 0 else total
