"""The order of training: which crop of which frame is which sample, and the batches that they come in.

The crops of a frame share its degradation, so a batch should hold one of them at most. Samples are dealt to lanes: as
many as `_STEPS_APART` steps have samples, and each lane goes through the crops of one frame after the other, one every
`_STEPS_APART` steps. The lanes begin at different crops, so that each step needs as many new frames as the others, but
for the first `_STEPS_APART` of a run and of a resumed one, which need one for each sample. A process gets a run of
neighbouring lanes and with them whole frames: none is degraded twice, and what the processes get is together what one
would.
"""

import atexit
import os
import signal
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from apisr_data.errors import ApisrError
from apisr_model.data.pairs import Pair, Pairs
from apisr_model.errors import TrainingError

_STEPS_APART = 4
"""Steps between two crops of one frame. As many frames as these steps have samples are held, half given out."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Numbered(Protocol[T_co]):
    """What a worker makes, by the frame's number."""

    def __getitem__(self, number: int, /) -> T_co:
        """Of frame `number`."""


@dataclass(frozen=True)
class Place:
    """Where a sample is found: a frame, and which of its crops."""

    sample: int
    frame: int
    crop: int


@dataclass(frozen=True)
class Batch:
    """Pairs stacked: `low_res` float32 in 0..1 (b, 3, h / scale, w / scale), `high_res`, `target` uint8 (b, 3, h, w).

    RGB. `target` is what is learned, the same tensor as `high_res` where that is the raw picture. `floats` divides the
    bytes where they are used, so that a quarter as much is pinned and sent to a GPU.
    """

    low_res: Tensor
    high_res: Tensor
    target: Tensor
    names: tuple[str, ...]
    """The manifest's, of the pictures."""
    numbers: tuple[int, ...]
    """Of the samples."""

    def pin_memory(self) -> "Batch":
        """In memory that a GPU reads directly."""
        high_res = self.high_res.pin_memory()
        target = high_res if self.target is self.high_res else self.target.pin_memory()
        return Batch(self.low_res.pin_memory(), high_res, target, self.names, self.numbers)


def batches(
    pairs: Pairs, samples: range, batch: int, *, workers: int = 0, pin: bool = False, rank: int = 0, world: int = 1
) -> Iterator[Batch]:
    """Those samples, `batch` at a time, made ahead by `workers` processes.

    Where `world` processes train together, each asks with its `rank` and gets its share of every `world * batch`
    samples. Which sample has which number depends on `pairs` and `world * batch` alone: a run can begin anywhere, and
    go on with other numbers of workers or processes.

    Raises:
        ImageError, ShapeError, DegradationError: of a sample; see `Pairs`.
        TrainingError: a worker died.
    """
    places = share(samples, batch, pairs.crops, rank, world)
    again = share(samples, batch, pairs.crops, rank, world)
    yield from stacks(arrange(places, load(pairs, frames(again, pairs.crops), workers)), batch, pin=pin)


def floats(pictures: Tensor, device: torch.device) -> Tensor:
    """A batch's pictures on `device` as float32 in 0..1: levels are divided there."""
    moved = pictures.to(device, non_blocking=True)
    return moved if moved.is_floating_point() else moved.float().div_(255)


def lanes(batch: int) -> int:
    """Frames under way at a time: that many numbers on is the next of a lane. `batch` as in `place`."""
    return _STEPS_APART * batch


def place(sample: int, batch: int, crops: int) -> Place:
    """Where sample number `sample` is found; `batch` is that of all processes together."""
    step, along = divmod(sample, batch)
    visit, turn = divmod(step, _STEPS_APART)
    lane = turn * batch + along
    nth, crop = divmod(visit + along % crops, crops)
    return Place(sample, nth * lanes(batch) + lane, crop)


def share(samples: range, batch: int, crops: int, rank: int = 0, world: int = 1) -> Iterator[Place]:
    """The places of the samples that process `rank` gets, in their order.

    Begin at a multiple of `world * batch`: from elsewhere the samples are right too, but frames come to several ranks.
    """
    for start in range(0, len(samples), world * batch):
        for number in samples[start : start + world * batch][rank * batch : (rank + 1) * batch]:
            yield place(number, world * batch, crops)


