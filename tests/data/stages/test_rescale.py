import hashlib
import os
import shutil
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from apisr_data import colour, images, tables, video
from apisr_data.config import Rescale
from apisr_data.errors import MissingStageError
from apisr_data.stages.export.manifest import write_manifest
from apisr_data.stages.rescale import rescale
from apisr_data.stages.rescale.geometry import Geometry, displayed_borders, plan, render
from tests.data import clips
from tests.data.datasets import BORDERS, choose, extracted, make_dataset, selected_anew

SMALL = Rescale(height=48)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """160x96, 48 frames, an I-frame every 12."""
    folder = tmp_path_factory.mktemp("a 'quoted' [名前]")
    return clips.make(folder / "clip 1.mkv", "libx264", options={"x264-params": "scenecut=0"}, gop_size=12)


# --- where a frame is cut and scaled --------------------------------------------------------------------------------


def test_a_full_hd_frame_becomes_720p() -> None:
    assert plan((1920, 1080), (0, 0, 0, 0), 720, Rescale()) == Geometry(
        0, 0, 1920, 1080, 1280, 720, 1280, 720, "lanczos"
    )


def test_the_scale_comes_from_the_height_with_the_borders() -> None:
    letterboxed = plan((1920, 1080), (0, 138, 0, 138), 720, Rescale())
    assert letterboxed == Geometry(0, 138, 1920, 804, 1280, 536, 1280, 536, "lanczos")  # 804 * 2 / 3 = 536


def test_borders_stay_where_cropping_is_off() -> None:
    assert plan((1920, 1080), (0, 138, 0, 138), 720, Rescale(crop_borders=False)) == plan(
        (1920, 1080), (0, 0, 0, 0), 720, Rescale()
    )


def test_sides_are_cut_to_the_multiple_around_the_centre() -> None:
    geometry = plan((853, 480), (0, 0, 0, 0), 720, Rescale())
    assert geometry == Geometry(0, 0, 853, 480, 853, 480, 848, 480, "none")
    frame = np.zeros((480, 853, 3), np.uint8)
    frame[:, :, 0] = np.arange(853) % 256
    assert render(frame, geometry)[0, [0, -1], 0].tolist() == [2, (2 + 847) % 256]


def test_a_frame_below_the_height_is_never_enlarged() -> None:
    kept = plan((640, 480), (0, 0, 0, 0), 720, Rescale())
    assert isinstance(kept, Geometry)
    assert (kept.width, kept.height, kept.kernel) == (640, 480, "none")


def test_a_frame_below_the_height_is_refused_where_the_policy_says_so() -> None:
    assert plan((640, 480), (0, 0, 0, 0), 720, Rescale(below="refuse")) == "480 px high, below 720"


def test_a_frame_of_the_height_is_neither_scaled_nor_refused() -> None:
    geometry = plan((1280, 720), (0, 0, 0, 0), 720, Rescale(below="refuse"))
    assert isinstance(geometry, Geometry)
    assert geometry.kernel == "none"


