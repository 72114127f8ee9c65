from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apisr_data.errors import ConfigError
from apisr_data.stages.export.splits import Item, split


def items_of(titles: Sequence[str], clusters: Sequence[int | None] | None = None) -> list[Item]:
    clusters = clusters or [None] * len(titles)
    return [Item(f"f{n}", title, cluster, n) for n, (title, cluster) in enumerate(zip(titles, clusters, strict=True))]


def sides(items: Sequence[Item], val: frozenset[str]) -> tuple[list[Item], list[Item]]:
    return [i for i in items if i.frame_id in val], [i for i in items if i.frame_id not in val]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.one_of(st.none(), st.integers(0, 30))), min_size=2, max_size=80),
    st.floats(0.01, 0.9),
    st.integers(0, 5),
)
def test_no_title_and_no_cluster_is_on_both_sides(
    drawn: list[tuple[int, int | None]], fraction: float, seed: int
) -> None:
    items = items_of([f"t{title}" for title, _ in drawn], [cluster for _, cluster in drawn])
    chosen = split(items, val_fraction=fraction, seed=seed)
    val, train = sides(items, chosen.val)
    assert train
    assert not {i.cluster for i in val} & {i.cluster for i in train} - {None}
    if chosen.is_by_title:
        assert val
        assert not {i.title for i in val} & {i.title for i in train}
    assert split(items, val_fraction=fraction, seed=seed) == chosen


def test_many_titles_come_near_the_fraction_wanted() -> None:
    items = items_of([f"t{n // 10}" for n in range(1000)])
    assert len(split(items, val_fraction=0.05, seed=0).val) == 50


def test_another_seed_takes_other_titles() -> None:
    items = items_of([f"t{n // 10}" for n in range(1000)])
    assert len({split(items, val_fraction=0.05, seed=seed).val for seed in range(5)}) == 5


def test_titles_that_are_all_too_large_give_the_smallest() -> None:
    items = items_of(["a"] * 50 + ["b"] * 40 + ["c"] * 60)
    chosen = split(items, val_fraction=0.05, seed=0)
    assert {i.title for i in sides(items, chosen.val)[0]} == {"b"}
    assert "26.7% of the images (wanted 5.0%)" in chosen.rule


def test_titles_that_share_a_cluster_stay_together() -> None:
    items = items_of(["a", "a", "b", "b", "c", "c"], [None, 7, 7, None, None, None])
    val, train = sides(items, split(items, val_fraction=0.3, seed=0).val)
    assert {i.title for i in val} == {"c"}
    assert {i.title for i in train} == {"a", "b"}


def test_titles_held_out_by_name_validate_alone() -> None:
    items = items_of(["a"] * 50 + ["b"] * 40 + ["c"] * 60)
    for fraction in (0.0, 0.05):
        chosen = split(items, val_fraction=fraction, seed=0, hold_out=["c", "a"])
        assert {i.title for i in sides(items, chosen.val)[1]} == {"b"}
        assert chosen.rule == "titles held out by name: c, a, 73.3% of the images"


def test_a_title_that_shares_a_cluster_with_a_held_out_one_goes_with_it() -> None:
    items = items_of(["a", "b", "b", "c"], [7, 7, None, None])
    chosen = split(items, val_fraction=0.05, seed=0, hold_out=["a"])
    assert {i.title for i in sides(items, chosen.val)[0]} == {"a", "b"}
    assert "for the duplicates that they share, b" in chosen.rule


def test_a_held_out_title_without_images_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"no image has the title 'The Answer'; titles with images: 'a', 'b'$"):
        split(items_of(["a", "b"]), val_fraction=0.05, seed=0, hold_out=["The Answer"])


def test_one_title_gives_a_contiguous_block_and_says_so() -> None:
    items = items_of(["a"] * 100)
    chosen = split(items, val_fraction=0.1, seed=3)
    numbers = sorted(int(frame_id[1:]) for frame_id in chosen.val)
    assert numbers == list(range(numbers[0], numbers[0] + 10))
    assert chosen.rule.startswith("one title only: a contiguous block of its time validates, 10.0%")
    assert not chosen.is_by_title


def test_one_titles_scenes_are_not_divided() -> None:
    items = [Item(f"f{n}", "a", None, n // 4) for n in range(100)]
    val, train = sides(items, split(items, val_fraction=0.1, seed=0).val)
    assert val
    assert not {i.scene for i in val} & {i.scene for i in train}


@pytest.mark.parametrize(("count", "fraction"), [(1, 0.5), (0, 0.5), (10, 0.0)])
def test_too_few_images_or_no_fraction_validate_with_none(count: int, fraction: float) -> None:
    assert not split(items_of(["a"] * count), val_fraction=fraction, seed=0).val


def test_a_small_title_still_validates_with_one_image() -> None:
    assert len(split(items_of(["a"] * 8), val_fraction=0.05, seed=0).val) == 1