def frames(places: Iterable[Place], crops: int) -> Iterator[int]:
    """The frames of those places in the order in which they are first needed."""
    held = set()
    for here in places:
        if here.frame not in held:
            held.add(here.frame)
            yield here.frame
        if here.crop == crops - 1:
            held.remove(here.frame)


def arrange(places: Iterable[Place], made: Iterable[Sequence[Pair]]) -> Iterator[tuple[Place, Pair]]:
    """The pair of each place; `made` gives those of the frames in the order of `frames`."""
    coming = iter(made)
    waiting: dict[int, deque[Pair]] = {}
    for here in places:
        if here.frame not in waiting:
            waiting[here.frame] = deque(next(coming)[here.crop :])
        pair = waiting[here.frame].popleft()
        if not waiting[here.frame]:
            del waiting[here.frame]
        yield here, pair


def load(source: Numbered[T_co], numbers: Iterable[int], workers: int) -> Iterator[T_co]:
    """`source[number]` of each, in order, made ahead by `workers` processes.

    Raises:
        ApisrError: what `source` raises, when its turn comes.
        TrainingError: a worker died.
    """
    loader: DataLoader[Any] = DataLoader(
        _Told(source),
        sampler=numbers,
        batch_size=None,
        collate_fn=_as_it_is,
        num_workers=workers,
        # OpenCV's threads do not survive a fork
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=set_up_worker if workers else None,
    )
    with deaths_told():
        for made in loader:
            if isinstance(made, ApisrError):
                raise made
            yield made


@contextmanager
def deaths_told() -> Iterator[None]:
    """Around whatever runs beside workers: torch raises the death of one wherever the main thread stands.

    Raises:
        TrainingError: a worker died.
    """
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        why = "its memory may have run out: try fewer workers"
        raise TrainingError(f"a process that makes training pairs died; {why} ({error})") from None


def stacks(stream: Iterator[tuple[Place, Pair]], batch: int, *, pin: bool) -> Generator[Batch, None, None]:
    """Batches of `batch` pairs each; where they are pinned, a thread makes the next one while one is used."""

    def stacked() -> Iterator[Batch]:
        while together := list(islice(stream, batch)):
            yield stack(together)

    if not pin:
        yield from stacked()
        return
    with closing(made_ahead((whole.pin_memory() for whole in stacked()), 1)) as pinned:
        yield from pinned


def made_ahead(source: Iterator[T], count: int) -> Generator[T, None, None]:
    """`source`, of which a thread makes `count` more while what came before is used."""
    with ThreadPoolExecutor(1) as pool:
        waiting = deque(pool.submit(next, source, None) for _ in range(count))
        try:
            while (made := waiting.popleft().result()) is not None:
                waiting.append(pool.submit(next, source, None))
                yield made
        finally:
            pool.shutdown(cancel_futures=True)


def stack(placed: Sequence[tuple[Place, Pair]]) -> Batch:
    """One batch of those pairs."""
    pairs = [pair for _, pair in placed]
    high_res = torch.stack([pair.high_res for pair in pairs])
    is_raw = all(pair.target is pair.high_res for pair in pairs)
    return Batch(
        torch.stack([pair.low_res for pair in pairs]),
        high_res,
        high_res if is_raw else torch.stack([pair.target for pair in pairs]),
        tuple(pair.name for pair in pairs),
        tuple(here.sample for here, _ in placed),
    )


def set_up_worker(_worker: int = 0) -> None:
    """What a process that makes pairs does before all else."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is the parent's to stop them
    cv2.setNumThreads(0)  # the processes share the cores already
    atexit.register(os._exit, 0)  # where it ends in full, a library's thread aborts one process in ten


class _Told(Dataset[T_co], Generic[T_co]):
    """What the source makes, or the error that it raises: from a worker it would arrive with the worker's stack."""

    def __init__(self, source: Numbered[T_co]) -> None:
        self._source = source

    def __getitem__(self, number: int) -> Any:
        try:
            return self._source[number]
        except ApisrError as error:
            return error


def _as_it_is(made: Any) -> Any:
    return made
