"""Files of weights, read without running anything that they hold, and written whole or not at all."""

import json
import os
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from apisr_model.architectures import Config, State
from apisr_model.errors import WeightsError

_WRAPPERS = (
    "params_ema",
    "params",
    "model_state_dict",
    "state_dict",
    "model_ema",
    "ema",
    "generator",
    "net_g",
    "model",
    "weights",
)
"""Keys under which trainers put a network's state; where there are several, the first of these is taken."""
_PREFIXES = ("module.", "net_g.", "generator.")
_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""What files of torch before 1.6 start with."""
_SAFETENSORS = re.compile(rb".{8}\{", re.DOTALL)
"""A header's length and its first character."""
_NUMPY_SCALAR: Any = np.float64().__reduce__()[0]
_HARMLESS = [
    _NUMPY_SCALAR,
    (_NUMPY_SCALAR, "numpy.core.multiarray.scalar"),  # its name before NumPy 2
    np.dtype,
    np.dtypes.Float64DType,
    np.dtypes.Float32DType,
    np.dtypes.Int64DType,
]
"""What a loss or a step that was NumPy's needs beside tensors; none of it runs anything."""
_OTHERS = (
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the weights it stands for: run `git lfs pull`, or download it",
    ),
    (b"7767517", "an ncnn network's description; its PyTorch or ONNX original is needed"),
    (b"\x89HDF", "an HDF5 file (Keras or TensorFlow)"),
    (b"\x1f\x8b", "a gzip archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"7z\xbc\xaf", "a 7-Zip archive: unpack it first"),
    (b"GGUF", "a GGUF file"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x1aE\xdf\xa3", "a Matroska video"),
)


def read(path: Path) -> tuple[State, Mapping[str, str]]:
    """The network's state in a file and the file's metadata; the file's content decides its kind, not its name.

    PyTorch's files, of which nothing but tensors and plain values is ever loaded, and safetensors. Trainers' wrappings
    (`params_ema`, `model_state_dict` and so on) and prefixes (`module.`, `_orig_mod.`) are taken off. Tensors are on
    the CPU, and those of less precision are widened to float32.

    Raises:
        WeightsError: the file is absent, damaged or something else; the message says what it is.
    """
    try:
        with path.open("rb") as file:
            head = file.read(1024)
        content, metadata = _content(path, head)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror or error}") from None
    return _state(content, path), metadata


def refuse_other(path: Path) -> None:
    """See that a file named as ONNX, which says little about itself, is none of the things that one meets in its place.

    Raises:
        WeightsError: it is absent, or something else; the message says what.
    """
    try:
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror or error}") from None
    if known := _known(head):
        raise WeightsError(f"{path}: {known}")


def save(path: Path, source: nn.Module | State, /, architecture: str, config: Config, **metadata: Any) -> None:
    """Write `source` as safetensors with what is needed to build it again; `path` is whole at every moment.

    `metadata`, such as channel_order, is kept as text: a string as it is, anything else as JSON. Wrappers that compile
    or distribute the module leave no trace in the keys.
    """
    state = source.state_dict() if isinstance(source, nn.Module) else source
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in _bare(state).items()}
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
    texts |= {"architecture": architecture, "config": config.model_dump_json()}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(safetensors.torch.save(tensors, texts))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _content(path: Path, head: bytes) -> tuple[Any, Mapping[str, str]]:
    """What the file holds, wrapped as its maker left it."""
    if head.startswith(b"PK\x03\x04"):
        return _read_zip(path), {}
    if head.startswith(_LEGACY):
        return _unpickle(path), {}
    if _SAFETENSORS.match(head) or path.suffix.lower() == ".safetensors":
        return _read_safetensors(path, head)
    raise WeightsError(f"{path}: {_what(path, head)}")


def _read_zip(path: Path) -> Any:
    """PyTorch's own format since 1.6 is a zip archive; so are other things."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        raise WeightsError(f"{path}: is cut short or damaged: {_size(path)}; download it again") from None
    if any(name.endswith("/constants.pkl") for name in names):
        raise WeightsError(f"{path}: is a TorchScript program, not weights, and programs are not run; ask for its .pth")
    if not any(name.endswith("/data.pkl") for name in names):
        raise WeightsError(f"{path}: is a zip archive of {', '.join(names[:3])}, not weights: unpack it first")
    return _unpickle(path)


def _unpickle(path: Path) -> Any:
    try:
        # given the path in place of the file, torch would go by its suffix
        with path.open("rb") as file, torch.serialization.safe_globals(_HARMLESS):
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        refused = re.search(r"(?:GLOBAL|type|global) `?([\w.]+\.[\w.]+)", str(error))
        what = f" ({refused[1]})" if refused else ""
        raise WeightsError(
            f"{path}: holds Python objects besides weights{what}, and these could run anything: nothing was loaded. "
            "If you trust it, save its state_dict alone, or ask its author for safetensors"
        ) from None
    except (RuntimeError, EOFError, ValueError, TypeError, LookupError, AttributeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise WeightsError(f"{path}: is cut short or damaged: {_size(path)}; torch says: {reason}") from None


def _read_safetensors(path: Path, head: bytes) -> tuple[State, Mapping[str, str]]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        if _SAFETENSORS.match(head):
            raise WeightsError(f"{path}: safetensors, cut short or damaged: {_size(path)}; {error}") from None
        raise WeightsError(f"{path}: {_what(path, head)}") from None


def _what(path: Path, head: bytes) -> str:
    """What a file is that holds no weights we read."""
    if known := _known(head):
        return known
    if re.match(rb"\x08[\x01-\x20][\x12\x1a\x22\x3a\x42]", head):
        return f"is an ONNX file: rename it to {path.stem}.onnx"
    if head.startswith((b"\x80", b"(")):
        return "is a Python pickle that torch did not write; such a file could run anything and is not opened"
    return f"is neither PyTorch's nor safetensors: {_size(path)}, starting with {head[:12]!r}"


def _known(head: bytes) -> str | None:
    """What a file is that is nobody's weights, where its beginning tells."""
    if not head:
        return "is empty"
    for start, kind in _OTHERS:
        if head.startswith(start):
            return f"is {kind}"
    if re.match(rb"\s*<(!doctype|html|\?xml|head|!--)", head.removeprefix(b"\xef\xbb\xbf"), re.IGNORECASE):
        return "is a web page, not weights: open its address in a browser and download what it points to"
    return None


def _state(content: Any, path: Path) -> dict[str, Tensor]:
    while isinstance(content, Mapping):
        wrapped = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if wrapped is None:
            break
        content = wrapped
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path}: holds one {type(content).__name__}, not a network's weights by name")
    state = _bare({str(key): value for key, value in content.items() if isinstance(value, Tensor)})
    if not state:
        keys = ", ".join(str(key) for key in list(content)[:5]) or "none"
        raise WeightsError(f"{path}: holds no weights; its keys are: {keys}")
    return {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in state.items()}


def _bare(state: State) -> State:
    """Without the marks that compiling, distributing and averaging leave."""
    state = {key.replace("_orig_mod.", ""): tensor for key, tensor in state.items() if key != "n_averaged"}
    for prefix in _PREFIXES:
        if state and all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    return state


def _size(path: Path) -> str:
    return f"{path.stat().st_size:,} bytes"
