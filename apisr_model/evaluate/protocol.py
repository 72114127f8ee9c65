"""Which pictures of a folder of clips are scored, as a recipe says it; real pictures, without a ground truth.

Source: the selection script of Wang et al., APISR, CVPR 2024, for AVC-RealLQ. Two deviations: the halves of a JPEG are
taken as they are decoded, not compressed again, and the numbers in names count as numbers.
"""

import logging
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from apisr_data import video
from apisr_data.config import Settings
from apisr_data.errors import ConfigError, ImageError, InputError, VideoError
from apisr_data.images import Rgb, read
from apisr_model.evaluate.samples import Case, Sample, visible_files
from apisr_model.upscale.files import kind_of

log = logging.getLogger(__name__)


class Protocol(Settings):
    """What is taken of each clip."""

    clips: int | None = Field(default=None, ge=1)
    """As many as published figures are of; another number is told."""
    frames: tuple[Literal["first", "middle", "last"], ...] = Field(min_length=1)
    """Of `n` frames those number 0, n // 2 and n - 1."""
    split_above_px: int | None = Field(default=None, ge=1)
    """A frame of more pixels is cut into its left and its right half, two pictures."""


@dataclass(frozen=True)
class _Clip:
    """A video, or the frames in a folder; `name` is its path below the folder of clips, without a video's suffix."""

    name: str
    path: Path
    frames: tuple[Path, ...] = ()


def from_clips(
    folder: Path, protocol: Protocol, on_clip: Callable[[int, int], None] = lambda _done, _clips: None
) -> list[Case]:
    """The chosen frames of every clip below `folder`: CLIP_FRAME, halves CLIP_crop1_FRAME and CLIP_crop2_FRAME.

    FRAME is the frame's file name, and of a video first.png, middle.png or last.png. No frame comes twice, however few
    there are. A clip that cannot be read is one case, which says why when its turn comes. `on_clip` is told how many
    clips of how many have been looked through.

    Raises:
        ConfigError: there is no clip.
        OSError: the folder cannot be read.
    """
    clips = _find(folder)
    if protocol.clips not in (None, len(clips)):
        log.warning("%s: %s clips; the published figures are of %s", folder, f"{len(clips):,}", f"{protocol.clips:,}")
    cases: list[Case] = []
    for done, clip in enumerate(clips, 1):
        try:
            cases += _of_frames(clip, protocol) if clip.frames else _of_video(clip, protocol)
        except InputError as error:
            cases.append(Case(clip.name, partial(_fail, error)))
        on_clip(done, len(clips))
    return cases


def _find(folder: Path) -> list[_Clip]:
    files = visible_files(folder)
    videos: list[Path] = []
    frames: dict[Path, list[Path]] = {}
    for path in files:
        if (kind := kind_of(path)) == "video":
            videos.append(path)
        elif kind == "picture":
            frames.setdefault(path.parent, []).append(path)
    if loose := frames.pop(folder, None):
        log.warning("%s: pictures in no clip's folder are passed over: %s", folder, f"{len(loose):,}")
    if not videos and not frames:
        raise ConfigError(f"{folder}: no clip in it, neither a video nor a folder of frames ({len(files):,} files)")
    taken = Counter([*frames, *(path.with_suffix("") for path in videos)])
    named = {path: path.with_suffix("") if taken[path.with_suffix("")] == 1 else path for path in videos}
    named |= {path: path for path in frames}
    clips = [
        _Clip(name.relative_to(folder).as_posix(), path, tuple(sorted(frames.get(path, ()), key=_natural)))
        for path, name in named.items()
    ]
    return sorted(clips, key=lambda clip: _natural(Path(clip.name)))


def _of_frames(clip: _Clip, protocol: Protocol) -> list[Case]:
    cases: list[Case] = []
    for number in _places(protocol, len(clip.frames)):
        file = clip.frames[number]
        try:
            height, width = read(file).shape[:2]
        except ImageError:
            height = width = 0  # reading it again will say what is wrong
        about = f"frame {number + 1:,} of {len(clip.frames):,}"
        cases += _halves(clip.name, file.name, partial(read, file), height * width, about, protocol)
    return cases


def _of_video(clip: _Clip, protocol: Protocol) -> list[Case]:
    pixels = [frame.width * frame.height for frame in _shown(clip.path)]
    if not pixels:
        raise VideoError(f"{clip.path}: no frame can be decoded; damaged or cut off")
    places = _places(protocol, len(pixels))
    cases: list[Case] = []
    for number, place in places.items():
        about = f"frame {number + 1:,} of {len(pixels):,} of {clip.path.name}"
        load = partial(_frame, clip.path, tuple(places), number)
        cases += _halves(clip.name, f"{place}.png", load, pixels[number], about, protocol)
    return cases


def _places(protocol: Protocol, count: int) -> dict[int, str]:
    """Number -> what it is called, of the frames to take from `count`, each once and in order."""
    numbers = {"first": 0, "middle": count // 2, "last": count - 1}
    chosen: dict[int, str] = {}
    for name in protocol.frames:
        chosen.setdefault(numbers[name], name)
    return dict(sorted(chosen.items()))


def _halves(clip: str, frame: str, load: Callable[[], Rgb], pixels: int, about: str, protocol: Protocol) -> list[Case]:
    if protocol.split_above_px is None or pixels <= protocol.split_above_px:
        return [Case(f"{clip}_{frame}", lambda: Sample(load()), about)]

    def half(number: int) -> Sample:
        picture = load()
        middle = picture.shape[1] // 2
        return Sample(np.ascontiguousarray(picture[:, middle:] if number == 2 else picture[:, :middle]))

    return [
        Case(f"{clip}_crop{number}_{frame}", partial(half, number), f"{about}, {side} half")
        for number, side in ((1, "left"), (2, "right"))
    ]


def _shown(path: Path) -> Iterator[video.Frame]:
    """Every frame that a player shows."""
    return video.window(path, 0, math.inf)


@lru_cache(maxsize=1)  # a clip's frames are asked for one after the other
def _frames(path: Path, numbers: tuple[int, ...]) -> dict[int, Rgb]:
    return {number: frame.rgb() for number, frame in enumerate(_shown(path)) if number in numbers}


def _frame(path: Path, numbers: tuple[int, ...], number: int) -> Rgb:
    if (picture := _frames(path, numbers).get(number)) is None:
        raise VideoError(f"{path}: frame {number + 1:,} was there and is gone; is the file being written?")
    return picture


def _fail(error: InputError) -> Sample:
    raise error


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """A key by which frame 10 comes after frame 2."""
    parts = re.split(r"(\d+)", path.as_posix())
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]
