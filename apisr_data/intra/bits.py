"""Bits of a header, most significant first."""


class Bits:
    """Reads the first bytes of a header; where it ends too early, EOFError."""

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

    def read_ue(self) -> int:
        """An unsigned Exp-Golomb code (H.264, 9.1)."""
        rest = self._value & ((1 << max(self._left, 0)) - 1)
        zeros = self._left - rest.bit_length()
        if rest == 0 or zeros > 32:
            raise EOFError("no Exp-Golomb code here")
        self._left -= zeros
        return self.read(zeros + 1) - 1

    def read_se(self) -> int:
        """A signed Exp-Golomb code (H.264, 9.1.1)."""
        code = self.read_ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)
