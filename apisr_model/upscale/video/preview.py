"""Frames of a video before and after, for one or several networks, as one page that needs nothing else."""

import base64
import io
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from apisr_data.errors import UsageError, VideoError
from apisr_data.images import Rgb, to_eight_bits, write_bytes
from apisr_model.network import Network
from apisr_model.upscale.files import refuse_unwritable
from apisr_model.upscale.tiles import Progress
from apisr_model.upscale.upscaler import Upscaler
from apisr_model.upscale.video.job import opened
from apisr_model.upscale.video.options import Options
from apisr_model.upscale.video.source import Source, SourceFrame

_CANDIDATES = 3  # places looked at for each frame shown
_OVERVIEW_PX = 1600  # an 8K picture would weigh more than the rest of the page
_OVERVIEW_QUALITY = 92
_CROPS, _CROP_PX = 2, 360  # output px
_BLACK_LEVEL, _FLAT_LEVELS = 20.0, 8.0
_JUDGED_PX = 640  # grain is no sharpness
_WARM_UP_PX = 64
_USUAL = Options()


@dataclass(frozen=True)
class Preview:
    """What was written."""

    path: Path
    times_s: tuple[float, ...]
    """Of each frame shown, seconds from the start."""
    compute_s: tuple[float, ...]
    """Median seconds a frame of each network."""


def write_preview(
    networks: Sequence[Network],
    source: Path,
    pairs: int,
    target: Path,
    options: Options = _USUAL,
    *,
    on_progress: Progress | None = None,
) -> Preview:
    """Write an HTML page of `pairs` frames, spread over the video, beside what each network makes of them.

    Of the places looked at, sharp pictures are preferred to black, flat and blurred ones. `on_progress` is told the
    pictures computed and their number.

    Raises:
        VideoError: the source cannot be read, or no frame of it can be decoded.
        UsageError: no network, no pair, or `target` is no .html file or cannot be written.
    """
    if not networks or pairs < 1:
        raise UsageError(f"a preview wants one network and one frame or more, not {len(networks)} and {pairs}")
    if target.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{target}: a preview is a page; name it .html")
    refuse_unwritable(target.parent)
    with opened(source, options) as video:
        frames = _choose(video, pairs)
        if not frames:
            raise VideoError(f"{source}: no frame could be decoded for a preview")
        upscalers = [Upscaler(network, options.finish, options.tile) for network in networks]
        names = [_name(network, networks) for network in networks]
        shown, seconds = [], [list[float]() for _ in networks]
        for upscaler in upscalers:
            Upscaler(upscaler.network)(frames[0].rgb()[:_WARM_UP_PX, :_WARM_UP_PX])
        for frame in frames:
            before = frame.rgb()
            after = []
            for upscaler, taken in zip(upscalers, seconds, strict=True):
                begun = time.monotonic()
                after.append(to_eight_bits(upscaler(before)))
                taken.append(time.monotonic() - begun)
                if on_progress is not None:
                    on_progress(sum(map(len, seconds)), len(frames) * len(networks))
            shown.append(_section(frame, to_eight_bits(before), after, names, video.sample_aspect_ratio))
        medians = tuple(statistics.median(taken) for taken in seconds)
        sizes = [upscaler.size(*video.size) for upscaler in upscalers]
        page = _page(video, networks, names, sizes, medians, shown)
    write_bytes(page.encode(errors="replace"), target)
    return Preview(target, tuple(frame.time_s for frame in frames), medians)


def _choose(source: Source, pairs: int) -> list[SourceFrame]:
    """The best frame of each of `pairs` equal parts of the video, in order; none twice."""
    seconds = float(2 / (source.frame_rate or 24))
    runs = source.sample_frames(pairs * _CANDIDATES, seconds)
    parts = [runs[number * _CANDIDATES : (number + 1) * _CANDIDATES] for number in range(pairs)]
    candidates = [[run[-1] for run in part if run] for part in parts]
    chosen = [max(frames, key=_sharpness) for frames in candidates if frames]
    return list({frame.pts: frame for frame in chosen}.values())  # a short video has fewer than there are parts


def _sharpness(frame: SourceFrame) -> float:
    """How much is drawn on it; 0 for black and flat pictures."""
    luma = frame.luma()
    if luma.mean() < _BLACK_LEVEL or luma.std() < _FLAT_LEVELS:
        return 0.0
    factor = min(1.0, _JUDGED_PX / luma.shape[1])
    small = cv2.resize(luma, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(small, cv2.CV_32F).var())


def _name(network: Network, networks: Sequence[Network]) -> str:
    """The weights' name; their path where two have the same."""
    origin = network.origin or network.architecture
    is_alone = sum(Path(other.origin).stem == Path(origin).stem for other in networks) < 2
    return Path(origin).stem if is_alone else origin


