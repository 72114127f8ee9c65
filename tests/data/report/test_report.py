import errno
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from apisr_data import tables
from apisr_data.dataset import create_dataset
from apisr_data.errors import DatasetError, UsageError
from apisr_data.report import write_report
from apisr_data.stages.select import select
from tests.data.report.sets import SELECT, make


def facts_of(page: Path) -> dict:
    """What the page carries, read as a browser reads it: up to the first end of the script element."""
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])


def test_the_page_carries_every_frame_with_verdict_rule_and_scores(tmp_path):
    written = write_report(make(tmp_path / "set", ["One", "Two"], 10))
    assert written.path == tmp_path / "set" / "report.html"
    assert (written.frames, written.pictures) == (20, None)
    frames = facts_of(written.path)["frames"]
    assert frames["is_kept"][:5] == [False, False, False, True, False]
    assert [frames["rules"][rule] for rule in frames["rule"][:4]] == ["not chosen", "duplicate", "not chosen", "kept"]
    assert [score["name"] for score in frames["scores"]][:2] == ["complexity", "sharpness"]
    assert frames["scores"][1]["meaning"] == "0..1, how sharp it is"
    assert frames["scores"][0]["values"][:3] == [0.0, 0.1, 0.2]
    assert frames["keeper"][:3] == [0, 0, None]


def test_totals_and_packet_sizes_are_sums_over_the_videos(tmp_path):
    facts = facts_of(write_report(make(tmp_path / "set", ["One", "Two"], 10)).path)
    assert facts["totals"] == {
        "videos": 2, "failed": 0, "packets": 422, "frames": 20, "kept": 8, "dropped": 12, "images": 0,
    }  # fmt: skip
    first = {row["type"]: row for row in facts["packet_sizes"] if row["title"] == 0}
    assert first["I"] == {"title": 0, "type": "I", "from": [65536], "packets": [10], "bytes": 700_000}
    assert first["other"]["packets"] == [200]
    assert first["?"]["packets"] == [1]


@pytest.mark.parametrize("title", ["</script><script>alert(1)</script>", "<!--", "\"'&amp;", "銀河 ｶﾀｶﾅ", "عنوان"])
def test_any_title_reaches_the_page_as_it_is(tmp_path, title):
    assert facts_of(write_report(make(tmp_path / "set", [title], 1)).path)["titles"] == [title]


def test_a_dataset_without_anything_has_a_page(tmp_path):
    facts = facts_of(write_report(create_dataset(tmp_path / "set")).path)
    assert [(stage["stage"], stage["state"]) for stage in facts["stages"]] == [
        (stage, "missing") for stage in ("extract", "score", "dedup", "select", "rescale")
    ]
    assert facts["totals"]["frames"] == 0


def test_a_selection_older_than_its_tables_is_told(tmp_path):
    dataset = make(tmp_path / "set", ["One"], 5)
    states = {stage["stage"]: stage["state"] for stage in facts_of(write_report(dataset).path)["stages"]}
    assert states == {"extract": "done", "score": "done", "dedup": "done", "select": "done", "rescale": "missing"}
    dataset.put_in_force("select", SELECT.model_copy(update={"per_video": 3}), "other")
    states = {stage["stage"]: stage["state"] for stage in facts_of(write_report(dataset).path)["stages"]}
    assert states["select"] == "stale"


def test_remembered_decisions_are_in_the_page_and_those_of_absent_frames_too(tmp_path):
    dataset = make(tmp_path / "set", ["One"], 5)
    frame_id = f"{0:016x}-1"
    decisions = tmp_path / "mine.csv"
    decisions.write_text(f"frame_id,is_kept,reason\n{frame_id},true,a fine one\nelsewhere-1,false,\n")
    select(dataset, SELECT, overrides=decisions)
    facts = facts_of(write_report(dataset).path)
    assert facts["frames"]["decided"] == {"1": [True, "a fine one"]}
    assert facts["lost_decisions"] == [["elsewhere-1", False, None]]


def test_many_thumbnails_stand_beside_the_page(tmp_path):
    dataset = make(tmp_path / "set", ["One"], 5)
    written = write_report(dataset, tmp_path / "my page.html", inline_bytes=1000)
    assert written.pictures == tmp_path / "my page.files"
    assert facts_of(written.path)["thumbnails"] == {"folder": "my page.files"}
    (jpeg,) = dataset.sql("SELECT jpeg FROM thumbnails WHERE frame_id = ?", [f"{0:016x}-3"]).fetchall()[0]
    assert (written.pictures / f"{0:016x}-3.jpg").read_bytes() == jpeg
    assert len(list(written.pictures.iterdir())) == 5


