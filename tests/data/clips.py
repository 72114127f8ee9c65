"""Small synthetic videos: moving shapes and grain on a background, with scene cuts."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Drawing = Callable[[int], NDArray[np.uint8]]


def drawing(width: int, height: int, cut_every: int = 17, seed: int = 0) -> Drawing:
    """Frame number -> RGB picture (height, width, 3); everything changes every `cut_every` frames."""
    y, x = np.mgrid[:height, :width]

    def draw(number: int) -> NDArray[np.uint8]:
        scene, step = divmod(number, cut_every)
        rng = np.random.default_rng((seed, scene))
        base, slope = rng.integers(30, 200, 3), rng.uniform(-0.4, 0.4, (2, 3))
        picture = base + x[..., None] * slope[0] + y[..., None] * slope[1]
        for _ in range(4):
            left, top, speed = rng.integers(0, width), rng.integers(0, height), rng.integers(-3, 4)
            side = rng.integers(height // 6, height // 3)
            inside = (np.abs((x - left - speed * step) % width) < side) & (np.abs(y - top) < side)
            picture[inside] = rng.integers(0, 256, 3)
        picture = picture + np.random.default_rng((seed, number)).normal(0, 3, (height, width, 1))
        return picture.clip(0, 255).astype(np.uint8)

    return draw


def make(
    path: Path,
    codec: str,
    *,
    size: tuple[int, int] = (160, 96),
    frames: int = 48,
    fps: int | Fraction = 24,
    pixel_format: str = "yuv420p",
    options: Mapping[str, str] | None = None,
    draw: Drawing | None = None,
    flags: int = 0,
    format_name: str | None = None,
    **context: object,
) -> Path:
    """Encode `frames` pictures to `path`; `context` sets attributes of the encoder (gop_size, max_b_frames, ...)."""
    draw = draw or drawing(*size)
    with av.open(str(path), "w", format=format_name) as container:
        stream = container.add_stream(codec, rate=fps, options=dict(options or {}))
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        stream.codec_context.flags |= flags
        stream.codec_context.thread_count = 1
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(draw(number), "rgb24").reformat(format=pixel_format)
            picture.pts, picture.time_base = number, 1 / Fraction(fps)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def packets(path: Path) -> Iterator[av.Packet]:
    """The video packets of a file."""
    with av.open(str(path)) as container:
        for packet in container.demux(container.streams.video[0]):
            if packet.size:
                yield packet


def remux(
    sources: Iterable[Path],
    path: Path,
    *,
    keep: Callable[[int, av.Packet], bool] = lambda _number, _packet: True,
    shift: int = 0,
    options: Mapping[str, str] | None = None,
) -> Path:
    """The packets of several files one after the other in one stream; `shift` is added to every time stamp."""
    with av.open(str(path), "w", options=dict(options or {})) as target:
        stream, offset = None, shift
        for source in sources:
            with av.open(str(source)) as container:
                origin = container.streams.video[0]
                stream = stream or target.add_stream_from_template(origin)
                end = offset
                for number, packet in enumerate(container.demux(origin)):
                    if not packet.size or not keep(number, packet):
                        continue
                    if packet.pts is not None:
                        end = max(end, packet.pts + offset + (packet.duration or 0))
                        packet.pts += offset
                    if packet.dts is not None:
                        packet.dts += offset
                    packet.stream = stream
                    target.mux(packet)
                offset = end
    return path


def intra_frames(path: Path) -> list[tuple[int | None, bytes]]:
    """The reference: pts and planes of each I-frame that a plain full decode shows, in order of presentation."""
    found = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for packet in container.demux(stream):
            with suppress(av.InvalidDataError):
                found += [(frame.pts, planes(frame)) for frame in stream.decode(packet) if int(frame.pict_type) == 1]
    return found


def planes(frame: av.VideoFrame) -> bytes:
    """The visible samples of every plane, row by row."""
    rows = []
    for plane in frame.planes:
        samples = np.frombuffer(plane, np.uint8).reshape(plane.height, -1)
        row_bytes = plane.width * ((frame.format.components[0].bits + 7) // 8)
        rows.append(samples[:, : min(row_bytes, samples.shape[1])].tobytes())
    return b"".join(rows)
