"""Which encoder a codec's name means here, with which settings, and whether it opens on this machine.

A name is a codec (h264, hevc, av1, ffv1) or any of libav's video encoders (h264_nvenc, prores_ks, ...). Every encoder
is opened once before any work, at the size it will see, so that what cannot be done is told at the start.
"""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import av
import av.logging
from av.codec.codec import PixFmtLoss, find_best_pix_fmt_of_list
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from apisr_data.colour import Codes
from apisr_data.errors import UsageError
from apisr_model.errors import DeviceError

CODECS = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1", "ffv1": "ffv1"}

# The network costs far more than the encoder, so the presets lean to quality; the quality factors are those at which
# drawn lines stay free of visible noise around them.
_DEFAULTS: dict[str, dict[str, str]] = {
    "libx264": {"preset": "medium", "tune": "animation", "crf": "17"},
    "libx265": {"preset": "medium", "tune": "animation", "crf": "18"},
    "libsvtav1": {"preset": "6", "crf": "24"},
    "libvpx-vp9": {"crf": "20", "b": "0", "row-mt": "1"},
    "mpeg4": {"flags": "+qscale", "global_quality": "236"},
    "ffv1": {"level": "3", "slicecrc": "1", "g": "1"},
}
_HARDWARE_DEFAULTS = {"nvenc": {"preset": "p5", "tune": "hq", "rc": "vbr", "b": "0"}, "amf": {"rc": "cqp"}}
_HARDWARE_QUALITY = 19
_HARDWARE = ("nvenc", "qsv", "amf", "videotoolbox", "vaapi", "mf", "v4l2m2m", "vulkan", "rkmpp")
_WORST_CRF, _UNBOUNDED = 51, 1000  # x264 and x265 tell libav of no bound, and take what is beyond it for it
_LAMBDA_PER_QSCALE = 118  # FF_QP2LAMBDA
_LOSSY, _LOSSLESS = 2, 4  # AV_CODEC_PROP_*
# How libav and the encoders begin what they say of an option; of those inside x264-params and its like they only warn.
_NOT_UNDERSTOOD = ("Unable to parse", "Error setting", "Unknown option", "Error parsing option", "Invalid value for")
_LOSSES = {
    PixFmtLoss.DEPTH: "fewer bits a sample",
    PixFmtLoss.RESOLUTION: "coarser chroma",
    PixFmtLoss.COLORSPACE: "another colour space",
}


@dataclass(frozen=True)
class Encoding:
    """What the user asked for."""

    codec: str = "auto"
    """auto, h264, hevc, av1, ffv1 or the name of one of libav's encoders. auto: h264, and hevc for 10 bits, as hardly
    any device decodes 10-bit H.264."""
    crf: int | None = None
    """Quality, lower is better; each encoder is told under its own name (cq, global_quality, ...)."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of the encoder by libav's names, and `pix_fmt`; they win over our defaults."""


@dataclass(frozen=True)
class Coded:
    """What every picture of a stream has in common."""

    size: tuple[int, int]
    time_base: Fraction
    frame_rate: Fraction
    sample_aspect_ratio: Fraction = Fraction(1)
    codes: Codes | None = None
    """Colour tags; None: not told."""
    siting: str | None = None
    """left, center or topleft; None: not told."""


