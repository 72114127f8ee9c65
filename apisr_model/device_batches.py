"""The batches of `data`, degraded on a device: workers cut windows, this process degrades them by the group.

A group is the frames of neighbouring lanes, as many as a process has samples in a batch. They are needed at about the
same time and always degraded together, so that a resumed run rounds as one that was not. A thread makes groups ahead:
the codecs of the next one run while the device trains.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from apisr_model.data import Batch, Pair, Pairs, Window, cut
from apisr_model.data.batches import Place, arrange, frames, lanes, load, made_ahead, share, stacks
from apisr_model.degrade_batched import BatchedDegradation
from apisr_model.errors import DegradationError

_GROUPS_AHEAD = 2


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

    In the CPU's memory, where the last codec leaves them. `pairs` draws as `degradation` does, and wants a `window_px`:
    windows of each size are degraded apart. Bit for bit the same on one device for the same `pairs`, `batch`, `rank`
    and `world`, wherever `samples` begin.

    Raises:
        ImageError, TrainingError: as `data.batches`.
        ShapeError: a real pair's sides do not fit the scale.
        DegradationError: a codec failed; the message names it, its parameters and the frames.
    """

    def places() -> Iterator[Place]:
        return share(samples, batch, pairs.crops, rank, world)

    def needed() -> Iterator[int]:
        return frames(places(), pairs.crops)

    apart = lanes(world * batch) // batch
    groups = _groups(needed(), batch, apart)
    with closing(made_ahead(_degraded(pairs, degradation, groups, batch, workers, device), _GROUPS_AHEAD)) as made:
        stream = arrange(places(), _one_by_one(needed(), made, batch, apart))
        with closing(stacks(stream, batch, pin=pin)) as stacked:  # its thread asks the other one: it ends first
            yield from stacked


def _groups(numbers: Iterable[int], size: int, apart: int) -> Iterator[int]:
    """The groups of those frames, each once.

    A group's lanes are in the same of their frames or in the next, `apart` groups on: when the one after that is
    needed, all of the first has been.
    """
    held: set[int] = set()
    for number in numbers:
        group = number // size
        if group not in held:
            held.discard(group - 2 * apart)
            held.add(group)
            yield group


def _one_by_one(
    numbers: Iterable[int], made: Iterator[list[tuple[Pair, ...]]], size: int, apart: int
) -> Iterator[tuple[Pair, ...]]:
    """The pairs of each frame; `made` gives those of the groups in the order of `_groups`."""
    held: dict[int, dict[int, tuple[Pair, ...]]] = {}
    for number in numbers:
        group, place = divmod(number, size)
        if group not in held:
            held.pop(group - 2 * apart, None)
            held[group] = dict(enumerate(next(made)))
        yield held[group].pop(place)


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
        sizes: dict[tuple[int, ...], list[Window]] = {}
        for window in group:
            if window.drawn is not None:
                sizes.setdefault(window.high_res.shape, []).append(window)
        made: dict[int, Tensor] = {}
        with torch.cuda.stream(stream) if stream else nullcontext():
            for alike in sizes.values():
                made |= zip((window.number for window in alike), _low_res(alike, degradation, device), strict=True)
        yield [cut(window, made.get(window.number)) for window in group]


def _low_res(windows: Sequence[Window], degradation: BatchedDegradation, device: torch.device) -> Tensor:
    """What becomes of windows of one size, (b, 3, h / scale, w / scale) in the CPU's memory."""
    levels = torch.from_numpy(np.stack([window.high_res for window in windows])).to(device)
    try:
        high_res = levels.permute(0, 3, 1, 2).float().div_(255)
        return degradation.apply(high_res, [window.drawn for window in windows if window.drawn is not None]).cpu()
    except DegradationError as error:
        numbers = [window.number for window in windows]
        raise DegradationError(f"{error}; in one of the frames {min(numbers)} to {max(numbers)}") from error