def _page(
    source: Source,
    networks: Sequence[Network],
    names: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    medians: Sequence[float],
    sections: Sequence[str],
) -> str:
    rows = "\n".join(
        f"<tr><td>{escape(name)}</td><td>{escape(network.architecture)} x{network.scale}</td>"
        f"<td>{size[0]}x{size[1]}</td><td>{seconds:.2f} s a frame on {escape(network.device)}</td></tr>"
        for name, network, size, seconds in zip(names, networks, sizes, medians, strict=True)
    )
    choices = "\n".join(
        f'<label><input type="radio" name="network" value="{number}"{" checked" if number == 0 else ""}> '
        f"{escape(name)}</label>"
        for number, name in enumerate(names)
    )
    about = f"{source.size[0]}x{source.size[1]}; fields: {source.treatment.sentence}"
    template = resources.files(__package__).joinpath("preview.html").read_text("utf-8")
    return Template(template).substitute(
        title=escape(source.path.name),
        about=escape(about),
        networks=rows,
        choices=choices,
        frames="\n".join(sections),
    )


def _section(frame: SourceFrame, before: Rgb, after: Sequence[Rgb], names: Sequence[str], aspect: Fraction) -> str:
    """One frame: before and after under a line that moves, then crops side by side."""
    clock = _clock(frame.time_s)
    height, width = before.shape[:2]
    largest = max((picture.shape[1], picture.shape[0]) for picture in after)
    plain = cv2.resize(before, largest, interpolation=cv2.INTER_CUBIC)
    lines = [
        f'<section aria-label="{clock}"><h2>{clock}</h2>',
        f'<div class="compare" style="aspect-ratio: {float(width * (aspect or 1) / height):.4f}">',
        f'<img alt="before" src="{_overview(np.asarray(plain, np.uint8))}">',
        "<b>before</b>",
    ]
    for number, (name, picture) in enumerate(zip(names, after, strict=True)):
        is_hidden = "" if number == 0 else " hidden"
        lines.append(
            f'<img class="after" data-network="{number}" alt="{escape(name)}" src="{_overview(picture)}"{is_hidden}>'
        )
    lines += [
        "<b>after</b></div>",
        f'<input class="cut" type="range" value="50" step="any" aria-label="line between before and after, {clock}">',
    ]
    for place in _detailed(before, _CROP_PX * width // largest[0]):
        lines.append('<div class="crops">')
        for name, picture in zip(("plain bicubic", *names), (np.asarray(plain, np.uint8), *after), strict=True):
            lines.append(
                f'<figure style="--width: {_CROP_PX}"><img alt="crop, {escape(name)}" '
                f'src="{_crop(picture, place, before.shape)}"><figcaption>{escape(name)}</figcaption></figure>'
            )
        lines.append("</div>")
    return "\n".join([*lines, "</section>"])


def _detailed(picture: Rgb, side: int) -> Iterator[tuple[int, int, int, int]]:
    """Squares (top, left, height, width) of `side` px with most drawn in them, most first, apart from each other."""
    height, width = min(side, picture.shape[0]), min(side, picture.shape[1])
    edges = np.abs(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_32F))
    sums: NDArray[np.float64] = cv2.integral(edges)  # type: ignore[assignment]
    drawn = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    for _ in range(_CROPS):
        top, left = (int(i) for i in np.unravel_index(int(drawn.argmax()), drawn.shape))
        if drawn[top, left] < 0:
            return
        yield top, left, height, width
        drawn[max(0, top - height) : top + height, max(0, left - width) : left + width] = -1


def _crop(picture: Rgb, place: tuple[int, int, int, int], shape: tuple[int, ...]) -> str:
    """That square of the source's picture in an output, its pixels exact."""
    scale = picture.shape[0] / shape[0], picture.shape[1] / shape[1]
    top, left = round(place[0] * scale[0]), round(place[1] * scale[1])
    height, width = round(place[2] * scale[0]), round(place[3] * scale[1])
    return _data(picture[top : top + height, left : left + width], "WEBP", lossless=True, quality=50)


def _overview(picture: Rgb) -> str:
    factor = min(1.0, _OVERVIEW_PX / max(picture.shape[:2]))
    if factor < 1:
        picture = np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
    return _data(picture, "JPEG", quality=_OVERVIEW_QUALITY, subsampling=0)


def _data(picture: Rgb, form: str, **options: int) -> str:
    """A picture as an address that holds it."""
    written = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(written, form, **options)
    return f"data:image/{form.lower()};base64,{base64.b64encode(written.getvalue()).decode()}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(seconds, 0.0), 60)
    return f"{int(minutes) // 60}:{int(minutes) % 60:02}:{rest:04.1f}"
