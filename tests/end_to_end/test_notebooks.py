"""The notebooks run from top to bottom in a clean folder; those in the repository keep their pictures and no noise."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from notebooks.run import execute

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MACHINE_PATH = re.compile(r"(?<![\w.])/(home|root|tmp|work|usr|mnt|var|Users|private)/|[A-Z]:\\\\|site-packages")


def outputs(content: NotebookNode) -> list[NotebookNode]:
    return [output for cell in content.cells if cell.cell_type == "code" for output in cell.outputs]


def pictures(content: NotebookNode) -> list[str]:
    kinds = ("image/png", "image/jpeg")
    return [output.data[kind] for output in outputs(content) for kind in kinds if kind in output.get("data", {})]


def test_there_are_the_four_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        "compare_models",
        "explore_manifest",
        "lines_and_losses",
        "see_degradations",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_kept_has_pictures_and_no_noise(path: Path) -> None:
    content = nbformat.read(path, as_version=4)
    nbformat.validate(content)
    assert len(pictures(content)) >= 2
    assert not [
        output for output in outputs(content) if output.output_type == "error" or output.get("name") == "stderr"
    ]
    assert all(cell.execution_count is None for cell in content.cells if cell.cell_type == "code")
    assert all(not cell.metadata for cell in content.cells)
    assert content.metadata.keys() == {"kernelspec"}
    told = [
        {**output, "data": {k: v for k, v in output.get("data", {}).items() if k[:5] != "image"}}
        for output in outputs(content)
    ]
    assert not MACHINE_PATH.search(json.dumps(told))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_is_defined_that_belongs_in_a_package(path: Path) -> None:
    code = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert not re.findall(r"^\s*(?:def|class) \w+", "\n".join(code), flags=re.M)


def test_kept_pictures_are_small() -> None:
    assert sum(path.stat().st_size for path in NOTEBOOKS) < 900_000
    largest = max(len(picture) for path in NOTEBOOKS for picture in pictures(nbformat.read(path, as_version=4)))
    assert largest * 3 / 4 < 64_000  # bytes; base64 is a third longer


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_in_a_clean_checkout(path: Path, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APISR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("APISR_OFFLINE", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # beside other work, threads that wait for each other take longer
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    (tmp_path / "samples").symlink_to(sample.parent)
    (tmp_path / "notebooks").mkdir()
    content = execute(path, tmp_path / "notebooks")
    kept = nbformat.read(path, as_version=4)
    assert len(pictures(content)) == len(pictures(kept))
    assert not [output for output in outputs(content) if output.get("name") == "stderr"]
    assert not list((tmp_path / "notebooks").iterdir())  # what it makes goes to demo/
