"""Fields undone: what a video's fields are is measured on its pictures, then telecine or interlacing is taken out."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal, Self

import av
import av.filter
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
# A window is held as luma while its field order is measured, so no more than this of it.
_ORDER_FRAMES = 25


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

    @classmethod
    def none(cls, sentence: str) -> Self:
        """Frames stay as they are."""
        return cls("none", sentence)

    @property
    def pts_scale(self) -> int:
        """How much finer the time base becomes: four frames take the time of five, whose quarter is no whole number."""
        return 4 if self.kind == "telecine" else 1

    @property
    def rate_factor(self) -> Fraction:
        """Frames after over frames before."""
        return Fraction(4, 5) if self.kind == "telecine" else Fraction(1)


def measure(stream: DecodedStream, colour: Colour) -> Treatment:
    """The treatment that a video needs, judged on six stretches of it (`apisr_data.interlacing`)."""
    order = _OrderEvidence()
    kinds: Counter[str] = Counter()
    whole = Interlacing()
    for start_s, seconds in interlacing.windows(stream.info.duration_s if stream.is_seekable else None):
        window = _Window(_lumas(stream, colour, start_s, seconds))
        seen = interlacing.judge(window)
        whole += seen
        if seen.kind:
            kinds[seen.kind] += 1
        if seen.combed:
            order.add(window.kept)
    kind = _overall(whole, kinds)
    if kind == "none":
        return Treatment.none(_progressive_sentence(whole, stream.info.field_order))
    flagged: FieldOrder | None = {"tff": "tff", "bff": "bff"}.get(stream.info.field_order or "")  # type: ignore[assignment]
    field_order = order.verdict(flagged)
    return Treatment(kind, _sentence(kind, kinds, stream.frame_rate, field_order, flagged), field_order)


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


class _Window:
    """Lumas on their way to the judge, the first of them kept."""

    def __init__(self, lumas: Iterable[Luma]) -> None:
        self._lumas = lumas
        self.kept: list[Luma] = []

    def __iter__(self) -> Iterator[Luma]:
        for luma in self._lumas:
            if len(self.kept) < _ORDER_FRAMES:
                self.kept.append(luma)
            yield luma


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

    def verdict(self, flagged: FieldOrder | None) -> FieldOrder:
        """The order that combs clearly less; else the flagged one; else the top field first, as most videos have it."""
        tff, bff = self._combed["tff"], self._combed["bff"]
        if tff < _CLEAR_ORDER * bff:
            return "tff"
        if bff < _CLEAR_ORDER * tff:
            return "bff"
        return flagged or "tff"


def _weave(top: Luma, bottom: Luma) -> Luma:
    woven = top.copy()
    woven[1::2] = bottom[1::2]
    return woven


def _lumas(stream: DecodedStream, colour: Colour, start_s: float, seconds: float) -> Iterator[Luma]:
    with closing(stream.frames(start_s)) as frames:
        for frame in frames:
            time_s = stream.time_s(frame.pts)
            if time_s >= start_s + seconds:
                return
            if time_s >= start_s:
                yield to_luma(frame.picture, colour)


def _overall(whole: Interlacing, kinds: Counter[str]) -> Kind:
    """One window of a kind is enough: what is progressive passes a field matcher unchanged."""
    if kinds["interlaced"] > kinds["telecine"] or (whole.kind == "interlaced" and not kinds["telecine"]):
        return "interlaced"
    return "telecine" if kinds["telecine"] or whole.kind == "telecine" else "none"


def _progressive_sentence(whole: Interlacing, flagged: str | None) -> str:
    if whole.kind is None:
        return "too little moves to tell whether it is interlaced; frames stay as they are"
    if flagged in ("tff", "bff"):
        return "flagged as interlaced, but its pictures are progressive; frames stay as they are"
    return "progressive; frames stay as they are"


def _sentence(
    kind: Kind, kinds: Counter[str], rate: Fraction | None, field_order: FieldOrder, flagged: FieldOrder | None
) -> str:
    first = {"tff": "top", "bff": "bottom"}[field_order]
    if kind == "telecine":
        after = f"{float(rate):.5g} -> {float(rate * 4 / 5):.5g} frames/s" if rate else "five frames become four"
        told = f"3:2 telecine undone: {after}, evenly spaced; the duration stays"
    else:
        told = f"interlaced, deinterlaced ({first} field first): one picture a frame, every time stamp kept"
    if flagged and flagged != field_order:
        told += f"; the file is flagged the other way, but its pictures say {first} field first"
    if len(kinds) > 1:
        told += "; mixed: of the stretches looked at, " + ", ".join(f"{n} {name}" for name, n in kinds.most_common())
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
