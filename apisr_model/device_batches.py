"""The batches of `data`, degraded on a device: workers cut windows, this process degrades them by the group.

A group is the frames of neighbouring lanes, as many as a process has samples in a batch. They are needed at about the
same time and always degraded together, so that a resumed run rounds as one that was not. A thread makes groups ahead:
the codecs of the next one run while the device trains.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from apisr_model.data import Batch, Pair, Pairs, Window, cut
from apisr_model.data.batches import Place, arrange, frames, lanes, load, share, stack
from apisr_model.degrade_batched import BatchedDegradation
from apisr_model.errors import DegradationError, ShapeError

_GROUPS_AHEAD = 2

T = TypeVar("T")


def batches(
    pairs: Pairs,
    degradation: BatchedDegradation,
    samples: range,
    batch: int,
    *,
    device: torch.device,
    workers: int = 0,
    pin: bool = False,
    rank: int = 0,
    world: int = 1,
) -> Iterator[Batch]:
    """As `data.batches`: the same samples with the same draws, but other noise, and rounding that a codec may show.

    In the CPU's memory, where the last codec leaves them. `pairs` needs a `window_px`, and draws as `degradation` does.
    Bit for bit the same on one device for the same `pairs`, `batch`, `rank` and `world`, wherever `samples` begin.

    Raises:
        ImageError, TrainingError: as `data.batches`.
        ShapeError: windows of several sizes, or a real pair's sides do not fit the scale.
        DegradationError: a codec failed; the message names it, its parameters and the frames.
    """

    def places() -> Iterator[Place]:
        return share(samples, batch, pairs.crops, rank, world)

    def needed() -> Iterator[int]:
        return frames(places(), pairs.crops)

    apart = lanes(world * batch) // batch
    groups = _groups(needed(), batch, apart)
    with closing(_made_ahead(_degraded(pairs, degradation, groups, batch, workers, device))) as made:
        stream = arrange(places(), _one_by_one(needed(), made, batch, apart))
        while together := list(islice(stream, batch)):
            stacked = stack(together)
            yield stacked.pin_memory() if pin else stacked


def _groups(numbers: Iterable[int], size: int, apart: int) -> Iterator[int]:
    """The groups of those frames, each once; `apart` groups are under way at a time."""
    latest: dict[int, int] = {}
    for number in numbers:
        group = number // size
        if latest.get(group % apart) != group:
            latest[group % apart] = group
            yield group


def _one_by_one(
    numbers: Iterable[int], made: Iterator[list[tuple[Pair, ...]]], size: int, apart: int
) -> Iterator[tuple[Pair, ...]]:
    """The pairs of each frame; `made` gives those of the groups in the order of `_groups`."""
    latest: dict[int, int] = {}
    held: dict[int, list[tuple[Pair, ...]]] = {}
    for number in numbers:
        group, place = divmod(number, size)
        lane = group % apart
        if latest.get(lane) != group:  # the one before has been given out: its lanes' turn is over
            latest[lane], held[lane] = group, next(made)
        yield held[lane][place]


def _made_ahead(source: Iterator[T]) -> Generator[T, None, None]:
    """`source`, made by a thread while what came before is used."""
    with ThreadPoolExecutor(1) as pool:
        waiting = deque(pool.submit(next, source, None) for _ in range(_GROUPS_AHEAD))
        try:
            while (made := waiting.popleft().result()) is not None:
                waiting.append(pool.submit(next, source, None))
                yield made
        finally:
            pool.shutdown(cancel_futures=True)


class _Windows:
    """Windows by their number, for workers."""

    def __init__(self, pairs: Pairs) -> None:
        self._pairs = pairs

    def __getitem__(self, number: int) -> Window:
        return self._pairs.window(number)


def _degraded(
    pairs: Pairs,
    degradation: BatchedDegradation,
    groups: Iterable[int],
    size: int,
    workers: int,
    device: torch.device,
) -> Iterator[list[tuple[Pair, ...]]]:
    """The pairs of every frame of each group."""
    numbers = (number for group in groups for number in range(group * size, (group + 1) * size))
    # a stream of its own: what waits for a codec does not wait for the training that the device does meanwhile
    stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
    windows = load(_Windows(pairs), numbers, workers)
    while group := list(islice(windows, size)):
        with torch.cuda.stream(stream) if stream else nullcontext():
            low_res = iter(_low_res([window for window in group if window.drawn], degradation, device))
        yield [cut(window) if window.drawn is None else cut(window, next(low_res)) for window in group]


def _low_res(windows: Sequence[Window], degradation: BatchedDegradation, device: torch.device) -> Tensor:
    """What becomes of windows, (b, 3, h / scale, w / scale) in the CPU's memory."""
    if not windows:
        return torch.empty(0)
    sizes = {window.high_res.shape for window in windows}
    if len(sizes) > 1:
        raise ShapeError(f"windows that are degraded together have one size, found {sorted(sizes)}: give a window_px")
    levels = torch.from_numpy(np.stack([window.high_res for window in windows])).to(device)
    try:
        high_res = levels.permute(0, 3, 1, 2).float().div_(255)
        return degradation.apply(high_res, [window.drawn for window in windows if window.drawn is not None]).cpu()
    except DegradationError as error:
        numbers = [window.number for window in windows]
        raise DegradationError(f"{error}; in one of the frames {min(numbers)} to {max(numbers)}") from error
