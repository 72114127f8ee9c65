"""The whole of apisr-data as its user calls it, on the sample clip and on small synthetic videos."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from apisr_data.dataset import open_dataset
from tests.data import clips

OPTIONS = ("--recipe", "curate_quick", "--workers", "2")


def apisr_data(*arguments: object, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "apisr_data.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, **options)


def written(folder: Path) -> dict[str, int]:
    """Every file under a folder with the time it was written."""
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def content(dataset: Path) -> dict[str, list]:
    """What the tables say, apart from where and when."""
    opened = open_dataset(dataset)
    tables = ("frames", "thumbnails", "scores", "packet_sizes", "duplicates", "selection", "images", "manifest")
    return {t: opened.sql(f"FROM {t} ORDER BY ALL").fetchall() for t in tables}


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    """A folder of three short videos with awkward names and all kinds of bad files."""
    folder = tmp_path_factory.mktemp("videos") / "It's a «test» [1080p]"
    (folder / "Season 1").mkdir(parents=True)
    for number, name in enumerate(['Ep. 01 - "quote".mkv', "第02話.mp4", "Season 1/エピソード.. 3.mkv"]):
        draw = clips.drawing(320, 192, cut_every=8, seed=number)
        clips.make(folder / name, "libx264", size=(320, 192), frames=48, draw=draw, gop_size=8)
    return folder


@pytest.fixture(scope="module")
def done(videos, tmp_path_factory) -> Path:
    dataset = tmp_path_factory.mktemp("done") / "set"
    result = apisr_data("run", videos, "-d", dataset, *OPTIONS)
    assert result.returncode == 0, result.stderr
    return dataset


@pytest.fixture
def copy(done, tmp_path) -> Path:
    """The finished dataset, to be changed."""
    return Path(shutil.copytree(done, tmp_path / "set"))


def test_the_sample_becomes_a_training_set(sample, tmp_path):
    result = apisr_data("run", sample, "-d", tmp_path / "set", *OPTIONS, "--export", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    assert "next: " in result.stdout
    manifest = pq.read_table(tmp_path / "out" / "manifest.parquet").to_pylist()
    assert 4 <= len(manifest) <= 8
    for row in manifest:
        image = cv2.imread(str(tmp_path / "out" / row["image"]))
        assert image.shape == (row["height"], row["width"], 3)
        assert row["height"] <= 720
        assert row["height"] % 8 == row["width"] % 8 == 0
    assert {row["split"] for row in manifest} == {"train", "val"}


def test_the_sample_s_title_card_scores_last(sample, tmp_path):
    assert apisr_data("extract", sample, "-d", tmp_path / "set").returncode == 0
    assert apisr_data("score", tmp_path / "set", "--scorer", "detail").returncode == 0
    query = "SELECT packet FROM frames JOIN scores USING (frame_id) ORDER BY complexity"
    rows = json.loads(apisr_data("query", tmp_path / "set", query, "--format", "json").stdout)
    assert len(rows) == 8
    assert rows[0] == {"packet": 312}  # at 13 s, as a look at the clip shows


def test_every_frame_has_a_verdict_and_a_reason(done):
    rows = open_dataset(done).sql("SELECT reason FROM frames LEFT JOIN selection USING (frame_id)").fetchall()
    assert len(rows) >= 18
    assert all(reason for (reason,) in rows)


def test_a_second_run_does_nothing(videos, copy):
    before = written(copy)
    result = apisr_data("run", videos, "-d", copy, *OPTIONS)
    assert result.returncode == 0
    assert {k: v for k, v in written(copy).items() if k != ".lock"} == {k: v for k, v in before.items() if k != ".lock"}


def test_a_new_video_costs_only_itself(videos, copy, tmp_path):
    before = written(copy)
    draw = clips.drawing(320, 192, cut_every=8, seed=9)
    clips.make(tmp_path / "new.mkv", "libx264", size=(320, 192), frames=24, draw=draw, gop_size=8)
    assert apisr_data("run", videos, tmp_path / "new.mkv", "-d", copy, *OPTIONS).returncode == 0
    after = written(copy)
    parts = {name for name in before if name.count("/") == 2 and name.startswith("tables/")}
    assert {name: after[name] for name in parts} == {name: before[name] for name in parts}
    assert len(open_dataset(copy).sql("FROM videos").fetchall()) == 4


def test_a_long_video_cut_short_is_named_and_its_frames_are_read(sample, tmp_path):
    cut = tmp_path / "half.mkv"
    cut.write_bytes(sample.read_bytes()[:2_000_000])
    result = apisr_data("extract", cut, "-d", tmp_path / "set")
    assert result.returncode == 1
    assert "half.mkv: cut short: it ends at 10.2 of 21.5 s" in result.stderr
    assert open_dataset(tmp_path / "set").sql("SELECT count(*) FROM frames").fetchall() == [(4,)]


def test_a_renamed_video_is_known_and_takes_its_new_title(sample, tmp_path):
    video = Path(shutil.copy(sample, tmp_path / "first.mkv"))
    assert apisr_data("extract", video, "-d", tmp_path / "set").returncode == 0
    renamed = video.rename(tmp_path / "second.mkv")
    result = apisr_data("extract", renamed, "-d", tmp_path / "set")
    assert "0 new, 1 known already" in result.stdout
    assert open_dataset(tmp_path / "set").sql("SELECT title FROM videos").fetchall() == [("second",)]


def test_images_of_an_older_selection_are_not_exported(copy, tmp_path):
    assert apisr_data("select", copy, "--per-video", "1").returncode == 0
    result = apisr_data("export", copy, tmp_path / "out")
    assert result.returncode == 2
    assert "apisr-data rescale" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_changed_selection_decodes_no_video(videos, copy, tmp_path):
    hidden = tmp_path / "elsewhere"
    videos.rename(hidden)
    try:
        result = apisr_data("select", copy, "--per-video", "1")
    finally:
        hidden.rename(videos)
    assert result.returncode == 0, result.stderr
    assert apisr_data("run", videos, "-d", copy).returncode == 0  # without a recipe: the dataset's own settings
    kept = open_dataset(copy).sql("SELECT count(*) FROM selection WHERE is_kept").fetchall()
    assert kept == [(3,)]


def test_settings_of_another_extraction_are_never_mixed(videos, copy):
    result = apisr_data("run", videos, "-d", copy, *OPTIONS, "--set", "extract.exact=true")
    assert result.returncode == 0, result.stderr
    methods = open_dataset(copy).sql("SELECT DISTINCT iframe_method FROM videos").fetchall()
    assert methods == [("full-decode",)]


def test_stages_one_by_one_give_what_run_gives(videos, done, tmp_path):
    dataset = tmp_path / "set"
    assert apisr_data("extract", videos, "-d", dataset).returncode == 0
    assert apisr_data("score", dataset, "--scorer", "detail").returncode == 0
    for stage in ("dedup", "select", "rescale"):
        result = apisr_data(stage, dataset)
        assert result.returncode == 0, result.stderr
    assert content(dataset)["scores"] == content(done)["scores"]
    assert content(dataset)["images"] == content(done)["images"]


def test_bad_inputs_fail_alone_and_by_name(videos, done, tmp_path):
    folder = Path(shutil.copytree(videos, tmp_path / "videos"))
    good = next(folder.glob("*.mkv"))
    (folder / "empty.mkv").touch()
    (folder / "renamed.mp4").write_text("this is a letter to my aunt\n" * 50)
    (folder / "truncated.mp4").write_bytes((folder / "第02話.mp4").read_bytes()[:2000])
    import av

    with av.open(str(folder / "audio only.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    result = apisr_data("run", folder, "-d", tmp_path / "set", *OPTIONS)
    assert result.returncode == 1
    for name in ("empty.mkv", "renamed.mp4", "truncated.mp4", "audio only.mkv"):
        assert f"{folder / name}: " in result.stderr
    assert "Traceback" not in result.stderr
    assert good.name not in result.stderr
    assert len(content(tmp_path / "set")["frames"]) == len(content(done)["frames"])
    again = apisr_data("run", folder, "-d", tmp_path / "set", *OPTIONS)
    assert again.returncode == 1
    assert "empty.mkv" in again.stderr
    assert apisr_data("status", tmp_path / "set").returncode == 1


def test_a_video_cut_in_the_middle_gives_its_whole_frames(videos, tmp_path):
    whole = next(videos.glob("*.mkv"))
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    result = apisr_data("run", cut, "-d", tmp_path / "set", *OPTIONS)
    assert "Traceback" not in result.stderr
    assert result.returncode == 0  # two seconds of video: what is missing may be an audio track's end
    frames = open_dataset(tmp_path / "set").sql("SELECT count(*) FROM frames").fetchall()[0][0]
    assert 2 <= frames < 6


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_an_interrupted_run_goes_on_where_it_stopped(videos, done, tmp_path, number, status):
    folder = Path(shutil.copytree(videos, tmp_path / videos.name))
    dataset = tmp_path / "set"
    command = [sys.executable, "-m", "apisr_data.cli", "run", folder, "-d", dataset, "--recipe", "curate_quick"]
    process = subprocess.Popen(
        [*map(str, command), "--workers", "1"],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )
    deadline = time.monotonic() + 60
    while not list(dataset.glob("tables/videos/[!.]*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in errors
    assert ("the same command goes on from there" in errors) == (number != signal.SIGKILL)
    first = written(dataset / "tables" / "videos")
    result = apisr_data("run", folder, "-d", dataset, *OPTIONS)
    assert result.returncode == 0, result.stderr
    assert {name: written(dataset / "tables" / "videos")[name] for name in first if not name.startswith(".")} == {
        name: time_ns for name, time_ns in first.items() if not name.startswith(".")
    }
    assert content(dataset) == content(done)
    assert not list(dataset.rglob("*.tmp"))


def test_pictures_are_frames_without_a_video(tmp_path):
    folder = tmp_path / "art"
    folder.mkdir()
    for number in range(3):
        picture = clips.drawing(400, 240, seed=number)(0)
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n")
    result = apisr_data("run", folder, "-d", tmp_path / "set", *OPTIONS)
    assert result.returncode == 1
    assert "broken.png" in result.stderr
    assert len(content(tmp_path / "set")["frames"]) == 3
    assert len(content(tmp_path / "set")["manifest"]) == 3
    again = apisr_data("run", folder, "-d", tmp_path / "set", *OPTIONS)
    assert again.returncode == 1
    assert "broken.png" in again.stderr


def test_a_folder_with_nothing_usable_is_told(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").touch()
    result = apisr_data("run", tmp_path / "notes", "-d", tmp_path / "set")
    assert result.returncode == 1
    assert "neither videos nor pictures" in result.stderr


def test_wrong_usage_is_told_in_one_line_with_status_2(tmp_path):
    for arguments in (["run"], ["nothing"], ["query", tmp_path], ["run", "x", "--set", "a=b", "-d", tmp_path / "d"]):
        result = apisr_data(*arguments)
        assert result.returncode == 2
        assert result.stderr.startswith("error: ")
        assert len(result.stderr.splitlines()) == 1


def test_wrong_settings_are_told_before_any_work(videos, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.doc").touch()
    (tmp_path / "empty.csv").touch()
    for wrong in (
        ["--set", "select.where=nosuch > 1"],
        ["--export", tmp_path / "thesis"],
        ["--overrides", tmp_path / "empty.csv"],
        ["--set", "score.also=['nosuch']"],
    ):
        result = apisr_data("run", videos, "-d", tmp_path / "set", *wrong)
        assert result.returncode == 2, wrong
        assert result.stderr.startswith("error: ")
        assert not list(tmp_path.glob("set/tables/*/*")), wrong


def test_a_missing_dataset_is_told_in_one_line_with_status_2(tmp_path):
    result = apisr_data("status", tmp_path / "nothing")
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")


def test_help_loads_nothing_heavy():
    check = (
        "import sys, apisr_data.cli; print([m for m in ('torch', 'av', 'cv2', 'pandas', 'numpy') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_command_stands_in_the_readme():
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    from apisr_data.cli import app

    for command in app.registered_commands:
        assert f"apisr-data {command.name or command.callback.__name__}" in readme
