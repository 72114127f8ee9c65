"""What a video is to become."""

from dataclasses import dataclass, field
from typing import Literal

from apisr_model.upscale.upscaler import Finish
from apisr_model.upscale.video.encoders import Encoding


@dataclass(frozen=True)
class Options:
    """How a video is read, upscaled and written; the same for its job, its forecast and its preview."""

    finish: Finish = field(default_factory=Finish)
    tile: int | None = None
    """Largest side of a tile, input px; None: as memory and speed allow when the job begins."""
    encoding: Encoding = field(default_factory=Encoding)
    hold: bool = True
    """A frame that repeats the drawing computed last is not computed again."""
    hold_threshold: float | None = None
    """Largest difference at which it does, in levels of 8-bit samples; None: as the coding noise asks."""
    deinterlace: Literal["auto", "off"] = "auto"
    assume_matrix: str | None = None
    start_s: float | None = None
    duration_s: float | None = None
    drop: tuple[str, ...] = ()
    """Streams to leave out, by index or kind."""
    fresh: bool = False
    """Discard what an interrupted run left."""
