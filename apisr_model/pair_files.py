"""Pairs as files: what other trainers read, degraded once and for good.

    OUT/settings.json                   what the pairs were made with
    OUT/train/high_res/000000-name.png  cut to a multiple of the scale
    OUT/train/low_res/000000-name.png   under the same name, smaller by the scale
    OUT/val/...                         the same
    OUT/drawn.jsonl                     a line a pair: what was drawn for it, in the order that it happened

BasicSR, neosr and traiNNer take the two folders as `dataroot_gt` and `dataroot_lq` of their paired datasets, which find
a pair by its name.
"""

import json
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from apisr_data.config import Settings
from apisr_data.errors import ConfigError, ImageError
from apisr_data.images import encode_png, read, write_bytes
from apisr_model.degradations import from_levels, to_levels
from apisr_model.degrade import Degradation, DegradationConfig, Drawn
from apisr_model.errors import DegradationError

SETTINGS_FILE, DRAWN_FILE = "settings.json", "drawn.jsonl"
_AHEAD = 4
"""Pairs that each worker has waiting."""


class PairSettings(Settings):
    """What decides every pair; a folder holds pairs of one of these."""

    degradation: DegradationConfig
    scale: int
    seed: int
    count: int
    """Pairs a picture."""
    manifest: str
    """The digest of its rows."""


@dataclass(frozen=True)
class Picture:
    """One picture of the manifest, number `row` of it."""

    row: int
    name: str
    path: Path
    split: str


@dataclass(frozen=True)
class Pair:
    """A pair that was written, or lay there already."""

    picture: Picture
    copy: int
    file: str
    drawn: Drawn

    def line(self) -> str:
        """Its line of `drawn.jsonl`."""
        places = {f"{side}_res": f"{self.picture.split}/{side}_res/{self.file}" for side in ("high", "low")}
        content = {"image": self.picture.name, "copy": self.copy, **places, **self.drawn.model_dump(mode="json")}
        return json.dumps(content, ensure_ascii=False)


@dataclass(frozen=True)
class Failure:
    """A picture without pairs."""

    picture: Picture
    reason: str


def write(
    out: Path,
    pictures: Sequence[Picture],
    settings: PairSettings,
    *,
    workers: int = 0,
    on_pair: Callable[[], None] = lambda: None,
) -> tuple[list[Pair], list[Failure]]:
    """Write `settings.count` pairs of each picture; those that an earlier run wrote with the same settings are kept.

    A pair is a pure function of the settings and the picture's row: the number of workers changes nothing.

    Raises:
        ConfigError: `out` holds something else.
        OSError: the disk is full or `out` cannot be written; files that are there are whole.
    """
    _claim(out, settings)
    jobs = [(picture, copy) for picture in pictures for copy in range(settings.count)]
    pairs: list[Pair] = []
    failures: dict[int, Failure] = {}
    for done in _results(partial(_write_pair, out, settings), jobs, workers):
        if isinstance(done, Pair):
            pairs.append(done)
        else:
            failures.setdefault(done.picture.row, done)
        on_pair()
    write_bytes("".join(pair.line() + "\n" for pair in pairs).encode(), out / DRAWN_FILE)
    return pairs, list(failures.values())


def draw(settings: PairSettings, row: int, copy: int) -> Drawn:
    """What happens to copy number `copy` of picture number `row`."""
    rng = np.random.default_rng([settings.seed, row, copy])
    return Degradation(settings.degradation, settings.scale).draw(rng)


def _claim(out: Path, settings: PairSettings) -> None:
    plain = settings.model_dump(mode="json")
    path = out / SETTINGS_FILE
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found = None
        if found != plain:
            raise ConfigError(f"{out} holds pairs that were made with other settings; choose another -o")
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} holds something else; choose another -o")
    else:
        write_bytes((json.dumps(plain, indent=2) + "\n").encode(), path)


def _results(
    work: Callable[[tuple[Picture, int]], Pair | Failure], jobs: Sequence[tuple[Picture, int]], workers: int
) -> Iterator[Pair | Failure]:
    """`work` of each job, in order; a few jobs ahead, so that Ctrl-C leaves little behind."""
    if not workers:
        yield from map(work, jobs)
        return
    todo: Iterable[Any] = iter(jobs)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_set_up_worker) as pool:
        waiting = [pool.submit(work, job) for job in islice(todo, workers * _AHEAD)]
        try:
            while waiting:
                yield waiting.pop(0).result()
                waiting.extend(pool.submit(work, job) for job in islice(todo, 1))
        finally:
            pool.shutdown(cancel_futures=True)


def _set_up_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is the parent's to stop them
    cv2.setNumThreads(0)  # the processes share the cores already


def _write_pair(out: Path, settings: PairSettings, job: tuple[Picture, int]) -> Pair | Failure:
    picture, copy = job
    file = f"{picture.row:06d}-{Path(picture.name).stem}" + (f"-{copy}" if settings.count > 1 else "") + ".png"
    drawn = draw(settings, picture.row, copy)
    high_path, low_path = (out / picture.split / side / file for side in ("high_res", "low_res"))
    if high_path.exists() and low_path.exists():
        return Pair(picture, copy, file, drawn)
    try:
        levels = read(picture.path)
        height, width = (side - side % settings.scale for side in levels.shape[:2])
        if not height or not width:
            raise ImageError(f"{picture.path}: smaller than the scale")  # noqa: TRY301
        levels = np.ascontiguousarray(levels[:height, :width])
        low_res = Degradation(settings.degradation, settings.scale).apply(from_levels(levels), drawn)
    except (ImageError, DegradationError) as error:
        return Failure(picture, str(error))
    write_bytes(encode_png(levels), high_path)
    write_bytes(encode_png(to_levels(low_res)), low_path)
    return Pair(picture, copy, file, drawn)
