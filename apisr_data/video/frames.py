"""One decoded frame, with the packet that it came from."""

from fractions import Fraction

from av.video.frame import VideoFrame

from apisr_data import colour
from apisr_data.images import Luma, Rgb
from apisr_data.video.packets import Packet
from apisr_data.video.probe import VideoInfo, clockwise

_PICTURE_TYPES = {1: "I", 2: "P", 3: "B"}


class Frame:
    """A decoded frame; pixels are converted when they are asked for.

    Attributes:
        decoded: the frame as libav decoded it.
        pts: the packet's raw pts; None where absent.
        packet: the packet's ordinal in demux order.
        time_s: seconds from the stream's start; without a pts from the dts, without either from the frame rate.
        packet_bytes: size of the packet.
        is_key_packet: the container marks the packet as key.
        is_corrupt: the container or the decoder marks it as possibly damaged.
        picture_type: I, P, B or ?.
        width: displayed width after sample aspect ratio and rotation, px.
        height: displayed height after sample aspect ratio and rotation, px.
    """

    __slots__ = (
        "_colour",
        "_ratio",
        "_rotation",
        "decoded",
        "height",
        "is_corrupt",
        "is_key_packet",
        "packet",
        "packet_bytes",
        "picture_type",
        "pts",
        "time_s",
        "width",
    )

    def __init__(
        self,
        decoded: VideoFrame,
        packet: Packet,
        info: VideoInfo,
        interpretation: colour.Colour,
        *,
        has_true_mark: bool = True,
    ) -> None:
        self.decoded = decoded
        self._colour = interpretation
        self._ratio: Fraction = info.sample_aspect_ratio
        self._rotation = clockwise(decoded, info.path)
        self.pts = packet.pts
        self.packet = packet.ordinal
        self.time_s = _time_s(packet, info)
        self.packet_bytes = packet.size
        self.is_key_packet = packet.is_key
        self.is_corrupt = packet.is_corrupt or (has_true_mark and decoded.is_corrupt)
        self.picture_type = picture_type(decoded)
        self.width, self.height = colour.displayed_size(decoded.width, decoded.height, self._ratio, self._rotation)

    def rgb(self, size: tuple[int, int] | None = None) -> Rgb:
        """The frame as displayed: uint8 (h, w, 3), C-contiguous; antialiased to `size` = (w, h) px when given."""
        return colour.to_rgb(
            self.decoded, self._colour, size=size, rotation=self._rotation, sample_aspect_ratio=self._ratio
        )

    def luma(self) -> Luma:
        """Luma of the coded picture: uint8 (h, w), full range 0..255, neither scaled nor rotated."""
        return colour.to_luma(self.decoded, self._colour)


def _time_s(packet: Packet, info: VideoInfo) -> float:
    stamp = packet.pts if packet.pts is not None else packet.dts
    if stamp is not None:
        return float((stamp - info.start_time) * info.time_base)
    return packet.ordinal / info.fps if info.fps else 0.0  # a bare stream without a container


def picture_type(decoded: VideoFrame) -> str:
    """I, P, B or ?, as the decoder says."""
    return _PICTURE_TYPES.get(int(decoded.pict_type), "?")
