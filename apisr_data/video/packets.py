"""Every packet of a video: where it is, how large it is, and what its picture is; no pixels."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple, overload

import numpy as np
from av.packet import Packet as AvPacket
from av.video.stream import VideoStream
from numpy.typing import NDArray

from apisr_data.intra import Verdict
from apisr_data.video.probe import VideoInfo

_ABSENT = -(2**63)
_KEY, _DISCARD, _CORRUPT, _INTRA = 1, 2, 4, 8


class Packet(NamedTuple):
    """One video packet; `pts` and `dts` are raw, in the stream's time base; None where absent."""

    ordinal: int
    pts: int | None
    dts: int | None
    size: int
    pos: int | None
    is_key: bool
    is_discard: bool
    is_corrupt: bool
    picture_type: str


class Packets(Sequence[Packet]):
    """Packets in demux order; 30 bytes each, so that three hours of film take 8 MB."""

    def __init__(self) -> None:
        self._pts, self._dts, self._pos = array("q"), array("q"), array("q")
        self._sizes = array("i")
        self._flags, self._types = bytearray(), bytearray()

    def __len__(self) -> int:
        return len(self._sizes)

    @overload
    def __getitem__(self, index: int) -> Packet: ...
    @overload
    def __getitem__(self, index: slice) -> list[Packet]: ...
    def __getitem__(self, index: int | slice) -> Packet | list[Packet]:
        """One packet, or a list of packets."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        ordinal = range(len(self))[index]
        flags = self._flags[ordinal]
        return Packet(
            ordinal,
            _present(self._pts[ordinal]),
            _present(self._dts[ordinal]),
            self._sizes[ordinal],
            _present(self._pos[ordinal]),
            bool(flags & _KEY),
            bool(flags & _DISCARD),
            bool(flags & _CORRUPT),
            chr(self._types[ordinal]),
        )

    def add(self, row: Packet, *, is_intra: bool) -> None:
        """Take the next packet; `is_intra`: it holds an I-frame that will be shown."""
        self._pts.append(_ABSENT if row.pts is None else row.pts)
        self._dts.append(_ABSENT if row.dts is None else row.dts)
        self._pos.append(_ABSENT if row.pos is None else row.pos)
        self._sizes.append(row.size)
        self._types.append(ord(row.picture_type))
        self._flags.append(
            row.is_key * _KEY | row.is_discard * _DISCARD | row.is_corrupt * _CORRUPT | is_intra * _INTRA
        )

    def settle(self, ordinal: int, picture_type: str) -> None:
        """Note what the decoder said of a packet's picture."""
        self._types[ordinal] = ord(picture_type)

    @property
    def pts(self) -> list[int | None]:
        """The raw pts of every packet."""
        return [_present(pts) for pts in self._pts]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Bytes of every packet."""
        return np.array(self._sizes, np.int64)

    @property
    def picture_types(self) -> NDArray[np.uint8]:
        """The letter of every packet's picture type, as its ASCII code."""
        return np.frombuffer(bytes(self._types), np.uint8)

    def with_flag(self, flag: int) -> NDArray[np.int64]:
        """Ordinals of the packets that carry a flag."""
        return np.flatnonzero(np.frombuffer(bytes(self._flags), np.uint8) & flag)


class Scan:
    """A stream's packets, and how its I-frames are found exactly.

    Attributes:
        info: the stream.
        packets: every packet in demux order.
        method: slice-types, headers, key-packets, or full-decode.
        unusual: why it is a full decode; empty otherwise.
        decode_errors: packets that the decoder refused, as far as they were decoded.
    """

    def __init__(self, info: VideoInfo, method: str) -> None:
        self.info = info
        self.packets = Packets()
        self.method = method
        self.unusual = ""
        self.decode_errors = 0

    def note(self, packet: AvPacket[VideoStream], verdict: Verdict) -> Packet:
        """Take the next packet with what its header says; the method becomes full-decode where that is unusual."""
        row = row_of(packet, len(self.packets), verdict.picture_type)
        self.packets.add(row, is_intra=verdict.is_alone and not packet.is_discard)
        unusual = verdict.unusual
        if not verdict.is_alone and packet.has_sidedata("new_extradata"):
            unusual = "headers change at a packet that holds no I-frame"
        if unusual and not self.unusual:
            self.method, self.unusual = "full-decode", f"packet {row.ordinal}: {unusual}"
        return row

    @property
    def intra(self) -> NDArray[np.int64]:
        """Ordinals of the packets that may hold an I-frame; all of them when only a full decode tells."""
        if self.method == "full-decode":
            return np.arange(len(self.packets))
        return self.packets.with_flag(_INTRA)

    @property
    def key_packets(self) -> int:
        """How many packets the container marks as key."""
        return len(self.packets.with_flag(_KEY))

    def size_histogram(self) -> list[tuple[str, int, int, int]]:
        """Packet sizes in quarter-octave bins: (picture type, lower edge in bytes, packets, their bytes)."""
        sizes, types = self.packets.sizes, self.packets.picture_types
        # A bin begins at the first whole number of bytes at or above 2 ** (n / 4).
        bins = np.floor(np.log2(np.maximum(sizes, 1)) * 4 + 1e-9).astype(int)
        rows = []
        for letter in "IPB?":
            of_type = types == ord(letter)
            for number in np.unique(bins[of_type]):
                chosen = sizes[of_type & (bins == number)]
                rows.append((letter, int(np.ceil(2 ** (number / 4) - 1e-9)), len(chosen), int(chosen.sum())))
        return rows

    def neighbour_bytes(self, ordinal: int) -> float | None:
        """Mean size of the P and B packets around one, up to the I-frames on either side; None without any.

        To be asked once every packet has been seen.
        """
        intra, inter_packets, inter_bytes = self._inter_before
        here = int(np.searchsorted(intra, ordinal))
        after = here + (here < len(intra) and intra[here] == ordinal)
        begin = intra[here - 1] if here > 0 else 0
        end = intra[after] if after < len(intra) else len(self.packets)
        packets = inter_packets[end] - inter_packets[begin]
        return float((inter_bytes[end] - inter_bytes[begin]) / packets) if packets else None

    @cached_property
    def _inter_before(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Ordinals of the I packets; how many P and B packets, and bytes of them, lie before each packet."""
        types = self.packets.picture_types
        inter = (types == ord("P")) | (types == ord("B"))
        before = [np.concatenate(([0], np.cumsum(counted))) for counted in (inter, inter * self.packets.sizes)]
        return np.flatnonzero(types == ord("I")), before[0], before[1]


def largest_packets(scan: Scan, every_s: float) -> list[int]:
    """The pts of the largest packet in each `every_s` seconds: frames to take from a video without I-frames."""
    largest: dict[int, tuple[int, int]] = {}
    unit_s = float(scan.info.time_base)
    for packet in scan.packets:
        if packet.pts is not None and not packet.is_discard:
            stretch = int((packet.pts - scan.info.start_time) * unit_s // every_s)
            if packet.size > largest.get(stretch, (0, 0))[0]:
                largest[stretch] = packet.size, packet.pts
    return [pts for _, (_, pts) in sorted(largest.items())]


def row_of(packet: AvPacket[VideoStream], ordinal: int, picture_type: str) -> Packet:
    """What is kept of a packet."""
    return Packet(
        ordinal,
        packet.pts,
        packet.dts,
        packet.size,
        packet.pos,
        packet.is_keyframe,
        packet.is_discard,
        packet.is_corrupt,
        picture_type,
    )


def _present(value: int) -> int | None:
    return None if value == _ABSENT else value
