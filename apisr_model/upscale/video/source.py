"""A video as the frames that are to be upscaled: upright, with their time stamps, fields undone."""

import logging
from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import av
from av.video.frame import VideoFrame

from apisr_data import colour
from apisr_data.colour import Colour, Rgb16
from apisr_data.errors import UsageError
from apisr_data.images import Luma, Rgb
from apisr_data.video import VideoInfo
from apisr_model.upscale.video.interlace import Treatment, measure, treat
from apisr_model.upscale.video.stream import Damage, DecodedStream, Timed

log = logging.getLogger(__name__)

Deinterlace = Literal["auto", "off"]

# Frames before the part that is wanted, so that a deinterlacer knows their neighbours, s.
_LEAD_S = 1.0
# A stream that ends this much before its stated end, or a twentieth of it, is cut short; audio may end a little later.
_CUT_SHORT_S = 2.0


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """One frame to be upscaled; pixels are converted when they are asked for."""

    decoded: VideoFrame
    """The frame as decoded and treated; coded size, not rotated."""
    pts: int
    """In units of the source's `time_base`."""
    time_s: float
    """Seconds from the stream's start."""
    duration: int | None
    """Until the next frame; of the last one what the file or the frame rate says."""
    colour: Colour
    """How its numbers become RGB."""
    rotation: int
    """Degrees clockwise that make it upright."""

    def rgb(self) -> Rgb | Rgb16:
        """The frame upright at its coded size (not stretched to square pixels): uint8, or uint16 from more than 8 bits.

        (h, w, 3), red first, white at 255 or 65535.
        """
        width, height = self.decoded.width, self.decoded.height
        size = (height, width) if self.rotation % 180 else (width, height)
        if self.decoded.format.components[0].bits > 8:
            return colour.to_rgb(self.decoded, self.colour, size=size, rotation=self.rotation, bits=16)
        return colour.to_rgb(self.decoded, self.colour, size=size, rotation=self.rotation)

    def luma(self) -> Luma:
        """Full-range luma of the coded picture, not rotated: uint8 (h, w)."""
        return colour.to_luma(self.decoded, self.colour)


