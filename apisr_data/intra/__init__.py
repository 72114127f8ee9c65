"""Which packets of a stream hold I-frames, read from the packet bytes; one file per family of codecs.

A classifier sees every packet of a stream in decoding order and says of each what its picture is, whether it can be
decoded alone, and whether the stream does something for which only a full decode is exact.
"""

from collections.abc import Callable

from apisr_data.intra.av1 import Av1
from apisr_data.intra.h264 import H264
from apisr_data.intra.hevc import Hevc
from apisr_data.intra.mpeg import Mpeg4, MpegVideo
from apisr_data.intra.verdict import UNKNOWN, Classifier, Verdict
from apisr_data.intra.vpx import Vp8, Vp9

__all__ = ["UNKNOWN", "AllIntra", "Classifier", "Verdict", "classifier"]

_CLASSIFIERS: dict[str, tuple[str, Callable[[bytes], Classifier]]] = {
    "h264": ("slice-types", H264),
    "hevc": ("slice-types", Hevc),
    "vp8": ("headers", Vp8),
    "vp9": ("headers", Vp9),
    "av1": ("headers", Av1),
    "mpeg1video": ("headers", MpegVideo),
    "mpeg2video": ("headers", MpegVideo),
    "mpeg4": ("headers", Mpeg4),
}


class AllIntra:
    """For codecs in which every packet is an I-frame that stands alone (MJPEG, ProRes, HuffYUV ...)."""

    def classify(self, packet: bytes) -> Verdict:  # noqa: ARG002
        """Always a picture that stands alone."""
        return Verdict("I", is_alone=True, is_sync=True, has_headers=True)


def classifier(codec: str, extradata: bytes, *, is_intra_only: bool) -> tuple[str, Classifier | None]:
    """The method for a codec and its classifier.

    Args:
        codec: libav's name of the codec (not of one decoder of it).
        extradata: the stream's codec configuration; may be empty.
        is_intra_only: libav's descriptor says that the codec has intra frames only.

    Returns:
        "slice-types", "headers" or "key-packets" with a classifier, or "full-decode" with None.
    """
    if codec in _CLASSIFIERS:
        method, make = _CLASSIFIERS[codec]
        try:
            return method, make(extradata)
        except (EOFError, LookupError):  # the configuration is damaged
            return "full-decode", None
    if is_intra_only:
        return "key-packets", AllIntra()
    return "full-decode", None
