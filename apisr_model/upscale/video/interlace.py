"""Fields undone: what a video's fields are is measured on its pictures, then telecine or interlacing is taken out."""

import functools
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice, pairwise
from typing import Literal

import av
import av.filter
import numpy as np
from av.video.frame import VideoFrame

from apisr_data import interlacing
from apisr_data.colour import Colour, to_luma
from apisr_data.images import Luma
from apisr_data.interlacing import Interlacing
from apisr_model.upscale.video.stream import DecodedStream, Timed
from apisr_model.upscale.video.telecine import drop_repeats

FieldOrder = Literal["tff", "bff"]
Kind = Literal["none", "telecine", "interlaced"]

# One order of fields must comb this much less than the other to overrule the flags.
_CLEAR_ORDER = 0.7
# Judged at a time: a video that was cut after it was telecined changes its cadence at every cut.
_PIECE_FRAMES = 75
# Frames of a piece that are held as luma for it, and combed blocks that are enough.
_ORDER_FRAMES = 12
_ORDER_BLOCKS = 500
# Combs are looked for in every second of these columns where a picture is wide: half the time, the same verdict.
_WIDE_PX, _STRIP_PX = 1280, 32


@dataclass(frozen=True)
class Treatment:
    """What is done about a video's fields.

    Attributes:
        kind: none; telecine: fields are matched and every fifth frame, which repeats, is dropped; interlaced: the
            missing lines of one field are interpolated, one picture a frame.
        sentence: for the user: what was measured, what is done, and what that does to the timing.
        field_order: which field of a frame is shown first; None where it does not matter.
    """

    kind: Kind
    sentence: str
    field_order: FieldOrder | None = None

    @property
    def pts_scale(self) -> int:
        """How much finer the time base becomes: four frames take the time of five, whose quarter is no whole number."""
        return 4 if self.kind == "telecine" else 1

    @property
    def rate_factor(self) -> Fraction:
        """Frames after over frames before."""
        return Fraction(4, 5) if self.kind == "telecine" else Fraction(1)


@functools.lru_cache(maxsize=4)  # the forecast asks, and then the job
def measure(stream: DecodedStream, colour: Colour) -> Treatment:
    """The treatment that a video needs, judged on six stretches of it (`apisr_data.interlacing`)."""
    order = _OrderEvidence()
    kinds: Counter[str] = Counter()
    whole = Interlacing()
    for start_s, seconds in interlacing.windows(stream.info.duration_s if stream.has_times else None):
        lumas = _lumas(stream, colour, start_s, seconds)
        while piece := _Piece(islice(lumas, _PIECE_FRAMES)):
            seen = interlacing.judge(piece)
            whole += seen
            if seen.kind:
                kinds[seen.kind] += 1
            if seen.combed and not order.is_clear:
                order.add(piece.kept)
    kind = _overall(whole, kinds, can_be_telecine=_is_telecine_rate(stream.frame_rate))
    flagged = stream.info.field_order
    field_order = order.verdict(flagged)
    told = _sentence(kind, whole, stream.frame_rate, field_order, flagged)
    if len(kinds) > 1:
        told += "; mixed: of the stretches looked at, " + ", ".join(f"{n} {name}" for name, n in kinds.most_common())
    return Treatment(kind, told, None if kind == "none" else field_order)


def treat(frames: Iterator[Timed], treatment: Treatment, time_base: Fraction, colour: Colour) -> Iterator[Timed]:
    """The frames after the treatment; their pts in units of `time_base / treatment.pts_scale`."""
    if treatment.kind == "none":
        return frames
    parity = f"mode=send_frame:parity={treatment.field_order}"
    if treatment.kind == "interlaced":
        return (after for _, after in _filtered(frames, [("bwdif", f"{parity}:deint=all")]))
    # What no match uncombs, fieldmatch marks as interlaced.
    filters = [("fieldmatch", f"order={treatment.field_order}:combmatch=full"), ("bwdif", f"{parity}:deint=interlaced")]
    return drop_repeats(_filtered(frames, filters), lambda picture: to_luma(picture, colour), time_base)


class _Piece:
    """Lumas on their way to the judge, the first of them kept; false where there are none."""

    def __init__(self, lumas: Iterator[Luma]) -> None:
        self.kept = list(islice(lumas, _ORDER_FRAMES))
        self._others = lumas

    def __bool__(self) -> bool:
        return bool(self.kept)

    def __iter__(self) -> Iterator[Luma]:
        return chain(self.kept, self._others)


class _OrderEvidence:
    """Combed blocks when fields of neighbouring frames are woven, as either order of fields would have them adjacent.

    With the top field first, a frame's bottom field is next in time to the top field of the frame after.
    """

    def __init__(self) -> None:
        self._combed = {"tff": 0, "bff": 0}

    def add(self, lumas: list[Luma]) -> None:
        for before, after in pairwise(lumas):
            tff, bff = (interlacing.comb_blocks(_weave(*fields)) for fields in ((after, before), (before, after)))
            self._combed["tff"] += int((tff & ~bff).sum())  # what combs either way is drawn
            self._combed["bff"] += int((bff & ~tff).sum())

    @property
    def is_clear(self) -> bool:
        """More of a video would not change the verdict."""
        return abs(self._combed["tff"] - self._combed["bff"]) > max(_ORDER_BLOCKS, 0.5 * sum(self._combed.values()))

    def verdict(self, flagged: str | None) -> FieldOrder:
        """The order that combs clearly less; else the flagged one; else the top field first, as most videos have it."""
        tff, bff = self._combed["tff"], self._combed["bff"]
        if tff < _CLEAR_ORDER * bff:
            return "tff"
        if bff < _CLEAR_ORDER * tff:
            return "bff"
        return "bff" if flagged == "bff" else "tff"


