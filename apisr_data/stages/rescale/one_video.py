"""One video's chosen frames, decoded again and written as images."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from apisr_data import config, images, video
from apisr_data.engines import Beat
from apisr_data.errors import ImageError, InputError
from apisr_data.stages.rescale.geometry import Geometry, render


@dataclass(frozen=True)
class Chosen:
    """A frame to make an image of, and where."""

    frame_id: str
    packet: int
    image_name: str | None
    """A picture's file name; None for a video's frame."""
    geometry: Geometry
    image: str
    sha256: str | None = None
    """What the pixels must sum to, where it is known."""


@dataclass(frozen=True)
class RescaleJob:
    """The chosen frames of one video, or of one batch of pictures; images go to `folder` / `Chosen.image`."""

    path: Path
    video_id: str
    chosen: tuple[Chosen, ...]
    folder: Path
    assume_matrix: config.Matrix | None = None


@dataclass(frozen=True)
class Rescaled:
    """Rows of the table of images, and the frames that gave none with the reason."""

    rows: tuple[dict[str, Any], ...]
    failed: dict[str, InputError]


def pictures(job: RescaleJob, beat: Beat) -> Iterator[tuple[Chosen, images.Rgb | InputError]]:
    """Each chosen frame, displayed, or why it cannot be had; a video is read in one pass."""
    waiting = {chosen.packet: chosen for chosen in job.chosen}
    total = len(waiting)
    if job.chosen[0].image_name is not None:
        for done, chosen in enumerate(job.chosen):
            beat(done / total)
            try:
                yield chosen, images.read(job.path / str(chosen.image_name))
            except InputError as error:
                yield chosen, error
        return
    try:
        for frame in video.frames_at(
            job.path, list(waiting), assume_matrix=job.assume_matrix, on_packet=lambda: beat(1 - len(waiting) / total)
        ):
            yield waiting.pop(frame.packet), frame.rgb()
    except InputError as error:
        for chosen in waiting.values():
            yield chosen, error


def rescale_video(job: RescaleJob, beat: Beat) -> Rescaled:
    """Make the images of one job; a frame that cannot be had does not stop the others.

    Raises:
        OSError: the disk is full.
    """
    rows: list[dict[str, Any]] = []
    failed: dict[str, InputError] = {}
    for chosen, frame in pictures(job, beat):
        if isinstance(frame, InputError):
            failed[chosen.frame_id] = frame
            continue
        image = render(frame, chosen.geometry)
        sha256 = images.pixels_sha256(image)
        if chosen.sha256 not in (None, sha256):
            failed[chosen.frame_id] = ImageError(f"{job.path}: other pixels than wanted")
            continue
        images.write_bytes(images.encode_png(image), job.folder / chosen.image)
        rows.append({"frame_id": chosen.frame_id, "image": chosen.image, "sha256": sha256} | asdict(chosen.geometry))
    return Rescaled(tuple(rows), failed)
