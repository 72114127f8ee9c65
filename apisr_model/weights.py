"""The zoo: published networks by name, with their address, licence and colour order; and where weights are found.

Weights are looked for as a path, then in the cache (`apisr_data.cache`), where they lie under their published file
names; what is not there is fetched from its authors' release page. Weights of our own travel inside the package.
"""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from apisr_data import cache
from apisr_model.errors import WeightsError

if TYPE_CHECKING:  # torch stays out of a mere list
    from apisr_model.network import ChannelOrder

_APISR = "https://github.com/Kiteretsu77/APISR/releases/download"
_REAL_ESRGAN = "https://github.com/xinntao/Real-ESRGAN/releases/download"
_SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".onnx")


@dataclass(frozen=True)
class Published:
    """A file of weights on its authors' page.

    Attributes:
        name: what the command line calls it.
        file: its published name, which it keeps in the cache.
        url: where its authors publish it.
        licence: SPDX identifier.
        sha256: the file's sum, hex; None where no source for it could be trusted: the first download's then holds.
        about: one sentence.
    """

    name: str
    file: str
    url: str
    licence: str
    sha256: str | None
    about: str


@dataclass(frozen=True)
class Entry(Published):
    """A network that upscales; its file's name, with or without the suffix, does for its name.

    Attributes:
        architecture: grl, rrdb, compact, or what spandrel calls it.
        scale: output side over input side.
        channel_order: what the authors' own inference feeds it, as their published pictures show.
        trained_order: what it was trained on.
    """

    architecture: str
    scale: int
    channel_order: "ChannelOrder"
    trained_order: "ChannelOrder"


def _apisr(name: str, release: str, file: str, architecture: str, about: str) -> Entry:
    url, scale = f"{_APISR}/{release}/{file}", int(file[0])
    return Entry(name, file, url, "GPL-3.0-only", None, about, architecture, scale, "rgb", "bgr")


def _real_esrgan(name: str, release: str, file: str, architecture: str, sha256: str, about: str) -> Entry:
    url = f"{_REAL_ESRGAN}/{release}/{file}"
    return Entry(name, file, url, "BSD-3-Clause", sha256, about, architecture, 4, "rgb", "rgb")


# Source of names and addresses: docs/model_zoo.md and app.py of APISR; docs/model_zoo.md of Real-ESRGAN. Neither
# publishes sums; Real-ESRGAN's are those that several independent projects pin.
_ZOO = (
    _apisr("apisr-grl-x4", "v0.1.0", "4x_APISR_GRL_GAN_generator.pth", "grl", "the paper's network"),
    _apisr("apisr-rrdb-x4", "v0.2.0", "4x_APISR_RRDB_GAN_generator.pth", "rrdb", "faster than GRL; may tint colours"),
    _apisr("apisr-rrdb-x2", "v0.1.0", "2x_APISR_RRDB_GAN_generator.pth", "rrdb", "the authors' only 2x network"),
    _real_esrgan(
        "realesr-animevideov3",
        "v0.2.5.0",
        "realesr-animevideov3.pth",
        "compact",
        "b8a8376811077954d82ca3fcf476f1ac3da3e8a68a4f4d71363008000a18b75d",
        "small and fast, made for video",
    ),
    _real_esrgan(
        "realesrgan-anime-6b",
        "v0.2.2.4",
        "RealESRGAN_x4plus_anime_6B.pth",
        "rrdb",
        "f872d837d3c90ed2e05227bed711af5671a6fd1c9f7d7e91c911a61f155e99da",
        "made for illustrations",
    ),
    _apisr(
        "apisr-dat-x4",
        "v0.3.0",
        "4x_APISR_DAT_GAN_generator.pth",
        "DAT",
        "the authors' favourite, slow; opened by spandrel: pip install 'apisr[zoo]'",
    ),
)
ENTRIES: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in _ZOO})
"""The zoo by name, in the order in which `default` prefers what has been fetched."""