def _weave(top: Luma, bottom: Luma) -> Luma:
    woven = top.copy()
    woven[1::2] = bottom[1::2]
    return woven


def _lumas(stream: DecodedStream, colour: Colour, start_s: float, seconds: float) -> Iterator[Luma]:
    with closing(stream.frames(start_s, is_exact=False)) as frames:
        for frame in frames:
            time_s = stream.time_s(frame.pts)
            if time_s >= start_s + seconds:
                return
            if time_s >= start_s:
                yield _strips(to_luma(frame.picture, colour))


def _strips(luma: Luma) -> Luma:
    """Every second strip of columns of a wide picture, side by side."""
    height, width = luma.shape
    if width < _WIDE_PX:
        return luma
    whole = luma[:, : width // (2 * _STRIP_PX) * 2 * _STRIP_PX]
    return np.ascontiguousarray(whole.reshape(height, -1, 2, _STRIP_PX)[:, :, 0].reshape(height, -1))


def _overall(whole: Interlacing, kinds: Counter[str], *, can_be_telecine: bool) -> Kind:
    """Two stretches of a kind, or one that outweighs the others; a single one may be flicker that looks woven."""
    if whole.kind not in ("interlaced", "telecine") and kinds["interlaced"] + kinds["telecine"] < 2:
        return "none"
    is_even = kinds["interlaced"] == kinds["telecine"]
    is_telecine = whole.kind == "telecine" if is_even else kinds["telecine"] > kinds["interlaced"]
    return "telecine" if is_telecine and can_be_telecine else "interlaced"


def _is_telecine_rate(rate: Fraction | None) -> bool:
    """3:2 telecine has 29.97 frames a second, on average less where some of it is soft; 25 is PAL's."""
    return rate is None or (rate < 31 and abs(rate - 25) > Fraction(1, 100))


def _sentence(
    kind: Kind, whole: Interlacing, rate: Fraction | None, field_order: FieldOrder, flagged: str | None
) -> str:
    first = {"tff": "top", "bff": "bottom"}[field_order]
    is_flagged = flagged in ("tff", "bff")
    if kind == "none":
        if whole.kind is None:
            return "too little moves to tell whether it is interlaced; frames stay as they are"
        told = "flagged as interlaced, but its pictures are progressive" if is_flagged else "progressive"
        return f"{told}; frames stay as they are"
    if kind == "telecine":
        after = f"{float(rate):.5g} -> {float(rate * 4 / 5):.5g} frames/s" if rate else "five frames become four"
        told = f"3:2 telecine undone: {after}, evenly spaced; the duration stays"
    else:
        told = f"interlaced, deinterlaced ({first} field first): one picture a frame, every time stamp kept"
    if is_flagged and flagged != field_order:
        told += f"; the file is flagged the other way, but its pictures say {first} field first"
    return told


def _filtered(frames: Iterator[Timed], filters: list[tuple[str, str]]) -> Iterator[tuple[Timed, Timed]]:
    """Each frame before and after filters that give one picture for each."""
    graph: _Graph | None = None
    waiting: deque[Timed] = deque()
    for frame in frames:
        graph = graph or _Graph(frame.picture, filters)
        waiting.append(frame)
        for picture in graph.push(frame.picture):
            yield waiting[0], waiting.popleft()._replace(picture=picture)
    for picture in graph.push(None) if graph else ():
        yield waiting[0], waiting.popleft()._replace(picture=picture)


class _Graph:
    """Filters of libavfilter in a row, for frames like `template`."""

    def __init__(self, template: VideoFrame, filters: list[tuple[str, str]]) -> None:
        pixel_format = template.format.name
        self._graph = av.filter.Graph()  # held here: its nodes do not keep it alive
        self._graph.threads = 1
        self._source = self._graph.add(
            "buffer",
            f"video_size={template.width}x{template.height}:pix_fmt={pixel_format}:time_base={template.time_base}"
            f":pixel_aspect=1/1:colorspace={template.colorspace}:range={template.color_range}",
        )
        self._sink = self._graph.add("buffersink")
        nodes = [self._graph.add(name, options) for name, options in filters]
        back = self._graph.add("format", f"pix_fmts={pixel_format}")
        self._graph.link_nodes(self._source, *nodes, back, self._sink).configure()

    def push(self, frame: VideoFrame | None) -> Iterator[VideoFrame]:
        self._source.push(frame)
        with suppress(BlockingIOError, av.EOFError):
            while True:
                filtered = self._sink.pull()
                assert isinstance(filtered, VideoFrame)
                yield filtered
