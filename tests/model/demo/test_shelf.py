"""The weights that visitors choose from."""

import shutil
from pathlib import Path

import pytest

from apisr_data import cache
from apisr_data.errors import ApisrError
from apisr_model.demo.shelf import Shelf
from apisr_model.errors import WeightsError
from apisr_model.weights import ENTRIES


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APISR_CACHE", str(tmp_path / "cache"))


def test_given_files_come_first_without_their_place_and_the_zoo_follows(small_weights: Path) -> None:
    shelf = Shelf([str(small_weights)], device="cpu")
    names = list(shelf.choices)
    assert names[0] == shelf.default == "small.safetensors"
    assert set(names[1:]) == set(ENTRIES)
    assert shelf.choices["apisr-grl-x4"].label == "apisr-grl-x4 (not fetched)"
    assert "GPL-3.0-only" in shelf.choices["apisr-grl-x4"].licence


def test_files_of_one_name_are_numbered_and_one_given_twice_is_one(small_weights: Path, tmp_path: Path) -> None:
    other = str(shutil.copy(small_weights, tmp_path))
    shelf = Shelf([str(small_weights), other, other], device="cpu")
    assert list(shelf.choices)[:2] == ["small.safetensors", "small.safetensors (2)"]
    assert [choice.path for choice in shelf.choices.values()][1:3] == [Path(other), None]


def test_what_is_fetched_while_the_page_is_open_is_found(small_weights: Path) -> None:
    shelf = Shelf(device="cpu")
    assert shelf.default is None
    entry = ENTRIES["realesr-animevideov3"]
    with pytest.raises(WeightsError, match="apisr-model weights fetch realesr-animevideov3"):
        shelf.network(entry.name)
    cache.folder().mkdir()
    shutil.copy(small_weights, cache.folder() / entry.file)
    assert shelf.choices[entry.name].is_here
    with pytest.raises(ApisrError, match=r"SHA-256"):  # it is not what its authors published
        shelf.network(entry.name)


def test_two_networks_are_kept_the_last_used(small_weights: Path, tmp_path: Path) -> None:
    paths = [Path(shutil.copy(small_weights, tmp_path / f"{name}.safetensors")) for name in "abc"]
    shelf = Shelf(list(map(str, paths)), device="cpu")
    a, b, c = list(shelf.choices)[:3]
    last = shelf.network(c)
    shelf.network(a)
    assert shelf.network(c) is last
    shelf.network(b)
    assert shelf.network(c) is last
    first = shelf.network(a)
    assert shelf.network(a) is first


def test_a_name_that_is_not_on_the_list_is_refused() -> None:
    with pytest.raises(WeightsError, match="choose one of the list"):
        Shelf().network("/etc/passwd")


def test_damaged_weights_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match=r"bad\.safetensors"):
        Shelf([str(tmp_path / "bad.safetensors")])
