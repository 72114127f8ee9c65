import cv2
import numpy as np
import pytest

from apisr_data import tables
from apisr_data.config import Dedup, Extract
from apisr_data.dataset import create_dataset
from apisr_data.errors import MissingStageError
from apisr_data.stages.dedup import dedup
from tests.data.stages.tables_by_hand import dataset_of, picture

A, B, C = (letter * 16 for letter in "abc")


def recompressed(rgb, quality=40):
    data = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def duplicates(dataset):
    query = "SELECT frame_id, cluster, kept_frame_id, rank, distance, thumbnail_difference FROM duplicates ORDER BY ALL"
    return {row[0]: row[1:] for row in dataset.sql(query).fetchall()}


def kept_of(folder, frames, videos=None):
    dataset = dataset_of(folder, frames, videos)
    dedup(dataset, Dedup())
    return {kept for _, kept, *_ in duplicates(dataset).values()}


def test_the_same_picture_in_two_encodes_is_kept_once(tmp_path):
    frames = [{"video_id": A, "picture": picture(1)}, {"video_id": A, "picture": picture(2)}]
    frames += [{"video_id": B, "picture": recompressed(picture(2)), "sharpness": 0.1}]
    dataset = dataset_of(tmp_path / "d", frames)
    report = dedup(dataset, Dedup())
    found = duplicates(dataset)
    assert found[f"{A}-1"] == (0, f"{A}-1", 1, 0, 0.0)
    cluster, kept, rank, distance, difference = found[f"{B}-0"]
    assert (cluster, kept, rank) == (0, f"{A}-1", 2)
    assert distance <= 6
    assert 0 < difference <= 12
    assert len(found) == 2, "a frame that is like no other has no row"
    assert report.summary.startswith("1 of 3 frames")


def test_a_changed_mouth_is_another_picture(tmp_path):
    changed = picture(1)
    changed[60:70, 100:116] ^= 128
    frames = [{"video_id": A, "picture": picture(1)}, {"video_id": A, "picture": changed}]
    dataset = dataset_of(tmp_path / "d", frames)
    assert (dataset.sql("SELECT bit_count(xor(min(phash), max(phash))) FROM frames").fetchall()[0][0]) <= 6
    dedup(dataset, Dedup())
    assert duplicates(dataset) == {}


def test_plain_frames_are_not_compared(tmp_path):
    black = np.zeros((144, 256, 3), np.uint8)
    frames = [{"video_id": A, "picture": black, "entropy": 0.1} for _ in range(3)]
    dataset = dataset_of(tmp_path / "d", frames)
    assert "too plain to compare: 3" in dedup(dataset, Dedup()).summary
    assert duplicates(dataset) == {}


BETTER = [
    ("true height", {"height": 720}, {"height": 1080}),
    ("blockiness", {"blockiness": 1.0}, {"blockiness": 0.1}),
    ("sharpness, where blockiness is about equal", {"blockiness": 0.04, "sharpness": 0.4}, {"sharpness": 0.7}),
    ("bits per pixel of one codec", {"bits_per_pixel": 0.1, "complexity": 0.9}, {"bits_per_pixel": 0.9}),
    ("complexity", {"complexity": 0.4}, {"complexity": 0.6}),
]


@pytest.mark.parametrize(("worse", "better"), [b[1:] for b in BETTER], ids=[b[0] for b in BETTER])
@pytest.mark.parametrize("is_first", [True, False])
def test_the_better_frame_is_kept(tmp_path, worse, better, is_first):
    ids = (A, B) if is_first else (B, A)
    frames = [{"video_id": ids[0], "picture": picture(1)} | worse, {"video_id": ids[1], "picture": picture(1)} | better]
    assert kept_of(tmp_path / "d", frames) == {f"{ids[1]}-0"}


