import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apisr_data.stages.dedup import hash_pairs
from apisr_data.stages.dedup.hash_pairs import near_pairs


def every_pair(hashes, distance):
    bits = np.bitwise_count(hashes[:, None] ^ hashes[None])
    return set(zip(*(side.tolist() for side in np.nonzero(np.triu(bits <= distance, 1))), strict=True))


def found_pairs(hashes, distance):
    pairs = list(zip(*(side.tolist() for side in near_pairs(hashes, distance)), strict=True))
    assert len(pairs) == len(set(pairs)), "a pair is met once"
    return set(pairs)


def crowded(count, rng):
    """Distinct hashes of which a third are near one of three pictures and a third share a band of 16 bits."""
    hashes = rng.integers(0, 2**64, count, np.uint64)
    for n in range(count // 3):
        hashes[n] = hashes[-1 - n % 3]
        for bit in rng.integers(0, 64, 5):
            hashes[n] ^= np.uint64(1) << np.uint64(bit)
    hashes[count // 3 : 2 * count // 3] &= ~np.uint64(0xFFFF_0000)
    return np.unique(hashes)


@pytest.mark.parametrize("distance", range(8))
def test_search_finds_what_comparing_all_finds(distance):
    hashes = crowded(900, np.random.default_rng(distance))
    assert found_pairs(hashes, distance) == every_pair(hashes, distance)


@pytest.mark.parametrize("distance", range(8))
def test_search_inside_crowds_is_exact(distance, monkeypatch):
    monkeypatch.setattr(hash_pairs, "_CROWD", (4, 4))
    hashes = crowded(500, np.random.default_rng(distance))
    assert found_pairs(hashes, distance) == every_pair(hashes, distance)


@settings(max_examples=15, deadline=None)
@given(
    center=st.integers(0, 2**64 - 1),
    flips=st.lists(st.sets(st.integers(0, 63), max_size=9), max_size=12),
    distance=st.integers(0, 7),
)
def test_search_around_a_picture_is_exact(center, flips, distance):
    near = {center} | {center ^ sum(1 << bit for bit in bits) for bits in flips}
    hashes = np.array(sorted(near), np.uint64)
    assert found_pairs(hashes, distance) == every_pair(hashes, distance)


def test_nothing_is_near_in_nothing():
    assert found_pairs(np.empty(0, np.uint64), 3) == set()


@pytest.mark.parametrize("distance", [-1, 8])
def test_other_distances_are_refused(distance):
    with pytest.raises(ValueError, match=r"0\.\.7"):
        near_pairs(np.empty(0, np.uint64), distance)
