"""`apisr-model weights`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from apisr_data import cache
from apisr_data.errors import FetchError, UsageError
from apisr_model import weights
from apisr_model.cli import app

RUN = CliRunner()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("APISR_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def downloads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was downloaded, without a network."""
    urls: list[str] = []

    def fetch(url: str, name: str, *, progress: cache.Progress, **_: object) -> Path:
        if "DAT" in name:
            raise FetchError(f"{name} cannot be fetched")
        urls.append(url)
        progress(1, 3)
        progress(3, 3)
        (folder / name).write_bytes(b"abc")
        return folder / name

    monkeypatch.setattr(cache, "fetch", fetch)
    return urls


def test_the_list_tells_what_is_here(folder: Path) -> None:
    (folder / "realesr-animevideov3.pth").write_bytes(bytes(2_500_000))
    rows = {row["name"]: row for row in json.loads(RUN.invoke(app, ["weights", "list", "--json"]).stdout)}
    assert set(weights.ENTRIES) <= set(rows)
    assert rows["realesr-animevideov3"]["here"] == "2.5 MB"
    assert rows["apisr-grl-x4"] == {
        "name": "apisr-grl-x4",
        "for": "upscaling",
        "architecture": "grl",
        "scale": 4,
        "licence": "GPL-3.0-only",
        "here": None,
        "file": "4x_APISR_GRL_GAN_generator.pth",
    }


def test_names_stay_whole_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = RUN.invoke(app, ["weights", "list"]).stdout.splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == [*weights.packaged(), *weights.ENTRIES, *weights.FOR_TRAINING]


def test_what_is_for_training_is_listed_apart_and_fetched_by_name(downloads: list[str], folder: Path) -> None:
    rows = json.loads(RUN.invoke(app, ["weights", "list", "--json"]).stdout)
    assert {row["name"] for row in rows if row["for"] == "training"} == {"vgg19", "danbooru-resnet50"}
    result = RUN.invoke(app, ["weights", "fetch", "danbooru-resnet50"])
    assert result.exit_code == 0
    assert "licence MIT; " in result.stderr
    assert f"{folder / 'resnet50-13306192.pth'}" in result.stdout
    assert "next: apisr-model train MANIFEST" in result.stdout


def test_fetch_shows_the_licence_and_where_the_file_lies(downloads: list[str], folder: Path) -> None:
    result = RUN.invoke(app, ["weights", "fetch", "apisr-rrdb-x2"])
    assert result.exit_code == 0
    assert downloads == [weights.ENTRIES["apisr-rrdb-x2"].url]
    assert "licence GPL-3.0-only" in result.stderr
    assert f"{folder / '2x_APISR_RRDB_GAN_generator.pth'}" in result.stdout
    assert "next: apisr-model upscale PICTURE --weights apisr-rrdb-x2" in result.stdout


def test_one_failure_leaves_the_others_fetched(downloads: list[str]) -> None:
    result = RUN.invoke(app, ["weights", "fetch", "--all"])
    assert result.exit_code == 1
    assert len(downloads) == len(weights.ENTRIES) - 1
    assert "failed: 4x_APISR_DAT_GAN_generator.pth cannot be fetched" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["--all", "apisr-rrdb-x2"], ["no-such"]])
def test_wrong_use_downloads_nothing(downloads: list[str], arguments: list[str]) -> None:
    result = RUN.invoke(app, ["weights", "fetch", *arguments])
    assert isinstance(result.exception, UsageError)
    assert downloads == []