def test_bits_per_pixel_are_not_compared_across_codecs(tmp_path):
    videos = {A: {"codec": "hevc"}, B: {"codec": "mpeg2video"}, C: {"codec": "hevc"}}
    bits = {A: 0.1, B: 9.0, C: 0.2}
    frames = [{"video_id": v, "picture": picture(1), "bits_per_pixel": bits[v]} for v in videos]
    assert kept_of(tmp_path / "d", frames, videos) == {f"{C}-0"}


def test_an_upscaled_encode_is_no_better_than_the_native_one(tmp_path):
    videos = {A: {"title": "up", "height": 1080}, B: {"title": "T", "height": 720}}
    frames = [{"video_id": A, "picture": picture(1), "sharpness": 0.1}]
    frames += [{"video_id": B, "picture": picture(1), "height": 720, "sharpness": 0.6}]
    dataset = dataset_of(tmp_path / "d", frames, videos)
    native = {"title": "up", "source_height": 1080, "height": 720}
    dataset.write_table(tables.NATIVE_HEIGHTS, tables.NATIVE_HEIGHTS.rows([native]), "")
    dedup(dataset, Dedup())
    assert {kept for _, kept, *_ in duplicates(dataset).values()} == {f"{B}-0"}


def test_a_slow_pan_keeps_a_frame_for_every_dropped_one(tmp_path):
    wide = np.concatenate([picture(1), picture(2)], axis=1)
    wide = cv2.GaussianBlur(wide, (0, 0), 20)
    frames = [{"video_id": A, "picture": wide[:, x : x + 256], "complexity": 1 - x / 40} for x in range(40)]
    dataset = dataset_of(tmp_path / "d", frames)
    dedup(dataset, Dedup(thumbnail_difference=20.0))
    found = duplicates(dataset)
    first_cluster = [kept for cluster, kept, *_ in found.values() if cluster == 0]
    assert len(first_cluster) > 20, "steps of a pixel match"
    assert len(set(first_cluster)) > 2, "but not the whole way"
    assert max(distance for *_, distance, _ in found.values()) <= 6
    assert max(difference for *_, difference in found.values()) <= 20


def test_a_frame_without_a_readable_thumbnail_matches_nothing(tmp_path, caplog):
    frames = [{"video_id": A, "phash": 5}, {"video_id": A, "phash": 5}]
    dataset = dataset_of(tmp_path / "d", frames)
    dedup(dataset, Dedup())
    assert duplicates(dataset) == {}
    assert "2 thumbnails are missing or damaged" in caplog.text


def test_nothing_is_done_twice_and_new_settings_or_videos_are_noticed(tmp_path):
    dataset = dataset_of(tmp_path / "d", [{"video_id": A, "picture": picture(1)}] * 2)
    assert not dedup(dataset, Dedup()).did_nothing
    assert dedup(dataset, Dedup()).did_nothing
    assert not dedup(dataset, Dedup(phash_distance=3)).did_nothing
    dataset.part("scores", A).touch()
    assert not dedup(dataset, Dedup(phash_distance=3)).did_nothing


def test_the_same_tables_give_the_same_rows(tmp_path):
    rng = np.random.default_rng(0)
    frames = [{"video_id": v, "picture": picture(int(rng.integers(0, 20)))} for v in (A, B, C) for _ in range(30)]
    first, second = (dataset_of(tmp_path / name, frames) for name in "xy")
    for dataset in (first, second):
        dedup(dataset, Dedup())
    assert first.sql("FROM duplicates").fetchall() == second.sql("FROM duplicates").fetchall()


def test_an_empty_dataset_has_no_duplicates(tmp_path):
    dataset = create_dataset(tmp_path / "d")
    with pytest.raises(MissingStageError, match="apisr-data extract"):
        dedup(dataset, Dedup())
    dataset.put_in_force("extract", Extract(), "e" * 12)
    assert dedup(dataset, Dedup()).summary.startswith("0 of 0 frames")


def test_no_temporary_file_is_left(tmp_path):
    dataset = dataset_of(tmp_path / "d", [{"video_id": A, "picture": picture(1)}] * 2)
    dedup(dataset, Dedup())
    assert {p.name for p in dataset.path.iterdir()} == {"dataset.toml", "tables"}