@dataclass(frozen=True)
class Encoder:
    """An encoder of this machine with all of its settings."""

    name: str
    codec: str
    pixel_format: str
    options: Mapping[str, str]
    loss: str | None = None
    """What of the source's sample format the encoder cannot keep; None: nothing is lost."""

    def set_up(self, context: VideoCodecContext, coded: Coded) -> None:
        """Give a context that is not open yet everything that it has to know."""
        context.width, context.height = coded.size
        context.pix_fmt = self.pixel_format
        context.time_base, context.framerate = coded.time_base, coded.frame_rate
        context.sample_aspect_ratio = coded.sample_aspect_ratio
        if coded.codes is not None:
            context.colorspace, context.color_range, context.color_primaries, context.color_trc = coded.codes
        context.bit_rate = 0
        context.thread_type = "AUTO"  # PyAV's own default lets x264 slice: 1.5 times the CPU time, larger files
        has_chroma_grid = "420" in self.pixel_format or self.pixel_format in ("nv12", "p010le")
        siting = {"chroma_sample_location": coded.siting} if coded.siting and has_chroma_grid else {}
        context.options = {**siting, **self.options}

    def coded_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height rounded up to whole samples of chroma."""
        described = av.VideoFormat(self.pixel_format, 16, 16)
        across, down = 16 // (described.chroma_width() or 16), 16 // (described.chroma_height() or 16)
        return -(-size[0] // across) * across, -(-size[1] // down) * down

    def opened(self, coded: Coded) -> VideoCodecContext:
        """A fresh encoder that writes its parameters for a container's header.

        Raises:
            DeviceError: it does not open on this machine, or not at this size.
            UsageError: an option is unknown to it, or a value of one is.
        """
        context = av.CodecContext.create(self.name, "w")
        assert isinstance(context, VideoCodecContext)
        self.set_up(context, coded)
        context.flags |= Flags.global_header
        reason = _open(context)
        if reason is not None:
            width, height = coded.size
            raise DeviceError(
                f"encoder {self.name} cannot be opened here at {width}x{height}, {self.pixel_format}: {reason}; "
                f"{_what_there_is()}"
            )
        return context


@dataclass(frozen=True)
class Availability:
    """One encoder and whether it opens here."""

    name: str
    codec: str
    reason: str | None
    """Why it does not open; None: it does."""


def resolve(
    encoding: Encoding,
    *,
    bits: int,
    size: tuple[int, int],
    frame_rate: Fraction | None,
    chroma: str = "420",
    time_base: Fraction | None = None,
) -> Encoder:
    """The encoder that `encoding` means for pictures of 8 or 10 `bits` and 4:2:0, 4:2:2 or 4:4:4 `chroma`, opened once.

    It is opened at `size`, or with the px more that its chroma needs. `time_base` is that of the time stamps, where it
    is not the duration of a frame: MPEG-4 refuses fine ones.

    Raises:
        DeviceError: libav here has no such encoder, or it does not open; the message names what there is.
        UsageError: an unknown option, or a quality for an encoder that has none.
    """
    encoder = _settled(encoding, bits, chroma)
    rate = frame_rate or Fraction(24)
    encoder.opened(Coded(encoder.coded_size(size), time_base or 1 / rate, rate))
    return encoder


def available() -> list[Availability]:
    """The encoders behind `CODECS` and every hardware encoder of these codecs, each tried at 320x240."""
    found = []
    for name in _names():
        context = av.CodecContext.create(name, "w")
        assert isinstance(context, VideoCodecContext)
        try:
            encoder = _settled(Encoding(name), 8, "420")
            encoder.set_up(context, Coded((320, 240), Fraction(1, 24), Fraction(24)))
            reason = _open(context)
        except UsageError as error:  # an older build without one of our options, or frames in its memory alone
            reason = str(error)
        found.append(Availability(name, context.codec.canonical_name, reason))
    return found


def _settled(encoding: Encoding, bits: int, chroma: str) -> Encoder:
    """The encoder with all of its settings, not tried yet."""
    codec = encoding.codec if encoding.codec != "auto" else "hevc" if bits > 8 else "h264"
    name = CODECS.get(codec, codec)
    try:
        found = av.Codec(name, "w")
    except ValueError:
        found = None
    if found is None or found.type != "video":
        raise DeviceError(f"libav here has no video encoder '{name}'; {_what_there_is()}")
    wanted = f"yuv{chroma}p" + ("10le" if bits > 8 else "")
    options = dict(encoding.options)
    pixel_format, loss = _pixel_format(found, wanted, options.pop("pix_fmt", None))
    return Encoder(name, found.canonical_name, pixel_format, _with_defaults(found, encoding.crf, options), loss)


def _open(context: VideoCodecContext) -> str | None:
    """Open it; the reason where it does not open.

    Raises:
        UsageError: an option is unknown to the encoder, or a value of one is.
    """
    name = context.name
    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 tells errors only; it reads no other switch
    level = av.logging.get_level()
    av.logging.set_level(av.logging.WARNING)
    error = None
    try:
        with av.logging.Capture() as told:
            context.open()
    except (av.FFmpegError, ValueError) as caught:
        error = caught
    finally:
        av.logging.set_level(level)
    lines = [line.strip() for _, _, line in told]
    if any(line.startswith(_NOT_UNDERSTOOD) for line in lines):
        raise UsageError(f"encoder {name}: {'; '.join(lines)}")
    if error is not None:
        return "; ".join(lines) or str(error)
    for key in context.options:  # what the encoder took is gone from here
        known = [option.name for option in _options_of(name)]
        close = difflib.get_close_matches(key, known, 3, 0.4) or sorted(known)[:20]
        raise UsageError(f"encoder {name} has no option '{key}'; near it: {', '.join(close)}")
    return None


def _names() -> list[str]:
    """Our encoders and the hardware ones that libav was built with."""
    names = [name for name in CODECS.values() if name in av.codec.codecs_available]
    hardware = (f"{codec}_{kind}" for codec in CODECS for kind in _HARDWARE)
    return names + [name for name in hardware if name in av.codec.codecs_available]


def _what_there_is() -> str:
    return f"there are {', '.join(CODECS)}, and by name {', '.join(_names())}"


def _options_of(name: str) -> list[av.codec.context.CodecOption]:
    supported = av.CodecContext.create(name, "w").supported_options
    return [*supported.private, *supported.generic]


def _pixel_format(codec: av.Codec, wanted: str, asked: str | None) -> tuple[str, str | None]:
    """The format of the encoder that loses least of `wanted`, or the one asked for, and what is lost."""
    offered = [f.name for f in codec.video_formats or [] if not f.name.startswith("yuvj")]
    if asked is not None:
        if offered and asked not in offered:
            raise UsageError(f"encoder {codec.name} does not take the pixel format '{asked}', but {', '.join(offered)}")
        return asked, None
    if not offered:
        return wanted, None
    best, _ = find_best_pix_fmt_of_list(offered, wanted)
    if best is None:
        raise DeviceError(f"encoder {codec.name} takes frames in the device's memory alone; choose another encoder")
    _, lost = find_best_pix_fmt_of_list([best.name], wanted)
    losses = [words for loss, words in _LOSSES.items() if lost & loss]
    return best.name, f"{codec.name} has no {wanted}: {best.name}, {' and '.join(losses)}" if losses else None


def _with_defaults(codec: av.Codec, crf: int | None, options: Mapping[str, str]) -> dict[str, str]:
    """Our defaults under the user's quality under the user's options."""
    kind = codec.name.rpartition("_")[2]
    is_hardware = kind in _HARDWARE
    defaults = dict(_HARDWARE_DEFAULTS.get(kind, {}) if is_hardware else _DEFAULTS.get(codec.name, {}))
    if crf is None and is_hardware:
        crf = _HARDWARE_QUALITY
    quality = {} if crf is None else _quality(codec, kind, crf)
    given = {**defaults, **quality, **options}
    if codec.name == "libx265":  # its banner goes past libav's log
        given["x265-params"] = ":".join(filter(None, ("log-level=error", options.get("x265-params"))))
    return given


def _quality(codec: av.Codec, kind: str, crf: int) -> dict[str, str]:
    """What a quality of x264's scale (0 to 51, lower is better) is called by this encoder.

    Raises:
        UsageError: it is beyond the encoder's scale, or there is none.
    """
    private = {option.name: option for option in av.CodecContext.create(codec.name, "w").supported_options.private}
    if codec.properties & (_LOSSY | _LOSSLESS) == _LOSSLESS and "crf" not in private:
        raise UsageError(f"encoder {codec.name} is lossless: it has no quality to set; leave --crf out")
    stated = private["crf"].max if "crf" in private else None
    worst = int(stated) if stated is not None and stated < _UNBOUNDED else _WORST_CRF
    if crf > worst:
        raise UsageError(f"encoder {codec.name}: --crf {crf} is beyond its scale, 0 to {worst}; lower is better")
    if "crf" in private:
        return {"crf": str(crf), **({"b": "0"} if codec.name.startswith("libvpx") else {})}
    if kind == "nvenc":
        return {"cq": str(crf)}
    if kind == "qsv":
        return {"global_quality": str(crf)}
    if kind == "amf":
        return {key: str(crf) for key in ("qp_i", "qp_p", "qp_b") if key in private}
    # VideoToolbox counts 1 to 100, higher is better; the rest take MPEG's quantiser.
    scale = max(1, round(100 * (1 - crf / _WORST_CRF))) if kind == "videotoolbox" else crf
    return {"flags": "+qscale", "global_quality": str(scale * _LAMBDA_PER_QSCALE)}