VGG19 = Published(
    "vgg19",
    "vgg19-dcbb9e9d.pth",
    "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
    "BSD-3-Clause",
    "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
    "torchvision's; learned from ImageNet, whose own terms may matter",
)
RESNET50 = Published(
    "danbooru-resnet50",
    "resnet50-13306192.pth",
    "https://github.com/RF5/danbooru-pretrained/releases/download/v0.1/resnet50-13306192.pth",
    "MIT",
    None,  # nobody publishes it in full
    "M. Baas's tagger of drawings; M. Baas is to be credited",
)
FOR_TRAINING: Mapping[str, Published] = MappingProxyType({published.name: published for published in (VGG19, RESNET50)})
"""What the perceptual loss looks at pictures with, by name; these upscale nothing."""


def resolve(
    weights: Path | str | None, *, offline: bool = False, progress: cache.Progress | None = None
) -> tuple[Path, Entry | None]:
    """The file that `weights` means, and its zoo entry where the name of the file is one's.

    A path that exists is taken as it is; else it is a zoo name, fetched where it is not in the cache, or a file's name
    in the cache; None is `default()`. `APISR_OFFLINE=1` in the environment forbids fetching as `offline` does.

    Raises:
        WeightsError: a folder, a path to nothing, or an unknown name; or None and there are no weights here.
        FetchError: a zoo file is not here and cannot be had.
    """
    if weights is None:
        weights = default()
        if weights is None:
            raise WeightsError(_no_weights())
        if entry := _by_file(weights.name):
            return fetch(entry, offline=offline, progress=progress), entry  # it is there; its sum is looked at
    path = Path(weights)
    if path.is_dir():
        raise WeightsError(f"{path} is a folder, not a file of weights")
    if path.is_file():
        return path, _by_file(path.name)
    name = str(weights)
    found = packaged().get(name) or (cache.find(name) if path.name == name and not _by_file(name) else None)
    if found:
        return found, None
    entry = get(name)
    return fetch(entry, offline=offline, progress=progress), entry


def get(name: str) -> Entry:
    """The zoo's entry of that name, or whose file has that name.

    Raises:
        WeightsError: there is none; the message names those there are, or says that the file is not there.
    """
    entry = ENTRIES.get(name.casefold()) or _by_file(name)
    if entry is None:
        raise WeightsError(_unknown(Path(name), name))
    return entry


def fetch(entry: Published, *, offline: bool = False, progress: cache.Progress | None = None) -> Path:
    """The entry's file in the cache, downloaded where it is not there.

    Raises:
        FetchError: it is not there and cannot be had, or it is not what its sum says.
    """
    return cache.fetch(entry.url, entry.file, sha256=entry.sha256, offline=offline or is_offline(), progress=progress)


def is_offline() -> bool:
    """Whether the environment forbids fetching: `APISR_OFFLINE=1`."""
    return os.environ.get("APISR_OFFLINE", "") not in ("", "0")


def packaged() -> dict[str, Path]:
    """The weights inside this package, apisr_model/shipped/*.safetensors, by the file's name without its suffix."""
    folder = resources.files("apisr_model") / "shipped"
    files = sorted(folder.iterdir(), key=lambda file: file.name) if folder.is_dir() else []
    return {Path(str(f)).stem: Path(str(f)) for f in files if f.name.endswith(".safetensors")}


def default() -> Path | None:
    """What is used where none is named: the first packaged, else the first of `ENTRIES` in the cache, else None."""
    fetched = (cache.find(entry.file) for entry in ENTRIES.values())
    return next(iter(packaged().values()), None) or next((path for path in fetched if path), None)


def _by_file(name: str) -> Entry | None:
    """The entry whose file has that name, given with or without the suffix."""
    return next((e for e in ENTRIES.values() if name in (e.file, Path(e.file).stem)), None)


def _no_weights() -> str:
    return (
        f"no weights are here: fetch some (apisr-model weights fetch {next(iter(ENTRIES))}; `apisr-model weights list` "
        "shows which) or train your own (apisr-model train MANIFEST), then name the file with --weights"
    )


def _unknown(path: Path, name: str) -> str:
    if len(path.parts) > 1 or name.endswith(_SUFFIXES):
        entry = _by_file(path.name)
        return f"there is no file {path}" + (f"; the zoo has it: --weights {entry.name}" if entry else "")
    known = [*packaged(), *ENTRIES]
    near = difflib.get_close_matches(name.casefold(), known, n=2)
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    return f"no weights '{name}'{hint}: neither a file nor a name of the zoo, which has {', '.join(known)}"
