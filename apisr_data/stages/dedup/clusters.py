"""From near hashes to groups of frames that show the same picture, each with the frame that is kept for all."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

Differ = Callable[[Indices, Indices], NDArray[np.float32]]
"""The difference of the frames at these indices, pair by pair."""


@dataclass(frozen=True)
class Clusters:
    """What each frame belongs to; frames are indices, the best one first."""

    kept: Indices
    """(n,) the frame that stands for this one: itself, or a better one that it matches directly."""
    difference: NDArray[np.float32]
    """(n,) the difference to that frame."""
    cluster: Indices
    """(n,) the best frame that is connected to this one by a chain of matches."""
    comparisons: int
    """How many pairs of frames were compared."""


def cluster(hash_of: Indices, pairs: tuple[Indices, Indices], differ: Differ, max_difference: float) -> Clusters:
    """Group frames that show the same picture.

    `hash_of` (n,) is the index of each frame's hash; the frames stand in order of preference. `pairs` are the hashes
    that are near each other. Two frames match when their hashes are equal or near and `differ` is at most
    `max_difference`.

    From the best frame to the last, each frame that is not taken is kept, and takes all that match it. So every frame
    that is dropped matches the one kept in its place, also on a slow pan whose every step matches the next: of a chain
    A-B-C with A the best, B goes and C stays; all three are one cluster. Only kept frames are compared with others,
    so a crowd of n alike costs n comparisons, not their square.
    """
    count = len(hash_of)
    is_open = np.ones(count, bool)
    is_kept = np.zeros(count, bool)
    neighbours = _Neighbours(hash_of, pairs)
    links = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))]
    comparisons = 0
    while is_open.any():
        # every frame that no better open one could take is kept: the same as one at a time, but many at once
        leaders = neighbours.best_of(np.flatnonzero(is_open))
        is_kept[leaders] = True
        is_open[leaders] = False
        left, right = neighbours.of(leaders)
        left, right = left[~is_kept[right]], right[~is_kept[right]]  # also those taken before: they join clusters
        found = differ(left, right)
        comparisons += len(found)
        matches = found <= max_difference
        is_open[right[matches]] = False
        links.append((left[matches], right[matches], found[matches]))
    takers, taken, differences = (np.concatenate(column) for column in zip(*links, strict=True))
    kept = np.arange(count)
    difference = np.zeros(count, np.float32)
    order = np.argsort(takers, kind="stable")[::-1]  # the best taker of a frame is written last
    kept[taken[order]] = takers[order]
    difference[taken[order]] = differences[order]
    return Clusters(kept, difference, connected(count, takers, taken), comparisons)


def connected(count: int, left: Indices, right: Indices) -> Indices:
    """For each of `count` nodes the smallest node that the edges left-right connect it with (union-find)."""
    parent = list(range(count))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        small, large = sorted((root(a), root(b)))
        parent[large] = small
    return np.array([root(node) for node in range(count)], dtype=np.int64)


class _Neighbours:
    """The frames whose hash is near a frame's."""

    def __init__(self, hash_of: Indices, pairs: tuple[Indices, Indices]) -> None:
        self._hash_of = hash_of
        self._pairs = pairs  # of hashes that still have open frames, see best_of
        self._hashes = int(hash_of.max(initial=-1)) + 1
        every = np.arange(self._hashes)
        near = np.concatenate([every, *pairs]), np.concatenate([every, *pairs[::-1]])  # a hash is near itself
        self._near_hashes = _Groups(near[0], near[1], self._hashes)
        self._frames = _Groups(hash_of, np.arange(len(hash_of)), self._hashes)

    def of(self, frames: Indices) -> tuple[Indices, Indices]:
        """Pairs of each of `frames` with every frame near it, itself included."""
        at, near_hashes = self._near_hashes.of(self._hash_of[frames])
        at_hash, near = self._frames.of(near_hashes)
        return frames[at][at_hash], near

    def best_of(self, open_frames: Indices) -> Indices:
        """Those of the open frames (ascending) that have no better open frame near them."""
        nothing = len(self._hash_of)
        best = np.full(self._hashes, nothing)
        np.minimum.at(best, self._hash_of[open_frames], open_frames)
        left, right = self._pairs
        is_live = (best[left] < nothing) & (best[right] < nothing)
        left, right = self._pairs = left[is_live], right[is_live]
        best_near = best.copy()
        np.minimum.at(best_near, left, best[right])
        np.minimum.at(best_near, right, best[left])
        return np.asarray(best[(best == best_near) & (best < nothing)])


class _Groups:
    """Values by key 0, 1, ...: one flat array and where each key's values start."""

    def __init__(self, keys: Indices, values: Indices, count: int) -> None:
        self._values = values[np.argsort(keys, kind="stable")]
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=count))])

    def of(self, keys: Indices) -> tuple[Indices, Indices]:
        """All values of `keys`, and for each the position in `keys` of its key."""
        starts = self._starts[keys]
        sizes = self._starts[keys + 1] - starts
        at = np.repeat(np.arange(len(keys)), sizes)
        within = np.arange(len(at)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return at, self._values[starts[at] + within]
