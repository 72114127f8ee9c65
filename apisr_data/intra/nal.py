"""What H.264 and HEVC share: where a packet's NAL units are, and parameter sets that must reach the decoder."""

from collections.abc import Iterator

_START_CODE = b"\0\0\1"


def nal_units(data: bytes, length_bytes: int) -> Iterator[tuple[int, int]]:
    """Start and end of each NAL unit of a packet, found one at a time.

    Args:
        data: the packet.
        length_bytes: size of the length in front of each unit; 0 for start codes (Annex B).
    """
    total = len(data)
    # Some files promise lengths and hold start codes; libav takes a first unit of one byte for that, too.
    if length_bytes and data[:4] != b"\0\0\0\1":
        start = length_bytes
        while start < total:
            end = start + int.from_bytes(data[start - length_bytes : start], "big")
            if end > start:
                yield start, min(end, total)
            start = end + length_bytes
        return
    start = data.find(_START_CODE) + 3
    while start >= 3:
        found = data.find(_START_CODE, start)
        if start < total:
            yield start, found if found >= 0 else total
        start = found + 3


def unescape(data: bytes) -> bytes:
    """The payload of a NAL unit without its emulation prevention bytes."""
    return data.replace(b"\0\0\3", b"\0\0")


class ParameterSets:
    """The parameter sets that travel with I-frames; a decoder that is given only those knows no others."""

    def __init__(self, units: set[bytes]) -> None:
        self._known = units

    def follow(self, units: set[bytes], *, is_complete: bool) -> bool:
        """Take the sets of the next packet; False where a decoder of I-frames alone would miss a change.

        Args:
            units: the packet's sets.
            is_complete: the packet will be decoded and brings a set of every kind.
        """
        if is_complete:
            self._known = units
            return True
        return units <= self._known
