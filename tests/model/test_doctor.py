"""What the machine has, told without raising whatever is missing."""

import importlib.metadata
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import torch

from apisr_model import doctor, weights
from apisr_model.doctor import Check, examine


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("APISR_CACHE", str(tmp_path / "not" / "there"))
    monkeypatch.setattr(weights, "packaged", dict)
    return tmp_path / "not" / "there"


def checks() -> dict[str, Check]:
    return {check.name: check for check in examine()}


def test_what_this_test_uses_is_here() -> None:
    found = checks()
    assert found["torch"] == Check("torch", True, torch.__version__)
    assert found["opencv"].is_ok
    assert found["extra model"].is_ok
    assert found["encoder libx264"].is_ok


def test_every_absence_that_can_be_mended_tells_how() -> None:
    for name, check in checks().items():
        if name.startswith("extra") and not check.is_ok:
            assert check.remedy.startswith("pip install 'apisr[")
        assert check.found
        assert not (check.is_ok and check.remedy)


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="here is a card")
def test_a_hardware_encoder_without_its_hardware_says_why_not() -> None:
    check = checks().get("encoder h264_nvenc")
    if check is None:
        pytest.skip("libav without nvenc")
    assert not check.is_ok
    assert "cuda" in check.found.lower()


def test_weights_are_told_by_name(cache: Path) -> None:
    assert checks()["weights"].remedy == "apisr-model weights fetch apisr-grl-x4"
    cache.mkdir(parents=True)
    (cache / "2x_APISR_RRDB_GAN_generator.pth").write_bytes(b"x")
    found = checks()["weights"]
    assert found.is_ok
    assert found.found.startswith("apisr-rrdb-x2; default: ")


@pytest.mark.parametrize(
    ("module", "name", "remedy"),
    [("torch", "torch", "apisr[model]"), ("cv2", "opencv", "opencv-python"), ("av", "encoders", "pip install av")],
)
def test_a_package_that_cannot_be_loaded_is_a_check_that_failed(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str, remedy: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "apisr_model.upscale.video.encoders", raising=False)
    monkeypatch.delattr("apisr_model.upscale.video.encoders", raising=False)
    found = checks()
    assert not found[name].is_ok
    assert remedy in found[name].remedy


def test_extras_are_those_of_the_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [
        "numpy>=2",
        "no-such>=1; extra == 'a'",
        'torch>=2; extra == "b"',
        "pytest; extra == 'dev'",
        "apisr[b]; extra == 'dev'",
    ]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: told)
    found = {name: check for name, check in checks().items() if name.startswith("extra")}
    assert found == {
        "extra a": Check("extra a", False, "no-such not installed", "pip install 'apisr[a]'"),
        "extra b": Check("extra b", True, f"torch {importlib.metadata.version('torch')}"),
    }


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage(10**12, 10**12, 5 * 10**8))
    check = checks()["disk"]
    assert not check.is_ok
    assert check.found.startswith("0.5 GB free")
    assert "APISR_CACHE" in check.remedy


def test_a_card_is_told_with_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    card = namedtuple("card", "name total_memory")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: card("RTX", 24 * 2**30))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    found = {check.name: check for check in doctor._torch()}
    assert found["cuda:0"].found == "RTX, 24.0 GiB, bf16"


def test_a_cache_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APISR_CACHE", "x" * 300)  # longer than a file system takes, which not even root can read
    checks = {check.name: check for check in examine()}
    assert not checks["disk"].is_ok
    assert "cannot be read: File name too long" in checks["disk"].found
    assert not checks["weights"].is_ok
