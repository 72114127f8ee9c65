import numpy as np
import pytest

from apisr_data.config import Dedup
from apisr_data.stages.dedup import dedup
from apisr_data.stages.dedup.repeats import Stretch, join_stretches
from tests.data.stages.tables_by_hand import dataset_of, picture

EPISODES = [f"{n:016x}" for n in range(4)]
OPENING_S = 60
LENGTH_S = 1400.0


def episode(number, opening_at, ending_at=None, *, late_s=0.0, rng=None):
    """Shots of 4 s that no other episode has, but for an opening and an ending of 60 s, where the shots are shared.

    Each shot has an I-frame at its cut, up to `late_s` later.
    """
    frames = []
    for n in range(350):
        time_s = n * 4.0
        shown = 10_000 * (number + 1) + n
        for first, at in ((500, opening_at), (900, ending_at)):
            if at is not None and at <= time_s < at + OPENING_S:
                shown = first + int(time_s - at) // 4
        delay = rng.uniform(0, late_s) if rng else 0.0
        frames.append({"video_id": EPISODES[number], "time_s": time_s + delay, "picture": picture(shown)})
    return frames


def repeats(folder, frames, **settings):
    videos = {video_id: {"episode": str(n), "duration_s": LENGTH_S} for n, video_id in enumerate(EPISODES)}
    used = {frame["video_id"] for frame in frames}
    dataset = dataset_of(folder, frames, {v: facts for v, facts in videos.items() if v in used})
    dedup(dataset, Dedup(**settings))
    return dataset.sql("SELECT run, video_id, start_s, end_s, frames, kind FROM repeats ORDER BY ALL").fetchall()


def test_openings_and_endings_are_found_wherever_they_start(tmp_path):
    frames = [*episode(0, 0, 1300), *episode(1, 120, 1320), *episode(2, 92, 1308)]
    found = repeats(tmp_path / "d", frames)
    assert sorted((v, start, end, n, kind) for _, v, start, end, n, kind in found) == sorted(
        (EPISODES[n], at, at + 56.0, 15, kind)
        for kind, starts in (("opening", (0, 120, 92)), ("ending", (1300, 1320, 1308)))
        for n, at in enumerate(starts)
    )
    assert {(run, kind) for run, *_, kind in found} == {(0, "opening"), (1, "ending")}


def test_i_frames_at_other_instants_of_the_same_shots_still_match(tmp_path):
    rng = np.random.default_rng(0)
    frames = [*episode(0, 40, late_s=2.5, rng=rng), *episode(1, 400, late_s=2.5, rng=rng)]
    found = repeats(tmp_path / "d", frames)
    assert [(run, v) for run, v, *_ in found] == [(0, EPISODES[0]), (0, EPISODES[1])]
    for (_, _, start, end, *_), at in zip(found, (40, 400), strict=True):
        assert start == pytest.approx(at, abs=3)
        assert end == pytest.approx(at + 56, abs=3)


def test_an_episode_without_the_opening_does_not_break_the_run(tmp_path):
    found = repeats(tmp_path / "d", [*episode(0, 0), *episode(1, None), *episode(2, 8)])
    assert [(run, v) for run, v, *_ in found] == [(0, EPISODES[0]), (0, EPISODES[2])]


def test_single_pictures_that_return_are_no_run(tmp_path):
    frames = [*episode(0, None), *episode(1, None)]
    for n in (10, 80, 200, 300):  # four pictures in common, each at another shift
        frames[350 + n * 7 % 350]["picture"] = frames[n]["picture"]
    assert repeats(tmp_path / "d", frames) == []


def test_a_stretch_shorter_than_asked_is_no_run(tmp_path):
    frames = [*episode(0, 0), *episode(1, 8)]
    assert repeats(tmp_path / "d", frames, repeat_s=57.0) == []


def test_stretches_that_overlap_are_one_run():
    a, b, c = EPISODES[:3]
    shared = [
        (Stretch(a, 0, 90), Stretch(b, 10, 100)),
        (Stretch(b, 12, 101), Stretch(c, 0, 89)),
        (Stretch(a, 500, 520), Stretch(c, 700, 720)),
    ]
    assert join_stretches(shared) == [
        [Stretch(a, 0, 90), Stretch(b, 10, 101), Stretch(c, 0, 89)],
        [Stretch(a, 500, 520), Stretch(c, 700, 720)],
    ]
    assert join_stretches([]) == []
