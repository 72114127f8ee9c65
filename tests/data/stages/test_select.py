from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apisr_data import tables
from apisr_data.config import Dedup, Extract, Select
from apisr_data.dataset import create_dataset
from apisr_data.errors import ConfigError, MissingStageError, QueryError
from apisr_data.stages.dedup import made_from
from apisr_data.stages.select import select
from tests.data.stages.tables_by_hand import dataset_of

A, B = "a" * 16, "b" * 16


def verdicts(dataset):
    """frame_id -> (is_kept, reason, partition, rank), in the order of the table."""
    rows = dataset.sql("SELECT frame_id, is_kept, reason, partition, rank FROM selection").fetchall()
    return {row[0]: row[1:] for row in rows}


def kept(dataset):
    return [frame_id for frame_id, (is_kept, *_) in verdicts(dataset).items() if is_kept]


def chosen(folder, frames, videos=None, *, overrides=None, **options):
    """A dataset of these frames, no two of them alike, after a selection."""
    dataset = dataset_of(folder, frames, videos)
    look_for_duplicates(dataset)
    path = None
    if overrides is not None:
        path = folder.parent / "overrides.csv"
        path.write_text(overrides, encoding="utf-8")
    select(dataset, Select(**options), overrides=path)
    return dataset


def frames_of(video_id, complexities, **columns):
    return [{"video_id": video_id, "complexity": c, **columns} for c in complexities]


def look_for_duplicates(dataset):
    """Find none, in the frames as they are now."""
    duplicate(dataset, [])
    dataset.write_table(tables.REPEATS, tables.REPEATS.rows([]), made_from(dataset, Dedup()))


def duplicate(dataset, groups):
    """Say that each of these groups of frames (the kept one first) shows one picture."""
    rows = [
        {"frame_id": frame_id, "cluster": n, "kept_frame_id": group[0], "rank": rank, "distance": rank}
        for n, group in enumerate(groups)
        for rank, frame_id in enumerate(group, 1)
    ]
    dataset.write_table(tables.DUPLICATES, tables.DUPLICATES.rows(rows), made_from(dataset, Dedup()))


# --- both policies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["paper", "diverse"])
def test_every_frame_has_a_verdict_and_a_reason(tmp_path, policy):
    frames = [*frames_of(A, [n % 7 / 7 for n in range(90)]), *frames_of(B, [0.5])]
    frames[3]["complexity"] = None
    frames[4]["complexity"] = float("nan")
    found = verdicts(chosen(tmp_path / "d", frames, policy=policy, where="entropy > 5"))
    assert list(found) == [f"{A}-{n}" for n in range(90)] + [f"{B}-0"]
    assert all(reason for _, reason, *_ in found.values())
    assert found[f"{A}-3"][:2] == found[f"{A}-4"][:2] == (False, "not scored")
    assert all((rank is None) == ("rank" not in reason) for _, reason, _, rank in found.values())


