"""Small films with what real ones carry: sound, subtitles, fonts, chapters, cover art, uneven time stamps."""

import io
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import av.container
import numpy as np
from PIL import Image

from apisr_model.upscale.video.encoders import Encoding
from apisr_model.upscale.video.source import Source
from apisr_model.upscale.video.target import Target

FAST = Encoding("h264", options={"preset": "ultrafast"})
FONT = b"\0\1\0\0" + bytes(range(200))
WIDTH, HEIGHT = 64, 48
_SCRIPT = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Foo,16

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.10,0:00:00.60,Default,,0,0,0,,Hello
Dialogue: 0,0:00:00.70,0:00:00.80,Default,,0,0,0,,World
"""


def film(
    path: Path,
    *,
    frames: int = 20,
    pts: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 24),
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    sounds: Sequence[tuple[str, str]] = (),
    script: bool = False,
    font: bool = False,
    cover: bool = False,
    chapters: bool = False,
    sound_s: float = 0.8,
    **context: object,
) -> Path:
    """Pictures at `pts`; `sounds` are (codec, language), `sound_s` long; `context` is set on the video encoder."""
    with av.open(str(path), "w") as out:
        video = out.add_stream(codec, rate=24, options={"preset": "ultrafast"} if codec.startswith("libx26") else {})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, pixel_format
        video.codec_context.time_base = video.time_base = time_base
        if codec == "libx265":
            video.codec_context.options = {"preset": "ultrafast", "x265-params": "log-level=none"}
        for name, value in context.items():
            setattr(video.codec_context, name, value)
        video.metadata["title"] = "Bild"
        tracks = []
        for codec_name, language in sounds:
            track = out.add_stream(codec_name, rate=48000)
            track.layout = "stereo"
            track.codec_context.bit_rate = 128_000
            track.metadata["language"] = language
            tracks.append(track)
        if tracks:
            tracks[0].disposition = 1
        subtitles = _subtitles(out, path) if script else []
        if font:
            out.add_attachment("Schrift «ä».ttf", "font/ttf", FONT)
        picture = _cover(out) if cover else []
        if chapters:
            out.set_chapters(
                [
                    {"id": i + 1, "start": 400 * i, "end": 400 * (i + 1), "time_base": Fraction(1, 1000),
                     "metadata": {"title": f"Teil {i}"}}
                    for i in range(2)
                ]
            )  # fmt: skip
        out.metadata["title"] = "Folge 1"
        for number, stamp in enumerate(pts or range(frames)):
            shade = np.full((HEIGHT, WIDTH, 3), (number * 9 + 20) % 256, np.uint8)
            shade[10:20, 2 * number % 40 : 2 * number % 40 + 12] = (200, 50, 50)
            frame = av.VideoFrame.from_ndarray(shade, "rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base = stamp, time_base
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for packet in (*subtitles, *picture):
            out.mux(packet)
        for track in tracks:
            for packet in _tone(track, sound_s):
                out.mux(packet)
    return path


def cover_png() -> bytes:
    """A cover picture."""
    file = io.BytesIO()
    Image.new("RGB", (32, 32), (200, 30, 10)).save(file, "PNG")
    return file.getvalue()


def upscaled(
    source: Path,
    target: Path,
    encoding: Encoding = FAST,
    *,
    stop_at: int | None = None,
    fresh: bool = False,
    drop: Sequence[str] = (),
    fingerprint: str = "the same",
    **part: float,
) -> Path:
    """Run the film through Source and Target at twice its size in segments of 8; Ctrl-C at frame `stop_at`."""
    with Source(source, deinterlace="off", **part) as opened:
        size = (opened.size[0] * 2, opened.size[1] * 2)
        with Target(
            opened, target, size, encoding, fingerprint=fingerprint, segment_frames=8, fresh=fresh, drop=drop
        ) as made:
            for number, frame in enumerate(opened.frames()):
                if number == stop_at:
                    raise KeyboardInterrupt
                if number >= made.frames_done:
                    made.write(frame.rgb().repeat(2, 0).repeat(2, 1), frame)
            made.finish()
    return target


def shown(path: Path, stream: int = 0) -> list[tuple[Fraction, bytes]]:
    """Time (s) and samples of every frame."""
    with av.open(str(path)) as container:
        return [
            (frame.pts * Fraction(frame.time_base), frame.to_ndarray().tobytes())
            for frame in container.decode(container.streams.video[stream])
        ]


def times(path: Path) -> list[Fraction]:
    """Time (s) of every frame."""
    return [time for time, _ in shown(path)]


def packets(path: Path, *kinds: str) -> list[tuple[int, int | None, int | None, int | None, bytes]]:
    """Index, pts, dts, duration and data of every packet of these kinds of streams, or of all."""
    with av.open(str(path)) as container:
        return sorted(
            (p.stream.index, p.pts, p.dts or 0, p.duration, bytes(p))
            for p in container.demux()
            if p.size and (not kinds or p.stream.type in kinds)
        )


def _subtitles(out: av.container.OutputContainer, path: Path) -> list[av.Packet]:
    script = path.with_name("script.ass")
    script.write_text(_SCRIPT, "utf-8")
    with av.open(str(script)) as source:
        stream = out.add_stream_from_template(source.streams[0])
        stream.metadata.update({"language": "deu", "title": "Schilder & Lieder"})
        stream.disposition = 1 | 64
        found = [packet for packet in source.demux() if packet.size]
    for packet in found:
        packet.stream = stream
    return found


def _cover(out: av.container.OutputContainer) -> list[av.Packet]:
    if out.format.name == "matroska":
        out.add_attachment("cover.png", "image/png", cover_png())
        return []
    stream = out.add_stream("png", rate=1)
    stream.width = stream.height = 32
    stream.pix_fmt, stream.disposition = "rgb24", 1024
    packet = av.Packet(cover_png())
    packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1, 90000)
    return [packet]


def _tone(track: av.AudioStream, seconds: float) -> Iterator[av.Packet]:
    step = track.codec_context.frame_size or 1024
    wave = np.sin(np.arange(int(48000 * seconds)) * 0.05).astype(np.float32) * 0.3
    for start in range(0, len(wave) - step + 1, step):
        frame = av.AudioFrame.from_ndarray(np.stack([wave[start : start + step]] * 2), "fltp", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        yield from track.encode(frame)
    yield from track.encode(None)