def test_what_the_borders_leave_too_small_is_refused() -> None:
    assert plan((64, 64), (30, 0, 30, 0), 64, Rescale()) == "4x64 px without its borders"


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("ratio", [Fraction(1), Fraction(4, 3), Fraction(8, 9)])
def test_borders_follow_the_picture_through_aspect_and_rotation(rotation: int, ratio: Fraction) -> None:
    coded = np.full((90, 120), 200, np.uint8)
    coded[:6], coded[-10:], coded[:, :4], coded[:, -14:] = 0, 0, 0, 0
    size = colour.displayed_size(120, 90, ratio, 0)
    shown = np.rot90(cv2.resize(coded, size, interpolation=cv2.INTER_NEAREST), -rotation // 90)
    borders = displayed_borders((4, 6, 14, 10), sample_aspect_ratio=float(ratio), rotation=rotation)
    left, top, right, bottom = borders
    assert (shown[top : shown.shape[0] - bottom, left : shown.shape[1] - right] == 200).all()
    dark = [int((shown[:, shown.shape[1] // 2] == 0).sum()), int((shown[shown.shape[0] // 2] == 0).sum())]
    assert [top + bottom - dark[0], left + right - dark[1]] == pytest.approx([0, 0], abs=2)


def test_the_papers_kernel_gives_the_authors_pixels() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (1080, 1441, 3), np.uint8)
    geometry = plan((1441, 1080), (0, 0, 0, 0), 720, Rescale(kernel="paper", multiple_of=1))
    theirs = cv2.resize(frame, (int(1441 * (720 / 1080)), 720), interpolation=cv2.INTER_CUBIC)  # tools/720P_resize.py
    assert isinstance(geometry, Geometry)
    assert np.array_equal(render(frame, geometry), theirs)


# --- the stage ------------------------------------------------------------------------------------------------------


def test_images_are_the_frames_of_a_decode_scaled_by_another_implementation(tmp_path: Path, clip: Path) -> None:
    dataset = make_dataset(tmp_path / "ds", {clip: "A"})
    rescale(dataset, SMALL, workers=0)
    rows = dataset.sql("FROM images ORDER BY frame_id").to_arrow_table().to_pylist()
    frames = {f"{0:016x}-{f.pts}": f.rgb() for f in video.iframes(clip)}
    assert len(rows) == len(frames) == 4
    for row in rows:
        pixels = np.asarray(Image.open(dataset.path / row["image"]))
        expected = Image.fromarray(frames[row["frame_id"]]).resize((80, 48), Image.Resampling.LANCZOS)
        assert np.array_equal(pixels, np.asarray(expected))
        assert row["sha256"] == hashlib.sha256(pixels.tobytes()).hexdigest()
        assert (row["width"], row["height"], row["kernel"], row["reason"]) == (80, 48, "lanczos", None)


def test_borders_are_cut_away(tmp_path: Path, clip: Path) -> None:
    dataset = make_dataset(tmp_path / "ds", {clip: "A"}, borders=(0, 16, 0, 16))
    rescale(dataset, Rescale(height=96), workers=0)
    frame = next(iter(video.iframes(clip)))
    ((image,),) = dataset.sql(f"SELECT image FROM images WHERE frame_id LIKE '%-{frame.pts}'").fetchall()
    assert np.array_equal(images.read(dataset.path / image), frame.rgb()[16:-16])


def test_a_dark_frame_has_the_borders_that_its_video_has(tmp_path: Path) -> None:
    clip = clips.make(tmp_path / "a.mkv", "mpeg2video", frames=6, gop_size=1)
    dataset = make_dataset(tmp_path / "ds", {clip: "A"}, borders=(0, 16, 0, 16))
    part = dataset.part("frames", f"{0:016x}")
    rows = pq.read_table(part).to_pylist()
    rows[2] |= {"border_top": 0, "border_bottom": 0}
    tables.write(tables.FRAMES.with_columns(BORDERS).rows(rows), part)
    dataset.refresh()
    selected_anew(dataset)
    rescale(dataset, Rescale(height=96), workers=0)
    assert dataset.sql("SELECT DISTINCT height, crop_top FROM images").fetchall() == [(64, 16)]


def test_a_second_run_does_nothing(tmp_path: Path, clip: Path) -> None:
    dataset = make_dataset(tmp_path / "ds", {clip: "A"})
    rescale(dataset, SMALL, workers=0)
    before = {p.name: p.stat().st_mtime_ns for p in (dataset.path / "images").iterdir()}
    assert rescale(dataset, SMALL, workers=0).did_nothing
    assert {p.name: p.stat().st_mtime_ns for p in (dataset.path / "images").iterdir()} == before


def test_only_newly_selected_frames_are_decoded(tmp_path: Path, clip: Path) -> None:
    dataset = make_dataset(tmp_path / "ds", {clip: "A"})
    ids = [i for (i,) in dataset.sql("SELECT frame_id FROM frames ORDER BY packet").fetchall()]
    choose(dataset, ids[:2])
    rescale(dataset, SMALL, workers=0)
    choose(dataset, ids[1:])
    assert rescale(dataset, SMALL, workers=0).summary.startswith("2 images made, 1 there already")
    named = dataset.sql("SELECT frame_id FROM images").fetchall()
    assert {i for (i,) in named} == set(ids[1:])


def test_images_of_frames_no_longer_selected_leave_the_manifest_and_the_folder(tmp_path: Path, clip: Path) -> None:
    dataset = make_dataset(tmp_path / "ds", {clip: "A"})
    rescale(dataset, SMALL, workers=0)
    (dataset.path / "images" / "mine.png").write_bytes(b"not made by us")
    ids = [i for (i,) in dataset.sql("SELECT frame_id FROM frames ORDER BY packet").fetchall()]
    choose(dataset, ids[:1])
    rescale(dataset, SMALL, workers=0)
    table = write_manifest(dataset).table
    assert table["frame_id"].to_pylist() == ids[:1]
    assert {p.name for p in (dataset.path / "images").iterdir()} == {
        "mine.png",
        Path(table["image"][0].as_py()).name,
    }


def test_another_setting_makes_other_files(tmp_path: Path, clip: Path) -> None:
    dataset = make_dataset(tmp_path / "ds", {clip: "A"})
    rescale(dataset, SMALL, workers=0)
    first = {i for (i,) in dataset.sql("SELECT image FROM images").fetchall()}
    rescale(dataset, Rescale(height=48, kernel="area"), workers=0)
    second = {i for (i,) in dataset.sql("SELECT image FROM images").fetchall()}
    assert not first & second


def test_a_deleted_image_is_made_again(tmp_path: Path, clip: Path) -> None:
    dataset = make_dataset(tmp_path / "ds", {clip: "A"})
    rescale(dataset, SMALL, workers=0)
    gone = next((dataset.path / "images").iterdir())
    gone.unlink()
    assert rescale(dataset, SMALL, workers=0).summary.startswith("1 images made, 3 there already")
    assert gone.exists()


@pytest.mark.parametrize("left", [0, 1000])
def test_an_image_that_was_emptied_or_cut_short_is_made_again(tmp_path: Path, clip: Path, left: int) -> None:
    dataset = make_dataset(tmp_path / "ds", {clip: "A"})
    rescale(dataset, SMALL, workers=0)
    damaged = next((dataset.path / "images").iterdir())
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:left])
    assert rescale(dataset, SMALL, workers=0).summary.startswith("1 images made, 3 there already")
    assert damaged.read_bytes() == whole


def test_a_run_cut_short_keeps_the_videos_that_were_done(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = clips.make(tmp_path / "b.mkv", "libx264", gop_size=12, frames=24)
    dataset = make_dataset(tmp_path / "ds", {clip: "A", other: "B"})

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(dataset, "write_table", interrupted)
        with pytest.raises(KeyboardInterrupt):
            rescale(dataset, SMALL, workers=0)
    assert rescale(dataset, SMALL, workers=0).summary.startswith("0 images made")


def test_a_video_that_is_gone_fails_by_name_and_the_others_are_done(tmp_path: Path, clip: Path) -> None:
    gone = clips.make(tmp_path / "gone.mkv", "libx264", gop_size=12, frames=24)
    dataset = make_dataset(tmp_path / "ds", {gone: "A", clip: "B"})
    away = gone.rename(tmp_path / "away.mkv")
    report = rescale(dataset, SMALL, workers=0)
    assert [str(e) for e in report.failed] == [
        f"{gone}: gone since it was extracted; bring it back, or run extract again where it is now"
    ]
    reasons = dataset.sql("SELECT DISTINCT reason FROM images WHERE image IS NULL").fetchall()
    assert reasons == [(str(report.failed[0]),)]
    assert dataset.sql("SELECT count(image) FROM images").fetchall() == [(4,)]
    away.rename(gone)
    assert not rescale(dataset, SMALL, workers=0).failed


def test_another_video_in_its_place_is_refused_though_it_has_the_same_size(tmp_path: Path, clip: Path) -> None:
    path = Path(shutil.copy(clip, tmp_path / "a.mkv"))
    dataset = extracted(tmp_path / "ds", path)
    path.write_bytes(clip.read_bytes()[:-1] + b"!")
    report = rescale(dataset, SMALL, workers=0)
    assert [str(e) for e in report.failed] == [f"{path}: changed since it was extracted; run extract again"]
    assert dataset.sql("SELECT count(image), count(reason) FROM images").fetchall() == [(0, 4)]


def test_a_copy_of_the_video_with_another_time_is_the_same_video(tmp_path: Path, clip: Path) -> None:
    path = Path(shutil.copy(clip, tmp_path / "a.mkv"))
    dataset = extracted(tmp_path / "ds", path)
    os.utime(path, ns=(0, 0))
    assert rescale(dataset, SMALL, workers=0).summary.startswith("4 images made")


def save_pictures(folder: Path) -> list[Path]:
    """Four pictures of noise, all of one size in bytes."""
    folder.mkdir()
    paths = [folder / f"{n} 画.bmp" for n in range(4)]
    for n, path in enumerate(paths):
        Image.fromarray(np.random.default_rng(n).integers(0, 256, (48, 64, 3), np.uint8)).save(path)
        os.utime(path, ns=(n * 10**9, n * 10**9))
    return paths


def test_pictures_that_are_gone_or_changed_are_refused_and_the_others_are_made(tmp_path: Path) -> None:
    gone, larger, newer, _ = paths = save_pictures(tmp_path / "art")
    dataset = extracted(tmp_path / "ds", tmp_path / "art")
    gone.unlink()
    larger.write_bytes(larger.read_bytes() + b"!")
    os.utime(larger, ns=(0, 0))
    newer.write_bytes(paths[3].read_bytes())
    report = rescale(dataset, Rescale(height=24), workers=0)
    assert [str(e).partition("; ")[0] for e in report.failed] == [
        f"{gone}: gone since it was extracted",
        f"{larger}: changed since it was extracted",
        f"{newer}: changed since it was extracted",
    ]
    assert dataset.sql("SELECT count(image) FROM images").fetchall() == [(1,)]


def test_pictures_that_changed_places_are_refused(tmp_path: Path) -> None:
    first, second, *_ = save_pictures(tmp_path / "art")
    dataset = extracted(tmp_path / "ds", tmp_path / "art")
    first.rename(tmp_path / "x")
    second.rename(first)
    (tmp_path / "x").rename(second)
    report = rescale(dataset, Rescale(height=24), workers=0)
    assert [str(e) for e in report.failed] == [f"{tmp_path / 'art'}: changed since it was extracted; run extract again"]
    assert dataset.sql("SELECT count(image) FROM images").fetchall() == [(0,)]


def test_a_second_place_of_the_same_video_is_used(tmp_path: Path, clip: Path) -> None:
    gone = clips.make(tmp_path / "gone.mkv", "libx264", gop_size=12, frames=24)
    dataset = make_dataset(tmp_path / "ds", {gone: "A"})
    rows = dataset.sql("FROM sources").to_arrow_table().to_pylist()
    moved = gone.rename(tmp_path / "moved.mkv")
    tables.write(tables.SOURCES.rows([*rows, {**rows[0], "path": str(moved)}]), dataset.table_path("sources"))
    dataset.refresh()
    selected_anew(dataset)
    assert not rescale(dataset, SMALL, workers=0).failed


def test_a_damaged_video_names_the_frames_that_are_lost(tmp_path: Path, clip: Path) -> None:
    path = tmp_path / "cut.mkv"
    path.write_bytes(clip.read_bytes())
    dataset = make_dataset(tmp_path / "ds", {path: "A"})
    written_ns = path.stat().st_mtime_ns
    with path.open("r+b") as file:  # the size stays, so it is only found out by decoding
        file.seek(path.stat().st_size // 2)
        file.write(bytes(path.stat().st_size // 2))
    os.utime(path, ns=(0, written_ns))  # and so does the time, as when a disk fails
    report = rescale(dataset, SMALL, workers=0)
    assert len(report.failed) == 1
    assert str(report.failed[0]).startswith(f"{path}: ")
    ((made, lost),) = dataset.sql("SELECT count(image), count(reason) FROM images").fetchall()
    assert made
    assert lost
    assert made + lost == 4


def test_pictures_of_a_folder_are_rescaled_too(tmp_path: Path) -> None:
    path = save_pictures(tmp_path / "pictures")[0]
    dataset = extracted(tmp_path / "ds", path)
    rescale(dataset, Rescale(height=24), workers=0)
    (row,) = dataset.sql("SELECT image, width, height FROM images").fetchall()
    expected = Image.open(path).resize((32, 24), Image.Resampling.LANCZOS)
    assert np.array_equal(images.read(dataset.path / row[0]), np.asarray(expected))


def test_native_height_is_the_titles_and_else_720_is_taken_aloud(tmp_path: Path, clip: Path) -> None:
    measured = make_dataset(tmp_path / "a", {clip: "A"}, native_height=64)
    assert not rescale(measured, Rescale(height="native"), workers=0).warnings
    assert measured.sql("SELECT DISTINCT height FROM images").fetchall() == [(64,)]
    unknown = make_dataset(tmp_path / "b", {clip: "A"})
    report = rescale(unknown, Rescale(height="native"), workers=0)
    assert report.warnings[0] == "A: native height not known; 720 px taken"


def test_a_frame_below_the_height_has_its_reason_in_the_table(tmp_path: Path, clip: Path) -> None:
    dataset = make_dataset(tmp_path / "ds", {clip: "A"})
    report = rescale(dataset, Rescale(), workers=0)
    assert report.warnings == ["4 frames are lower than asked for and keep their size; below = refuse drops them"]
    reasons = dataset.sql("SELECT DISTINCT reason, height, image IS NULL FROM images").fetchall()
    assert reasons == [("kept at its size: 96 px high, below 720", 96, False)]
    report = rescale(dataset, Rescale(below="refuse"), workers=0)
    assert report.warnings == ["4 frames refused: 96 px high, below 720"]
    reasons = dataset.sql("SELECT DISTINCT reason, height, image IS NULL FROM images").fetchall()
    assert reasons == [("refused: 96 px high, below 720", None, True)]
    assert write_manifest(dataset).table.num_rows == 0


def test_a_full_disk_ends_the_stage(tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = make_dataset(tmp_path / "ds", {clip: "A"})

    def disk_full(data: bytes, path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(images, "write_bytes", disk_full)
    with pytest.raises(OSError, match="No space left"):
        rescale(dataset, SMALL, workers=0)
    assert not dataset.table_path("images").exists()


def test_worker_processes_make_the_same_images(tmp_path: Path, clip: Path) -> None:
    here, there = make_dataset(tmp_path / "a", {clip: "A"}), make_dataset(tmp_path / "b", {clip: "A"})
    rescale(here, SMALL, workers=0)
    rescale(there, SMALL, workers=1)
    assert here.sql("FROM images").fetchall() == there.sql("FROM images").fetchall()


def test_rescaling_before_selecting_names_the_missing_stage(tmp_path: Path, clip: Path) -> None:
    dataset = make_dataset(tmp_path / "ds", {clip: "A"})
    dataset.table_path("selection").unlink()
    with pytest.raises(MissingStageError, match="apisr-data select"):
        rescale(dataset, SMALL)


def test_without_frames_the_tables_are_empty(tmp_path: Path) -> None:
    (tmp_path / "broken.mkv").write_bytes(b"no video")
    dataset = extracted(tmp_path / "ds", tmp_path / "broken.mkv")
    report = rescale(dataset, SMALL, workers=0)
    assert report.summary == "0 images made, 0 there already, 0 refused, 0 failed"
    assert dataset.sql("FROM images").fetchall() == []
    assert write_manifest(dataset).table.num_rows == 0
