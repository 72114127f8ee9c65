import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from apisr_data.stages.dedup.clusters import cluster, connected


def group(hash_of, pairs, matching, max_difference=12.0):
    """Clusters where exactly the pairs of frames in `matching` differ little."""
    alike = {frozenset(pair) for pair in matching}

    def differ(left, right):
        return np.array(
            [1.0 if frozenset(pair) in alike else 99.0 for pair in zip(left.tolist(), right.tolist(), strict=True)],
            np.float32,
        )

    sides = tuple(np.array([pair[k] for pair in pairs], np.int64) for k in (0, 1))
    return cluster(np.array(hash_of, np.int64), sides, differ, max_difference)


def test_equal_hashes_that_match_are_kept_once():
    found = group([0, 0, 0], [], [(0, 1), (0, 2)])
    assert found.kept.tolist() == [0, 0, 0]
    assert found.cluster.tolist() == [0, 0, 0]
    assert found.difference.tolist() == [0, 1, 1]


def test_equal_hashes_whose_pictures_differ_are_all_kept():
    found = group([0, 0, 0], [], [])
    assert found.kept.tolist() == [0, 1, 2]
    assert found.cluster.tolist() == [0, 1, 2]


def test_a_chain_is_one_cluster_and_every_dropped_frame_matches_the_kept_one():
    # a slow pan A-B-C-D whose steps match: B goes for A, C matches A no more and takes D
    found = group([0, 1, 2, 3], [(0, 1), (1, 2), (2, 3)], [(0, 1), (1, 2), (2, 3)])
    assert found.kept.tolist() == [0, 0, 2, 2]
    assert found.cluster.tolist() == [0, 0, 0, 0]


def test_a_crowd_of_alike_costs_one_comparison_each():
    count = 5000
    found = cluster(
        np.zeros(count, np.int64),
        (np.empty(0, np.int64),) * 2,
        lambda left, right: np.zeros(len(left), np.float32),
        1,
    )
    assert (found.kept == 0).all()
    assert found.comparisons == count - 1


def test_a_frame_goes_to_the_best_frame_that_it_matches():
    # 2 is kept in the first round, 1 in the second; 3 matches both
    assert group([0, 0, 2, 1], [(0, 1), (1, 2)], [(1, 3), (2, 3)]).kept.tolist() == [0, 1, 2, 1]


graphs = st.integers(1, 9).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, n - 1), min_size=n, max_size=n),
        st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda pair: pair[0] < pair[1])),
        st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda pair: pair[0] < pair[1])),
    )
)


@settings(max_examples=500, deadline=None)
@given(graphs)
def test_rounds_give_what_taking_the_frames_one_by_one_gives(graph):
    hash_of, near, alike = graph
    known = set(hash_of)
    near = [pair for pair in near if known.issuperset(pair)]
    match = {(a, b) for a, b in alike if hash_of[a] == hash_of[b] or tuple(sorted((hash_of[a], hash_of[b]))) in near}
    kept = list(range(len(hash_of)))
    for frame in range(len(hash_of)):  # the definition, frame after frame
        for better in range(frame):
            if kept[better] == better and (better, frame) in match:
                kept[frame] = better
                break
    assert group(hash_of, near, alike).kept.tolist() == kept


def test_connected_names_the_smallest_node_of_each_component():
    left, right = np.array([5, 1, 4]), np.array([4, 2, 1])
    assert connected(7, left, right).tolist() == [0, 1, 1, 3, 1, 1, 6]
    assert connected(0, np.empty(0, np.int64), np.empty(0, np.int64)).tolist() == []