class Source:
    """A video opened for upscaling.

    Attributes:
        path: the file.
        info: the stream as the file describes it.
        colour: colour for the output too (`Colour.codes`): siting as H.264 and its kin have it.
        bits: bits a component that the output should have.
        is_part: whether it is less than the whole; pts are those of the whole all the same.
        size: width and height of a frame upright, coded pixels, px.
        sample_aspect_ratio: of an upright frame.
        time_base: seconds in one unit of a frame's pts.
        frame_rate: frames per second after the treatment, on average; None where the file does not tell.
        treatment: what is done about fields, measured on the file.
        decode_errors: packets that the decoder refused in the latest pass over the frames.
        warnings: sentences on what an owner of the file should know; complete once the frames have been read.

    Raises:
        VideoError: the file cannot be read as a video, or nothing in it can be decoded.
        ColourError: its colour cannot be converted faithfully (PQ, HLG, ...).
        UsageError: `start_s` or `duration_s` leaves nothing.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        assume_matrix: str | None = None,
        deinterlace: Deinterlace = "auto",
        start_s: float | None = None,
        duration_s: float | None = None,
    ) -> None:
        self.path = Path(path)
        self._stream = DecodedStream(self.path)
        self.info: VideoInfo = self._stream.info
        self._decoded_as = colour.describe(self.info, assume_matrix)
        # What is written has the siting that a silent stream of today's codecs has.
        self.colour = (
            replace(self._decoded_as, siting="left") if self._decoded_as.siting == "center" else self._decoded_as
        )
        self._start_s, self._end_s = self._part(start_s, duration_s)
        self.is_part = self._start_s > 0 or self._end_s < float("inf")
        self.bits: Literal[8, 10] = 8 if self.info.bit_depth <= 8 else 10
        turned = self.info.rotation % 180 != 0
        width, height = self.info.width, self.info.height
        self.size = (height, width) if turned else (width, height)
        ratio = self.info.sample_aspect_ratio
        self.sample_aspect_ratio = 1 / ratio if turned and ratio else ratio
        self.treatment: Treatment = (
            measure(self._stream, self._decoded_as)
            if deinterlace == "auto"
            else Treatment("none", "fields are not looked at; frames stay as they are")
        )
        self.time_base: Fraction = self.info.time_base / self.treatment.pts_scale
        rate = self._stream.frame_rate
        self.frame_rate: Fraction | None = rate * self.treatment.rate_factor if rate else None
        self._damage = Damage()
        self._opening_warnings = self._warn_of_what_is_lost()
        self._runs: list[Generator[SourceFrame]] = []
        self._refuse_empty_end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for run in self._runs:
            with suppress(ValueError):  # a thread still waits for its next frame, and closes it
                run.close()

    def frames(self) -> Generator[SourceFrame]:
        """Every frame of the part, in order of presentation, pts strictly increasing; each call begins anew."""
        self._damage = Damage()
        run = self._run(self._start_s, self._end_s, self._damage)
        self._runs.append(run)
        return run

    def sample_frames(self, places: int, seconds: float) -> list[list[SourceFrame]]:
        """The frames of `seconds` at each of several places, evenly spread over the part; a run may be empty.

        The time stamps of a telecined video may differ by a frame from those of `frames`.
        """
        start_s, end_s = self._start_s, min(self._end_s, self.info.duration_s or self._start_s + places * seconds)
        part_s = max(0.0, end_s - start_s) / places
        runs = []
        for place in range(places):
            middle_s = start_s + part_s * (place + 0.5)
            from_s = max(start_s, middle_s - min(seconds, part_s) / 2)
            runs.append(list(self._run(from_s, min(self._end_s, from_s + seconds), Damage(), is_exact=False)))
        return runs

    @property
    def frames_expected(self) -> int | None:
        """About how many frames there are; None where the file tells neither duration nor rate."""
        if self.info.duration_s is None or self.frame_rate is None:
            return None
        seconds = min(self._end_s, self.info.duration_s) - self._start_s
        return max(1, round(seconds * self.frame_rate))

    @property
    def decode_errors(self) -> int:  # noqa: D102
        return self._damage.refused

    @property
    def is_cut_short(self) -> bool:
        """The stream ends long before the duration that the file states; known once all frames have been read."""
        duration_s = self.info.duration_s
        if not self._damage.is_complete or not duration_s:
            return False
        return duration_s - self._damage.end_s > max(_CUT_SHORT_S, duration_s / 20)

    @property
    def warnings(self) -> list[str]:  # noqa: D102
        damage, told = self._damage, list(self._opening_warnings)
        if damage.refused:
            told.append(f"the decoder refused {damage.refused} damaged packets; the pictures around them may be wrong")
        if damage.corrupt:
            told.append(f"the decoder marks {damage.corrupt} frames as damaged")
        if damage.restamped:
            told.append(f"{damage.restamped} frames without a usable time stamp were placed by the frame rate")
        if damage.has_captions:
            told.append("its closed captions (CEA-608, CEA-708) stand in the pictures' own data and are not kept")
        if damage.resized_s is not None:
            told.append(
                f"the picture changes its size or format at {damage.resized_s:.1f} s; from there on it is scaled to "
                f"{self.info.width}x{self.info.height} {self.info.pixel_format}, as it began"
            )
        return told

    @property
    def lost(self) -> list[str]:
        """Sentences on stretches that a damaged file does not hold any more; complete once all frames were read."""
        damage = self._damage
        is_damaged = damage.refused or damage.corrupt  # else a gap may be meant: the picture stands still
        told = [f"no picture from {a:.1f} to {b:.1f} s" for a, b in damage.gaps if is_damaged]
        if self.is_cut_short:
            told.append(f"cut short: it ends at {damage.end_s:.1f} of {self.info.duration_s:.1f} s")
        return told

    def _part(self, start_s: float | None, duration_s: float | None) -> tuple[float, float]:
        start_s = start_s or 0.0
        whole_s = self.info.duration_s
        if start_s < 0 or (duration_s is not None and duration_s <= 0):
            raise UsageError(f"{self.path}: a part starts at 0 s or later and lasts longer than 0 s")
        if whole_s is not None and start_s >= whole_s:
            raise UsageError(f"{self.path}: nothing starts at {start_s:g} s; the video lasts {whole_s:.1f} s")
        return start_s, float("inf") if duration_s is None else start_s + duration_s

    def _refuse_empty_end(self) -> None:
        """See that a part that starts near the end, where the last frame is still shown, has a frame of its own."""
        whole_s = self.info.duration_s
        if not self._start_s or whole_s is None or self._start_s < whole_s - _CUT_SHORT_S:
            return
        with closing(self.frames()) as frames:
            if next(frames, None) is None:
                raise UsageError(
                    f"{self.path}: no frame begins at {self._start_s:g} s or later; the last one is shown until "
                    f"{whole_s:.2f} s"
                )

    def _warn_of_what_is_lost(self) -> list[str]:
        told = []
        has_alpha = any(component.is_alpha for component in av.VideoFormat(self.info.pixel_format).components)
        if has_alpha or self._stream.has_alpha_apart:
            told.append(f"its transparency ({self.info.codec}) is not kept: every pixel becomes opaque")
        if self.info.bit_depth > 10:
            told.append(f"its {self.info.bit_depth} bits a component become 10")
        return told

    def _run(self, start_s: float, end_s: float, damage: Damage, *, is_exact: bool = True) -> Generator[SourceFrame]:
        from_s = start_s - _LEAD_S
        if is_exact and self.treatment.kind == "telecine":
            from_s = 0.0  # which frame of five is dropped depends on those before
        before: Timed | None = None
        with closing(self._stream.frames(from_s, damage, is_exact=is_exact)) as decoded:
            for frame in treat(decoded, self.treatment, self.info.time_base, self._decoded_as):
                if before is not None:
                    yield self._shown(before, frame.pts - before.pts)
                time_s = self._time_s(frame.pts)
                if time_s >= end_s:
                    return
                before = frame if time_s >= start_s else None
        if before is not None:
            yield self._shown(before, before.duration or self._stream.frame_units * self.treatment.pts_scale)

    def _time_s(self, pts: int) -> float:
        return float(pts * self.time_base - self.info.start_time * self.info.time_base)

    def _shown(self, frame: Timed, duration: int) -> SourceFrame:
        return SourceFrame(
            frame.picture, frame.pts, self._time_s(frame.pts), duration, self._decoded_as, self.info.rotation
        )
