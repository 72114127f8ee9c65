"""Prediction-oriented compression: one picture through a video encoder's intra prediction and back, in this process.

Every codec runs on one thread, so that what was drawn gives the same picture on any number of cores.

Source: Wang et al., APISR, CVPR 2024, section 4.1.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Annotated, Any, Literal, get_args

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from pydantic import AfterValidator, Field

from apisr_data.images import Rgb
from apisr_model.degradations import (
    Image,
    Probability,
    Step,
    Weights,
    ascends,
    choose,
    from_levels,
    image_codecs,
    to_levels,
    whole,
)
from apisr_model.errors import DegradationError

VideoName = Literal["mpeg2", "mpeg4", "h264", "h265", "vp9", "av1"]
Codec = Literal[image_codecs.StillCodec, VideoName]
Preset = Literal["slow", "medium", "fast", "faster", "superfast"]

_Qscale = Annotated[int, Field(ge=1, le=31)]
_Crf51 = Annotated[int, Field(ge=0, le=51)]
_Crf63 = Annotated[int, Field(ge=0, le=63)]
_PRESET_CODECS = ("h264", "h265")


class CompressionConfig(image_codecs.QualitySettings):
    """The last operator: which codec, how strong. Quality factors: the greater, the worse."""

    probability: Probability = 1.0
    codecs: Weights[Codec] = Field(
        default={
            "jpeg": 0.06,
            "webp": 0.1,
            "avif": 0.1,
            "mpeg2": 0.12,
            "mpeg4": 0.12,
            "h264": 0.3,
            "h265": 0.2,
        }
    )
    mpeg2_qscale: Annotated[tuple[_Qscale, _Qscale], AfterValidator(ascends)] = (8, 31)
    mpeg4_qscale: Annotated[tuple[_Qscale, _Qscale], AfterValidator(ascends)] = (8, 31)
    h264_crf: Annotated[tuple[_Crf51, _Crf51], AfterValidator(ascends)] = (23, 38)
    h265_crf: Annotated[tuple[_Crf51, _Crf51], AfterValidator(ascends)] = (28, 42)
    vp9_crf: Annotated[tuple[_Crf63, _Crf63], AfterValidator(ascends)] = (30, 55)
    av1_crf: Annotated[tuple[_Crf63, _Crf63], AfterValidator(ascends)] = (30, 55)
    presets: Weights[Preset] = Field(
        default={"slow": 0.05, "medium": 0.35, "fast": 0.3, "faster": 0.2, "superfast": 0.1}
    )
    """Of x264 and x265; the other encoders have none."""


class VideoCodec(Step):
    """What was drawn: qscale for MPEG-2 and MPEG-4, CRF for the others; the preset of x264 and x265."""

    op: Literal["video_codec"] = "video_codec"
    codec: VideoName
    quality: Annotated[int, Field(ge=0, le=63)]
    preset: Preset | None = None

    def __str__(self) -> str:
        scale = "qscale" if self.codec in ("mpeg2", "mpeg4") else "crf"
        return f"{self.codec} {scale} {self.quality}" + (f", preset {self.preset}" if self.preset else "")

    def apply(self, image: Image) -> Image:
        """`image` clamped to 0..1, in 8 bits, through the codec in 4:2:0; its last row and column repeat where odd.

        Raises:
            DegradationError: the codec failed, or gave back other than one picture.
        """
        return from_levels(code(to_levels(image), self))


def draw(rng: np.random.Generator, config: CompressionConfig) -> image_codecs.ImageCodec | VideoCodec:
    """A codec and its parameters; `config.probability` is the caller's to draw."""
    codec = choose(rng, config.codecs)
    if codec == "jpeg" or codec == "webp" or codec == "avif":
        return image_codecs.draw(rng, config, codec)
    spans = {
        "mpeg2": config.mpeg2_qscale,
        "mpeg4": config.mpeg4_qscale,
        "h264": config.h264_crf,
        "h265": config.h265_crf,
        "vp9": config.vp9_crf,
        "av1": config.av1_crf,
    }
    quality = whole(rng, spans[codec])
    return VideoCodec(
        codec=codec, quality=quality, preset=choose(rng, config.presets) if codec in _PRESET_CODECS else None
    )


