"""What this machine has for upscaling and training, what it lacks, and the command that helps."""

import errno
import importlib.metadata
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from apisr_data import cache
from apisr_model import weights

_LEAST_FREE_GB = 1
_LIBGL = "install libGL (Debian, Ubuntu: sudo apt install libgl1; Fedora: sudo dnf install mesa-libGL)"
_MODEL = "pip install 'apisr[model]'"
_REQUIREMENT = re.compile(r"""([\w.-]+)[^;]*; extra == ["']([\w-]+)["']""")
_OURS_ALONE = ("dev",)  # extras that serve no user


@dataclass(frozen=True)
class Check:
    """One fact about this machine: what was looked for, whether it is here, what was found, and what would help."""

    name: str
    is_ok: bool
    found: str
    remedy: str = ""
    """The command or the deed that mends it; empty where nothing is amiss or nothing can be done."""


def examine() -> Iterator[Check]:
    """The facts one after another; none of them raises, whatever is missing."""
    yield Check("python", True, f"{platform.python_version()} on {platform.platform()}")
    yield from _torch()
    yield _opencv()
    yield from _encoders()
    yield _weights()
    yield from _extras()
    yield _disk()


def _torch() -> Iterator[Check]:
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Check("torch", False, f"cannot be loaded: {error}", _MODEL)
        return
    yield Check("torch", True, torch.__version__)
    has = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}  # older torch does not tell
    sets = [name for name in ("avx512_bf16", "amx_bf16") if has.get(name)]
    yield Check(
        "cpu",
        True,
        f"{torch.get_num_threads()} threads of {os.cpu_count()}, "
        + ", ".join([torch.backends.cpu.get_cpu_capability(), *sets]),
    )
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            card = torch.cuda.get_device_properties(number)
            has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
            precision = "bf16" if has_bf16 else "fp16, no bf16"
            yield Check(f"cuda:{number}", True, f"{card.name}, {card.total_memory / 2**30:.1f} GiB, {precision}")
    elif torch.version.cuda:
        yield Check("cuda", False, "torch has CUDA, but it finds no card it can use", "update the NVIDIA driver")
    elif shutil.which("nvidia-smi"):
        remedy = "install torch with CUDA: the README has the line"
        yield Check("cuda", False, "there is an NVIDIA driver, but torch is installed without CUDA", remedy)
    else:
        yield Check("cuda", False, "no NVIDIA driver")
    if sys.platform == "darwin":
        has_mps = torch.backends.mps.is_available()
        yield Check("mps", has_mps, "Apple's GPU" if has_mps else "torch finds no Apple GPU")


def _opencv() -> Check:
    try:
        import cv2
    except (ImportError, OSError) as error:
        return Check(
            "opencv",
            False,
            f"cannot be loaded: {error}",
            _LIBGL if "libGL" in str(error) else "pip install opencv-python",
        )
    return Check("opencv", True, cv2.__version__)


def _encoders() -> Iterator[Check]:
    """Each is really opened: that libav was built with one does not mean that its hardware is here."""
    try:
        from apisr_model.upscale.video import encoders
    except (ImportError, OSError) as error:
        yield Check("encoders", False, f"PyAV cannot be loaded: {error}", "pip install av")
        return
    for encoder in encoders.available():
        yield Check(f"encoder {encoder.name}", encoder.reason is None, encoder.reason or f"encodes {encoder.codec}")


def _weights() -> Check:
    fetched = [name for name, entry in weights.ENTRIES.items() if cache.find(entry.file)]
    here = [*weights.packaged(), *fetched]
    if not here:
        return Check(
            "weights", False, f"none in {cache.folder()}", f"apisr-model weights fetch {next(iter(weights.ENTRIES))}"
        )
    return Check("weights", True, f"{', '.join(here)}; default: {weights.default()}")


def _extras() -> Iterator[Check]:
    """Of each optional extra which packages are installed."""
    for extra, packages in _extra_packages().items():
        versions = {package: _version(package) for package in packages}
        missing = [package for package, version in versions.items() if version is None]
        here = ", ".join(f"{package} {version}" for package, version in versions.items() if version)
        found = f"{', '.join(missing)} not installed" if missing else here
        yield Check(f"extra {extra}", not missing, found, f"pip install 'apisr[{extra}]'" if missing else "")


def _extra_packages() -> dict[str, list[str]]:
    """What the distribution says that each of its extras needs."""
    extras: dict[str, list[str]] = {}
    for requirement in importlib.metadata.requires("apisr") or []:
        match = _REQUIREMENT.fullmatch(requirement)
        if match and match[2] not in _OURS_ALONE:
            extras.setdefault(match[2], []).append(match[1])
    return extras


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _disk() -> Check:
    folder: Path = cache.folder()
    remedy = "name another folder with APISR_CACHE"
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
        free_gb = shutil.disk_usage(there).free / 1e9
        if folder.exists() and not os.access(folder, os.R_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        return Check("disk", False, f"{folder} cannot be read: {error.strerror}", remedy)
    is_full = free_gb < _LEAST_FREE_GB
    return Check(
        "disk", not is_full, f"{free_gb:.1f} GB free for {folder}", f"free some, or {remedy}" if is_full else ""
    )
