"""What is installed is what is here."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_package_is_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    here = {".".join(f.parent.relative_to(ROOT).parts) for f in ROOT.glob("apisr_*/**/__init__.py")}
    assert set(project["tool"]["setuptools"]["packages"]) == here | {"apisr_data.pipelines"}
