"""One picture through a network, with what a page shows of it."""

import time
from dataclasses import dataclass
from pathlib import Path

from apisr_data import images
from apisr_model.demo.jobs import Report, Update
from apisr_model.network import Network
from apisr_model.upscale import picture, picture_formats
from apisr_model.upscale.files import MARK
from apisr_model.upscale.image import upscale_picture
from apisr_model.upscale.upscaler import Finish, Upscaler

_SHOWN_PX = 2560
"""The longer side of what is shown; the file has all of it."""


@dataclass(frozen=True)
class Upscaled:
    """A picture, or a video, that is done."""

    file: Path
    told: str
    before: Path | None = None
    """A plain resize of the input to the size of `after`; both are PNG in sRGB, to be shown."""
    after: Path | None = None


def upscale(source: Path, network: Network, finish: Finish, tile: int | None, report: Report) -> Upscaled:
    """Upscale `source` into NAME.apisr.png beside it, as `apisr-model upscale --format png` does.

    Raises:
        ImageError, ResourceError, WeightsError, OSError: it cannot be read, computed or written.
        JobError: it is to stop.
    """
    begun = time.monotonic()
    read = picture.read(source)
    upscaler = Upscaler(network, finish, tile)
    size, png = upscaler.size(*read.size), picture_formats.format_named("png")
    picture_formats.check(png, size)
    target = source.with_name(f"{source.stem}{MARK}.png")

    report(Update("upscaling"))

    def show(done: float, total: float | None) -> None:
        report(Update("upscaling", done / total if total else None))

    result = upscale_picture(upscaler, read, show)
    report(Update("writing"))
    picture_formats.write(result, target, png)
    before, after = pair(source, target)
    seconds = time.monotonic() - begun
    told = f"{read.size[0]}x{read.size[1]} became {size[0]}x{size[1]} px in {seconds:.1f} s"
    return Upscaled(target, told, before, after)


def pair(before: Path, after: Path) -> tuple[Path, Path]:
    """Two picture files made ready to lie over each other: written beside `after`, at its size or what can be shown."""
    last = images.read(after)
    height, width = last.shape[:2]
    share = min(1.0, _SHOWN_PX / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    made = []
    for name, rgb in (("before", images.read(before)), ("after", last)):
        kernel: images.Kernel = "area" if rgb.shape[1] > size[0] else "lanczos"
        shown = rgb if rgb.shape[1::-1] == size else images.resize(rgb, size, kernel)
        path = after.with_name(f"{after.stem}.{name}.png")
        images.write_bytes(images.encode_png(shown), path)
        made.append(path)
    return made[0], made[1]