def code(levels: Rgb, drawn: VideoCodec) -> Rgb:
    """`levels` (h, w, 3) encoded and decoded.

    Raises:
        DegradationError: the codec failed, or gave back other than one picture.
    """
    height, width = levels.shape[:2]
    least = _CODECS[drawn.codec].least_px
    bottom, right = (max(least, side + side % 2) - side for side in (height, width))  # 4:2:0 halves the sides
    padded = levels
    if bottom or right:
        padded = np.asarray(cv2.copyMakeBorder(levels, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
    try:
        frames = _decoded(_CODECS[drawn.codec], _encoded(padded, drawn))
    except (av.FFmpegError, ValueError, RuntimeError) as error:
        raise DegradationError(f"{drawn} of {width}x{height} px: {error}") from error
    if len(frames) != 1 or frames[0].shape != padded.shape:
        shapes = ", ".join(f"{frame.shape[1]}x{frame.shape[0]}" for frame in frames)
        raise DegradationError(f"{drawn} of {width}x{height} px: {len(frames)} pictures came back ({shapes}), not one")
    return frames[0][:height, :width]


@dataclass(frozen=True)
class _Codec:
    encoder: str
    decoder: str
    quality: tuple[str, ...] = ("crf",)
    """Options that take the quality."""
    options: Mapping[str, str] = field(default_factory=dict)
    least_px: int = 2


_CODECS = {
    # `global_quality` with `+qscale` is ignored by these two
    "mpeg2": _Codec("mpeg2video", "mpeg2video", ("qmin", "qmax")),
    "mpeg4": _Codec("mpeg4", "mpeg4", ("qmin", "qmax")),
    # the lookahead stays on: without it the picture is 3 dB worse
    "h264": _Codec("libx264", "h264"),
    "h265": _Codec(
        "libx265", "hevc", options={"x265-params": "log-level=none:pools=none:frame-threads=1"}, least_px=16
    ),
    "vp9": _Codec("libvpx-vp9", "vp9", options={"b": "0", "deadline": "good", "cpu-used": "4"}),
    "av1": _Codec("libsvtav1", "libdav1d", options={"preset": "8", "svtav1-params": "lp=1"}, least_px=64),
}
assert _CODECS.keys() == set(get_args(VideoName))


def _encoded(levels: Rgb, drawn: VideoCodec) -> "list[av.Packet[Any]]":
    codec = _CODECS[drawn.codec]
    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 prints a banner for every picture, and has no option against it
    context = _context(codec.encoder, "w")
    context.height, context.width = levels.shape[:2]
    context.pix_fmt = "yuv420p"
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    preset = {"preset": drawn.preset} if drawn.preset else {}
    context.options = {**codec.options, **preset, **dict.fromkeys(codec.quality, str(drawn.quality))}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(levels), format="rgb24")
    # bicubic from rgb24 is what the ffmpeg program does: with it H.264 and MPEG-2 give its picture bit for bit
    frame = frame.reformat(format="yuv420p", interpolation="BICUBIC")
    frame.pts = 0
    return [*context.encode(frame), *context.encode(None)]


def _decoded(codec: _Codec, packets: "list[av.Packet[Any]]") -> list[Rgb]:
    context = _context(codec.decoder, "r")
    frames = [frame for packet in [*packets, None] for frame in context.decode(packet)]
    return [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in frames]


def _context(name: str, mode: Literal["r", "w"]) -> VideoCodecContext:
    context = av.CodecContext.create(name, mode)
    assert isinstance(context, VideoCodecContext)
    context.thread_count = 1
    return context
