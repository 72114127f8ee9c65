"""`apisr-model doctor`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from apisr_model.cli import app

RUN = CliRunner()


def test_a_machine_that_lacks_things_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APISR_CACHE", str(tmp_path))
    result = RUN.invoke(app, ["doctor"])
    assert result.exit_code == 0
    assert "+ torch" in result.stdout
    assert "next: " in result.stdout


def test_json_is_one_object_a_check() -> None:
    found = json.loads(RUN.invoke(app, ["doctor", "--json"]).stdout)
    assert {"name", "is_ok", "found", "remedy"} == set(found[0])
    assert "torch" in {check["name"] for check in found}