@pytest.mark.parametrize("others", [[], ["mine.jpg", "notes.txt"]])
def test_thumbnails_go_when_the_page_takes_them_in_and_nothing_else_does(tmp_path, others):
    dataset = make(tmp_path / "set", ["One"], 5)
    pictures = write_report(dataset, inline_bytes=0).pictures
    for name in others:
        (pictures / name).touch()
    assert write_report(dataset).pictures is None
    assert pictures.exists() == bool(others)
    assert not others or sorted(path.name for path in pictures.iterdir()) == others


def test_a_folder_that_cannot_be_written_is_named_with_a_way_out(tmp_path, monkeypatch):
    def refuse(data, path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    dataset = make(tmp_path / "set", ["One"], 1)
    monkeypatch.setattr("apisr_data.report.write_bytes", refuse)
    with pytest.raises(UsageError, match=re.escape(f"the folder {tmp_path / 'set'} cannot be written") + ".* -o"):
        write_report(dataset)


def test_a_part_that_is_gone_is_told(tmp_path):
    dataset = make(tmp_path / "set", ["One", "Two"], 3)
    assert write_report(dataset).behind.stage == "rescale"
    dataset.part("thumbnails", f"{1:016x}").unlink()
    dataset.refresh()
    behind = write_report(dataset).behind
    assert (behind.stage, behind.state) == ("extract", "stale")
    assert "a part of their tables is gone" in behind.told


def test_a_frame_id_that_leads_elsewhere_gets_no_file(tmp_path):
    dataset = make(tmp_path / "set", ["One"], 2)
    row = {"frame_id": "../../escaped", "video_id": f"{0:016x}", "jpeg": b"not a picture"}
    tables.write(tables.THUMBNAILS.rows([row]), dataset.part("thumbnails", f"{0:016x}"))
    written = write_report(dataset, inline_bytes=0)
    assert not list(tmp_path.rglob("escaped*"))
    assert written.path.exists()


def test_scores_that_are_not_finite_are_absent(tmp_path):
    dataset = make(tmp_path / "set", ["One"], 2)
    row = {
        "frame_id": f"{0:016x}-0",
        "video_id": f"{0:016x}",
        "complexity": float("nan"),
        "complexity_scorer": "detail",
    }
    tables.write(tables.SCORES.rows([row]), dataset.part("scores", f"{0:016x}"))
    dataset.refresh()
    assert facts_of(write_report(dataset).path)["frames"]["scores"][0]["values"] == [None, None]


@pytest.mark.parametrize("name", ["page.txt", "page", "folder.html"])
def test_a_target_that_is_no_page_is_refused(tmp_path, name):
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(UsageError, match=re.escape(name)):
        write_report(create_dataset(tmp_path / "set"), tmp_path / name)


def test_the_page_names_files_from_their_common_folder(tmp_path):
    facts = facts_of(write_report(make(tmp_path / "set", ["One", "Two"], 1)).path)
    assert [video["path"] for video in facts["videos"]] == ["000 One.mkv", "001 Two.mkv"]


def test_the_command_says_what_it_wrote_and_how_decisions_come_back(tmp_path):
    folder = make(tmp_path / "a set", ["One"], 5).path
    command = [sys.executable, "-m", "apisr_data.cli", "report", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert f"wrote {folder / 'report.html'}" in result.stdout
    assert f"next: apisr-data select {shlex.quote(str(folder))} --overrides overrides.csv" in result.stdout


def test_the_command_names_what_a_dataset_without_frames_needs(tmp_path):
    folder = create_dataset(tmp_path / "set").path
    command = [sys.executable, "-m", "apisr_data.cli", "report", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert f"next: apisr-data extract VIDEOS... -d {folder}" in result.stdout
    assert "decisions" not in result.stdout


def test_a_reason_of_several_lines_makes_no_rule_of_its_own(tmp_path):
    dataset = make(tmp_path / "set", ["One"], 3)
    decisions = tmp_path / "mine.csv"
    decisions.write_text(f'frame_id,is_kept,reason\n{0:016x}-0,false,"one\nand more"\n{0:016x}-2,false,other\n')
    select(dataset, SELECT, overrides=decisions)
    rules = facts_of(write_report(dataset).path)["frames"]["rules"]
    assert [rule for rule in rules if rule.startswith("override")] == ["override"]


def test_a_table_damaged_in_its_middle_is_told(tmp_path):
    dataset = make(tmp_path / "set", ["One"], 5)
    part = dataset.part("thumbnails", f"{0:016x}")
    whole = part.read_bytes()
    part.write_bytes(whole[:100] + bytes(2000) + whole[2100:])
    with pytest.raises(DatasetError, match="a table is damaged"):
        write_report(dataset)
    assert not (tmp_path / "set" / "report.html").exists()
