"""The video half of `apisr-model upscale`: forecast, progress and what was done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from apisr_data.config import Matrix
    from apisr_data.terminal import Bars
    from apisr_model.network import Network
    from apisr_model.upscale.files import Job
    from apisr_model.upscale.upscaler import Finish


@dataclass(frozen=True)
class Flags:
    """What the command line says about videos."""

    finish: "Finish"
    tile_px: int | None = None
    start_s: float | None = None
    duration_s: float | None = None
    deinterlace: Literal["auto", "off"] = "auto"
    codec: str = "h264"
    crf: int | None = None
    encoder_options: Mapping[str, str] = field(default_factory=dict)
    hold: bool = True
    hold_threshold: float | None = None
    assume_matrix: "Matrix | None" = None
    fresh: bool = False


def run(network: "Network", job: "Job", flags: Flags, bars: "Bars") -> str:
    """Upscale one video: the forecast first, then frames, rate, time left and held frames; returns what it became."""
    from apisr_data.errors import VideoError

    raise VideoError(f"{job.source}: videos are not upscaled yet")


def preview(networks: "list[Network]", inputs: list[Path], pairs: int, output: Path | None, flags: Flags) -> None:
    """Write one page of `pairs` frames of a video before and after, each network's beside the others'."""
    from apisr_data.errors import UsageError

    raise UsageError("previews are not written yet")