@settings(max_examples=10, deadline=None)
@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=3),
    quota=st.integers(1, 20),
    partitions=st.integers(1, 9),
    step=st.integers(1, 6),
    policy=st.sampled_from(["paper", "diverse"]),
)
def test_a_video_gets_its_quota_or_all_its_candidates(tmp_path_factory, counts, quota, partitions, step, policy):
    frames = [f for n, count in enumerate(counts) for f in frames_of(f"{n:016x}", [c * 7 % 5 for c in range(count)])]
    dataset = chosen(
        tmp_path_factory.mktemp("t") / "d", frames, policy=policy, per_video=quota, partitions=partitions, step=step
    )
    found = verdicts(dataset)
    for n, count in enumerate(counts):
        mine = [v for frame_id, v in found.items() if frame_id.startswith(f"{n:016x}")]
        candidates = sum(rank is not None for *_, rank in mine)
        assert sum(is_kept for is_kept, *_ in mine) == min(quota, candidates)
        if policy == "diverse":
            assert candidates == count
        else:  # every step-th of each partition, the first one included; partitions differ by a frame at most
            sizes = Counter(partition for _, _, partition, _ in mine)
            assert candidates == sum(-(-size // step) for size in sizes.values())
            assert max(sizes.values()) - min(sizes.values() if len(sizes) == partitions else [0]) <= 1
            assert len(sizes) == min(partitions, count)


def test_the_most_complex_of_each_partition_fill_its_share(tmp_path):
    # two partitions of four, three places: the later partition has two of them
    dataset = chosen(tmp_path / "d", frames_of(A, [0.1, 0.9, 0.3, 0.2, 0.8, 0.7, 0.95, 0.6]), per_video=3, partitions=2)
    assert kept(dataset) == [f"{A}-{n}" for n in (1, 4, 6)]
    found = verdicts(dataset)
    assert found[f"{A}-4"] == (True, "kept: rank 2 of 4 in partition 1", 1, 2)
    assert found[f"{A}-2"] == (False, "not chosen: rank 2 of 4 in partition 0, whose share is 1", 0, 2)


def test_what_a_short_partition_leaves_goes_to_the_best_of_the_rest(tmp_path):
    times = [0, 1, 2, 3, 4, 100]  # one frame in the second half
    frames = [
        f | {"time_s": float(t)} for f, t in zip(frames_of(A, [0.5, 0.1, 0.7, 0.3, 0.2, 0.0]), times, strict=True)
    ]
    dataset = chosen(tmp_path / "d", frames, per_video=4, partitions=2)
    assert kept(dataset) == [f"{A}-{n}" for n in (0, 2, 3, 5)]
    assert verdicts(dataset)[f"{A}-3"][1] == "kept: best of the rest, rank 3 of 5 in partition 0"


def test_a_folder_of_pictures_has_no_quota_and_no_scenes(tmp_path):
    frames = frames_of(A, [0.1 * n for n in range(30)], time_s=None, scene=0)
    for policy in ("diverse", "paper"):
        dataset = chosen(tmp_path / policy, frames, {A: {"kind": "images"}}, policy=policy)
        assert len(kept(dataset)) == 30


@pytest.mark.parametrize("policy", ["paper", "diverse"])
def test_random_ranks_follow_the_seed_and_not_the_complexity(tmp_path, policy):
    complexities = [n / 1000 for n in range(1000)]
    options = {"policy": policy, "rank_by": "random", "per_video": 100, "partitions": 1, "step": 1}
    by_seed = [
        kept(chosen(tmp_path / name, frames_of(A, complexities), seed=seed, **options))
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert by_seed[0] == by_seed[1]
    assert len(set(by_seed[0]) & set(by_seed[2])) < 30  # 10 are expected
    mean = sum(int(frame_id.rpartition("-")[2]) for frame_id in by_seed[0]) / 100
    assert 410 < mean < 590  # 500, and three standard deviations of 29; the most complex have 950


# --- paper -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("duration_s", "count"), [(1800.0, 16), (1801.0, 24), (None, 16)])
def test_paper_keeps_16_frames_and_24_of_a_long_video(tmp_path, duration_s, count):
    frames = frames_of(A, [0.5] * 300)
    dataset = chosen(tmp_path / "d", frames, {A: {"duration_s": duration_s}}, policy="paper")
    assert len(kept(dataset)) == count


def test_paper_looks_at_every_fifth_frame_of_each_eighth_of_the_list(tmp_path):
    found = verdicts(chosen(tmp_path / "d", frames_of(A, [0.5] * 83), policy="paper"))
    looked_at = [n for n in range(83) if found[f"{A}-{n}"][3] is not None]
    starts = [-(-83 * part // 8) for part in range(9)]  # no tail is left over
    assert looked_at == [n for a, b in pairwise(starts) for n in range(a, b, 5)]


@pytest.mark.parametrize("count", range(1, 9))
def test_paper_works_with_fewer_frames_than_partitions(tmp_path, count):
    assert len(kept(chosen(tmp_path / "d", frames_of(A, [0.5] * count), policy="paper"))) == count


def test_paper_needs_no_duplicates(tmp_path):
    dataset = dataset_of(tmp_path / "d", frames_of(A, [0.5] * 3))
    select(dataset, Select(policy="paper"))
    with pytest.raises(MissingStageError, match="apisr-data dedup"):
        select(dataset, Select(policy="diverse"))


# --- diverse -----------------------------------------------------------------------------------------------------


def test_diverse_drops_what_is_plain_soft_blocky_or_combed(tmp_path):
    frames = frames_of(A, [0.5] * 5)
    frames[0] |= {"entropy": 1.25}
    frames[1] |= {"sharpness": 0.125}
    frames[2] |= {"blockiness": 2.0}
    frames[3] |= {"combing": 0.5}
    dataset = chosen(tmp_path / "d", frames, min_sharpness=0.2, max_blockiness=1.0)
    assert [reason for _, reason, *_ in verdicts(dataset).values()] == [
        "entropy below the floor of 3.0 (1.25)",
        "sharpness below the floor of 0.2 (0.12)",
        "blockiness above the ceiling of 1.0 (2.00)",
        "combing above the ceiling of 0.1 (0.50)",
        "kept: rank 1 of 1 in partition 7",
    ]


def test_diverse_takes_the_most_complex_frame_of_a_scene(tmp_path):
    frames = frames_of(A, [0.1, 0.9, 0.5, 0.2])
    for n, scene in enumerate((0, 0, 0, 1)):
        frames[n]["scene"] = scene
    dataset = chosen(tmp_path / "d", frames)
    assert kept(dataset) == [f"{A}-1", f"{A}-3"]
    assert verdicts(dataset)[f"{A}-2"][1] == f"same scene as {A}-1"


def test_diverse_keeps_one_of_the_frames_that_show_one_picture(tmp_path):
    dataset = chosen(tmp_path / "d", [*frames_of(A, [0.5] * 3), *frames_of(B, [0.9] * 2)])
    duplicate(dataset, [[f"{A}-1", f"{B}-0", f"{A}-2"]])
    select(dataset, Select())
    found = verdicts(dataset)
    assert kept(dataset) == [f"{A}-0", f"{A}-1", f"{B}-1"]
    assert found[f"{B}-0"][1] == f"duplicate of {A}-1 (distance 2)"


def test_the_next_best_duplicate_stands_in_for_one_that_is_out(tmp_path):
    dataset = chosen(tmp_path / "d", [*frames_of(A, [0.5]), *frames_of(B, [0.5] * 2)], {B: {"title": "U"}})
    duplicate(dataset, [[f"{A}-0", f"{B}-1", f"{B}-0"]])
    select(dataset, Select(where="title = 'U'"))
    assert kept(dataset) == [f"{B}-1"]
    assert verdicts(dataset)[f"{B}-0"][1] == f"duplicate of {B}-1"


def test_a_repeated_stretch_is_taken_from_one_video(tmp_path):
    dataset = chosen(tmp_path / "d", [*frames_of(A, [0.5] * 4), *frames_of(B, [0.5] * 4, height=720)])
    rows = [{"run": 0, "video_id": v, "start_s": s, "end_s": s + 2, "kind": "opening"} for v, s in ((A, 0.0), (B, 4.0))]
    dataset.write_table(tables.REPEATS, tables.REPEATS.rows(rows), made_from(dataset, Dedup()))
    select(dataset, Select())
    assert kept(dataset) == [*(f"{A}-{n}" for n in range(4)), f"{B}-0", f"{B}-1"]
    assert verdicts(dataset)[f"{B}-3"][1] == f"opening of run 0: kept in {A}"
    select(dataset, Select(where=f"video_id = '{B}'"))  # the other video is out, so this one shows it
    assert kept(dataset) == [f"{B}-{n}" for n in range(4)]


# --- conditions --------------------------------------------------------------------------------------------------


def test_where_sees_frames_scores_and_videos(tmp_path):
    dataset = chosen(
        tmp_path / "d",
        frames_of(A, [0.1, 0.9]) + frames_of(B, [0.9]),
        {A: {"codec": "hevc", "title": "it's"}},
        where="complexity > .5 AND codec = 'hevc' AND title = 'it''s' AND time_s >= 0 -- and a comment",
    )
    assert kept(dataset) == [f"{A}-1"]
    assert verdicts(dataset)[f"{B}-0"] == (False, "where: not met", 0, None)


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("nosuch > 1", "nosuch"),
        ("time_s >", "syntax"),
        ("", "one condition"),
        ("time_s", "is DOUBLE, not true or false"),
        ("true; DROP TABLE frames", "one condition"),
        ("true) UNION SELECT (true", "one condition"),
        ("true) GROUP BY (scene", "one condition"),
        ("true), (true", "syntax"),
        ("sum(time_s) > 1", "aggregates"),
        ("row_number() OVER () > 1", "window"),
        ("title IN (SELECT content FROM read_text('/etc/passwd'))", "file system"),
        ("frame_id IN (SELECT frame_id FROM duplicates)", "duplicates"),
        ("title::INT > 1", "Could not convert"),
    ],
)
def test_where_is_one_condition_and_nothing_else(tmp_path, condition, told):
    dataset = chosen(tmp_path / "d", frames_of(A, [0.5]))
    before = verdicts(dataset)
    with pytest.raises(QueryError, match=told):
        select(dataset, Select(where=condition))
    assert verdicts(dataset) == before


def test_a_limit_needs_its_scorer(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.data.stages.tables_by_hand.SCORES", tables.SCORES)
    with pytest.raises(ConfigError, match="add it to score"):
        chosen(tmp_path / "d", frames_of(A, [0.5]), min_sharpness=0.1)


# --- overrides ---------------------------------------------------------------------------------------------------


def test_a_person_wins_over_everything_and_uses_up_the_quota(tmp_path):
    frames = frames_of(A, [0.9, 0.8, 0.1, 0.7])
    frames[2]["entropy"] = 0.0
    overrides = f"frame_id,is_kept,reason\n{A}-2,true,the logo\n{A}-0,no,\n"
    dataset = chosen(tmp_path / "d", frames, overrides=overrides, per_video=2, partitions=1)
    found = verdicts(dataset)
    assert kept(dataset) == [f"{A}-1", f"{A}-2"]
    assert found[f"{A}-2"] == (True, "override: the logo", 0, None)
    assert found[f"{A}-0"] == (False, "override", 0, None)


def test_a_frame_that_a_person_kept_drops_its_duplicates_and_its_scene(tmp_path):
    frames = frames_of(A, [0.9, 0.1, 0.5])
    frames[2]["scene"] = frames[1]["scene"] = 1
    dataset = chosen(tmp_path / "d", frames)
    duplicate(dataset, [[f"{A}-0", f"{A}-1"]])
    (tmp_path / "o.csv").write_text(f"frame_id,is_kept\n{A}-1,1\n")
    select(dataset, Select(), overrides=tmp_path / "o.csv")
    assert kept(dataset) == [f"{A}-1"]
    assert verdicts(dataset)[f"{A}-2"][1] == f"same scene as {A}-1"


def test_unknown_frames_in_the_overrides_are_named(tmp_path):
    dataset = chosen(tmp_path / "d", frames_of(A, [0.5]))
    (tmp_path / "o.csv").write_text("frame_id,is_kept\nnope-1,true\n", encoding="utf-8-sig")
    report = select(dataset, Select(), overrides=tmp_path / "o.csv")
    assert [w.split(": ", 1)[1] for w in report.warnings] == ["1 frame is not in the dataset: nope-1"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no column"),
        ("frame,is_kept\n", r"no column \['frame_id'\]"),
        ("frame_id,is_kept\nx,maybe\n", "line 2: is_kept of x is 'maybe'"),
        ("frame_id,is_kept\nx\n", "line 2: is_kept of x is ''"),
        ("frame_id,is_kept\n,true\n", "line 2: frame_id is empty"),
        ("frame_id,is_kept\nx,true\nx,false\n", "line 3: x is both kept and dropped"),
    ],
)
def test_overrides_that_are_no_decisions_are_refused(tmp_path, text, told):
    with pytest.raises(ConfigError, match=told):
        chosen(tmp_path / "d", frames_of(A, [0.5]), overrides=text)


@pytest.mark.parametrize(
    "text",
    [
        f"frame_id;is_kept;reason\n{A}-1;true;a, b\n",
        f'frame_id,is_kept,reason\n{A}-1,true,"a, b"\n{A}-1,yes,again\n',
    ],
)
def test_overrides_with_semicolons_or_said_twice_are_read(tmp_path, text):
    dataset = chosen(tmp_path / "d", frames_of(A, [0.5] * 2), overrides=text)
    assert dataset.sql("FROM overrides").fetchall() == [(f"{A}-1", True, "a, b")]


def test_overrides_that_cannot_be_read_are_named(tmp_path):
    dataset = chosen(tmp_path / "d", frames_of(A, [0.5]))
    with pytest.raises(ConfigError, match="cannot be read"):
        select(dataset, Select(), overrides=tmp_path / "nosuch.csv")


# --- again -------------------------------------------------------------------------------------------------------


def test_choosing_again_does_nothing_unless_something_changed(tmp_path):
    dataset = chosen(tmp_path / "d", frames_of(A, [0.5] * 4))
    overrides = tmp_path / "o.csv"
    overrides.write_text(f"frame_id,is_kept\n{A}-1,false\n")
    assert select(dataset, Select()).did_nothing
    assert not select(dataset, Select(per_video=2)).did_nothing
    assert not select(dataset, Select(per_video=2), overrides=overrides).did_nothing
    assert select(dataset, Select(per_video=2), overrides=overrides).did_nothing
    overrides.write_text(f"frame_id,is_kept\n{A}-2,false\n")
    assert not select(dataset, Select(per_video=2), overrides=overrides).did_nothing
    dataset.part("scores", A).touch()
    look_for_duplicates(dataset)
    assert not select(dataset, Select(per_video=2), overrides=overrides).did_nothing


def test_duplicates_of_the_frames_as_they_were_are_not_enough(tmp_path):
    dataset = chosen(tmp_path / "d", frames_of(A, [0.5] * 4))
    dataset.part("frames", A).touch()
    with pytest.raises(MissingStageError, match="apisr-data dedup"):
        select(dataset, Select())


def test_a_person_s_decisions_are_remembered(tmp_path):
    overrides = f"frame_id,is_kept,reason\n{A}-1,false,blurred\n"
    dataset = chosen(tmp_path / "d", frames_of(A, [0.5] * 4), overrides=overrides)
    select(dataset, Select(per_video=2))
    assert verdicts(dataset)[f"{A}-1"][:2] == (False, "override: blurred")


def test_a_damaged_frame_is_kept_only_by_a_person(tmp_path):
    frames = frames_of(A, [0.5] * 3)
    frames[0]["is_corrupt"] = frames[1]["is_corrupt"] = True
    dataset = chosen(tmp_path / "d", frames, policy="paper", step=1, overrides=f"frame_id,is_kept\n{A}-1,true\n")
    assert kept(dataset) == [f"{A}-1", f"{A}-2"]
    assert verdicts(dataset)[f"{A}-0"][1].startswith("damaged")


def test_a_dataset_whose_videos_all_failed_has_an_empty_selection(tmp_path):
    dataset = chosen(tmp_path / "d", [], {A: {"status": "failed"}})
    dataset.part("frames", A).unlink()
    dataset.refresh()
    look_for_duplicates(dataset)
    assert select(dataset, Select(where="entropy > 1")).summary.startswith("kept 0 of 0 frames")
    assert verdicts(dataset) == {}


def test_frames_that_are_not_scored_cannot_be_chosen_from(tmp_path):
    dataset = create_dataset(tmp_path / "d")
    dataset.put_in_force("extract", Extract(), "e" * 12)
    with pytest.raises(MissingStageError, match="apisr-data score"):
        select(dataset, Select())
