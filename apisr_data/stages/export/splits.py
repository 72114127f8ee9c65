"""Which images train and which validate: no title and no duplicate cluster stands on both sides."""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from apisr_data.errors import ConfigError

_STARTS = 64
"""Places that are tried for the validation block of a single title."""


@dataclass(frozen=True)
class Item:
    """What a split must know of an image; `items` are given in the order of title, episode and time."""

    frame_id: str
    title: str
    cluster: int | None
    scene: Hashable
    """The shot that the frame stands in, unique over all videos."""


@dataclass(frozen=True)
class Split:
    """`val` holds the frame_ids that validate; `rule` says in one sentence how they were chosen."""

    val: frozenset[str]
    rule: str
    is_by_title: bool = True


def split(items: Sequence[Item], *, val_fraction: float, seed: int, hold_out: Sequence[str] = ()) -> Split:
    """The images to validate with: those of the titles `hold_out`; of none, about `val_fraction` drawn by `seed`.

    Whole titles where there are several (those that share a duplicate cluster count as one): in an order drawn from
    the seed, each is taken that brings the share nearer; the smallest, where every title is too large. Of a single
    title, one contiguous block of time is taken, and with it every image of the same scene or duplicate cluster.

    Raises:
        ConfigError: a title in `hold_out` has no image.
    """
    groups = _groups(((item.title, item.cluster) for item in items), len(items))
    if hold_out:
        return _named(items, groups, hold_out)
    if val_fraction == 0 or len(items) < 2:
        return Split(frozenset(), "every image trains")
    if len(groups) == 1:
        return _block(items, val_fraction, seed)
    target = val_fraction * len(items)
    drawn = sorted(groups, key=lambda group: _draw(seed, min(items[i].title for i in group)))
    taken: list[int] = []
    for group in drawn:
        after = len(taken) + len(group)
        if after < len(items) and abs(after - target) < abs(len(taken) - target):
            taken += group
    taken = taken or min(drawn, key=len)
    titles = {items[i].title for i in taken}
    return Split(
        frozenset(items[i].frame_id for i in taken),
        f"whole titles: {len(titles):,} of {len({i.title for i in items}):,} validate, "
        f"{len(taken) / len(items):.1%} of the images (wanted {val_fraction:.1%})",
    )


def _named(items: Sequence[Item], groups: list[list[int]], hold_out: Sequence[str]) -> Split:
    """The titles that were asked for, with those that share a duplicate cluster with them."""
    known = sorted({item.title for item in items})
    if unknown := [title for title in hold_out if title not in known]:
        found = ", ".join(f"'{title}'" for title in known) or "none"
        raise ConfigError(f"export.hold_out: no image has the title '{unknown[0]}'; titles with images: {found}")
    taken = [i for group in groups if any(items[i].title in hold_out for i in group) for i in group]
    joined = sorted({items[i].title for i in taken} - set(hold_out))
    return Split(
        frozenset(items[i].frame_id for i in taken),
        f"titles held out by name: {', '.join(dict.fromkeys(hold_out))}, "
        + (f"and with them, for the duplicates that they share, {', '.join(joined)}, " if joined else "")
        + f"{len(taken) / len(items):.1%} of the images",
    )


def _block(items: Sequence[Item], val_fraction: float, seed: int) -> Split:
    """One stretch of time of a single title, with what belongs to it."""
    size = max(1, round(val_fraction * len(items)))
    groups = _groups(((item.scene, item.cluster) for item in items), len(items))
    group_of = {i: group for group in groups for i in group}
    last = len(items) - size
    starts = sorted({round(last * k / (_STARTS - 1)) for k in range(_STARTS)}, key=lambda s: _draw(seed, str(s)))

    def closed(start: int) -> set[int]:
        return {member for i in range(start, start + size) for member in group_of[i]}

    blocks = [block for start in starts if len(block := closed(start)) < len(items)]
    if not blocks:
        return Split(frozenset(), "every image trains: one title whose images all belong together", is_by_title=False)
    best = min(blocks, key=lambda block: abs(len(block) - size))
    return Split(
        frozenset(items[i].frame_id for i in best),
        f"one title only: a contiguous block of its time validates, {len(best) / len(items):.1%} of the images "
        f"(wanted {val_fraction:.1%}); train and val show the same work, so figures on val flatter",
        is_by_title=False,
    )


def _groups(keys: Iterable[tuple[Hashable, int | None]], count: int) -> list[list[int]]:
    """Indices 0..count-1 in groups that share a first key or a cluster, directly or by others; union-find."""
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[Hashable, int] = {}
    for i, (key, cluster) in enumerate(keys):
        for mark in (("key", key), ("cluster", cluster)):
            if mark[1] is not None:
                parent[root(i)] = root(first.setdefault(mark, i))
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for i in range(count):
        groups[root(i)].append(i)
    return list(groups.values())


def _draw(seed: int, name: str) -> bytes:
    return hashlib.blake2b(f"{seed} {name}".encode(errors="surrogateescape"), digest_size=8).digest()
