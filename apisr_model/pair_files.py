"""Pairs as files: what other trainers read, degraded once and for good.

    OUT/settings.json                   what the pairs were made with
    OUT/train/high_res/000000-name.png  cut to a multiple of the scale
    OUT/train/low_res/000000-name.png   under the same name, smaller by the scale
    OUT/train/target/000000-name.png    what the network should learn, where that is not the high resolution itself
    OUT/val/...                         the same
    OUT/drawn.jsonl                     a line a pair: what was drawn for it, in the order that it happened

BasicSR, neosr and traiNNer take target (or high_res) and low_res as `dataroot_gt` and `dataroot_lq` of their paired
datasets, which find a pair by its name. A real pair of the manifest is copied, once.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from apisr_data.config import Settings
from apisr_data.errors import ConfigError, ImageError
from apisr_data.images import Rgb, encode_png, read, write_bytes
from apisr_model import targets
from apisr_model.data import Row, read_low_res
from apisr_model.data.batches import set_up_worker
from apisr_model.degradations import from_levels, to_levels
from apisr_model.degrade import Degradation, DegradationConfig, Drawn
from apisr_model.errors import DegradationError, ShapeError
from apisr_model.targets import TargetConfig

SETTINGS_FILE, DRAWN_FILE, TARGET_FOLDER = "settings.json", "drawn.jsonl", "target"
_AHEAD = 4
"""Pairs that each worker has waiting."""


class PairSettings(Settings):
    """What decides every pair; a folder holds pairs of one of these."""

    degradation: DegradationConfig
    target: TargetConfig
    scale: int
    seed: int
    count: int
    """Pairs a picture."""
    manifest: str
    """The digest of its rows."""


@dataclass(frozen=True)
class Picture:
    """Row number `number` of the manifest."""

    number: int
    row: Row
    split: str


@dataclass(frozen=True)
class Pair:
    """A pair that was written, or lay there already."""

    picture: Picture
    copy: int
    file: str
    drawn: Drawn | None
    """None for a real pair."""
    gamma: float | None
    """What was drawn for the target."""

    def line(self) -> str:
        """Its line of `drawn.jsonl`."""
        places = {f"{side}_res": f"{self.picture.split}/{side}_res/{self.file}" for side in ("high", "low")}
        steps = self.drawn.model_dump(mode="json")["steps"] if self.drawn else None
        gamma = {} if self.gamma is None else {"gamma": self.gamma}
        content = {"image": self.picture.row.name, "copy": self.copy, **places, **gamma, "steps": steps}
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
    jobs = [(picture, copy) for picture in pictures for copy in range(copies(picture, settings))]
    pairs: list[Pair] = []
    failures: dict[int, Failure] = {}
    for done in _results(partial(_write_pair, out, settings), jobs, workers):
        if isinstance(done, Pair):
            pairs.append(done)
        else:
            failures.setdefault(done.picture.number, done)
        on_pair()
    write_bytes("".join(pair.line() + "\n" for pair in pairs).encode(), out / DRAWN_FILE)
    return pairs, list(failures.values())


def copies(picture: Picture, settings: PairSettings) -> int:
    """How many pairs a picture makes."""
    return settings.count if picture.row.low_res is None else 1


def draw(settings: PairSettings, number: int, copy: int) -> Drawn:
    """What happens to copy number `copy` of row number `number`."""
    rng = np.random.default_rng([settings.seed, number, copy])
    return Degradation(settings.degradation, settings.scale).draw(rng)


def draw_gamma(settings: PairSettings, number: int) -> float | None:
    """What the target of row number `number` is made with: the same for all of its copies."""
    return targets.draw(settings.target, np.random.default_rng([settings.seed, number, 0, 1]))  # no `draw` has these


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
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=set_up_worker) as pool:
        waiting = [pool.submit(work, job) for job in islice(todo, workers * _AHEAD)]
        try:
            while waiting:
                yield waiting.pop(0).result()
                waiting.extend(pool.submit(work, job) for job in islice(todo, 1))
        finally:
            pool.shutdown(cancel_futures=True)


def _write_pair(out: Path, settings: PairSettings, job: tuple[Picture, int]) -> Pair | Failure:
    picture, copy = job
    row, number = picture.row, picture.number
    file = f"{number:06d}-{Path(row.name).stem}" + (f"-{copy}" if copies(picture, settings) > 1 else "") + ".png"
    drawn = draw(settings, number, copy) if row.low_res is None else None
    pair = Pair(picture, copy, file, drawn, draw_gamma(settings, number))
    sides = ["high_res", "low_res"] if settings.target.kind == "raw" else ["high_res", "low_res", TARGET_FOLDER]
    paths = [out / picture.split / side / file for side in sides]
    if all(path.exists() for path in paths):
        return pair
    try:
        whole = read(row.path)
        low_res = read_low_res(row, whole, settings.scale)
        height, width = (side - side % settings.scale for side in whole.shape[:2])
        if not height or not width:
            raise ImageError(f"{row.path}: smaller than the scale")  # noqa: TRY301
        high_res = np.ascontiguousarray(whole[:height, :width])
        if low_res is None:
            degradation = Degradation(settings.degradation, settings.scale)
            low_res = to_levels(degradation.apply(from_levels(high_res), draw(settings, number, copy)))
        made: list[Rgb] = [high_res, low_res]
        if settings.target.kind != "raw":
            made.append(targets.make(whole, settings.target.kind, pair.gamma)[:height, :width])
    except (ImageError, ShapeError, DegradationError) as error:
        return Failure(picture, str(error))
    for rgb, path in zip(made, paths, strict=True):
        write_bytes(encode_png(np.ascontiguousarray(rgb)), path)
    return pair
