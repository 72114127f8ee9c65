"""Weights of any maker -> safetensors of ours, or ONNX for other programs; kept only once their output is compared."""

import copy
import dataclasses
import importlib
import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from apisr_data.config import parse
from apisr_data.errors import UsageError
from apisr_model import architectures, checkpoint
from apisr_model.errors import MissingExtraError, WeightsError
from apisr_model.network import Network
from apisr_model.onnx_file import METADATA_KEY
from apisr_model.upscale.files import refuse_unwritable
from apisr_model.weights import resolve

SUFFIXES = (".safetensors", ".onnx")
_LARGEST_DIFFERENCE = 1e-3
_LARGEST_DIFFERENCE_OF_HALF = 1 / 64
_EXPORTED_PX = (24, 40)
_CHECKED_SIZES = ((1, 3, 40, 24), (2, 3, 37, 53), (1, 3, 3, 5))  # the last two fit no grid: the network pads them
_OPSET = 18
_PRINTS_GRAPH = "_jit_onnx_log"  # on a failure, thousands of lines to stdout, whatever `verbose` says


@dataclass(frozen=True)
class Converted:
    """What was written."""

    path: Path
    architecture: str
    scale: int
    difference: float
    """Largest difference from the original's output, of values in [0, 1], over the sizes tried."""
    licence: str | None
    """The weights' licence, where it is known; it holds for the converted file as well."""


def convert(
    weights: Path | str, out: Path, *, half: bool = False, opset: int | None = None, force: bool = False
) -> Converted:
    """Write the network of `weights`, a file or a zoo name, to `out` as its suffix says, .safetensors or .onnx.

    Both keep architecture, configuration, channel orders, source and licence. The ONNX file takes `rgb` (batch, 3,
    height, width) in [0, 1], of any batch and any sides that fit the network's grid, and gives `upscaled`; channels are
    in the order that the network is fed. `half` stores numbers in 16 bits. `out` is there only once its output was
    compared with the original's; `force` lets it take the place of another file.

    Raises:
        UsageError: `out` has another suffix, is the input or there already, or cannot be written.
        WeightsError: `weights` cannot be used or converted, or the result differs from it.
        MissingExtraError: the exporter is not installed.
    """
    path, entry = resolve(weights)
    suffix = out.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{out}: convert writes {' or '.join(SUFFIXES)}, not '{out.suffix}'")
    if out.is_dir() or (out.exists() and out.samefile(path)):
        raise UsageError(f"{out} is {'a folder' if out.is_dir() else 'the input'}: name another file")
    if out.exists() and not force:
        raise UsageError(f"{out} is there already: name another file, or --force overwrites it")
    refuse_unwritable(out.parent)
    network = checkpoint.load(path)
    if not isinstance(network.module, nn.Module):
        raise WeightsError(f"{path} is an ONNX file already; convert wants the weights that it was made from")
    source, licence = (entry.url, entry.licence) if entry else (path.name, None)
    about = {"source": source} | ({"licence": licence} if licence else {}) | _told(path)
    about["channel_order"] = network.channel_order
    if network.trained_order:
        about["trained_order"] = network.trained_order
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(f".{out.stem}.{os.getpid()}.part{suffix}")
    try:
        if suffix == ".onnx":
            _write_onnx(part, network, about, half=half, opset=opset)
        else:
            _write_safetensors(part, network, about, half=half)
        difference = _difference(network, checkpoint.load(part))
        limit = _LARGEST_DIFFERENCE_OF_HALF if half else _LARGEST_DIFFERENCE
        if not difference <= limit:
            raise WeightsError(
                f"{out} was not kept: its output differs from that of {path} by {difference:.2g} of 1, over {limit:.2g}"
            )
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return Converted(out, network.architecture, network.scale, difference, about.get("licence"))


def _told(path: Path) -> dict[str, str]:
    """What the file says of itself beside architecture and configuration, which are written anew."""
    metadata = checkpoint.read(path)[1]
    return {key: value for key, value in metadata.items() if key not in ("architecture", "config", "format")}


def _write_safetensors(path: Path, network: Network, about: dict[str, str], *, half: bool) -> None:
    assert isinstance(network.module, nn.Module)
    if network.architecture not in architectures.names():
        known = ", ".join(architectures.names())
        raise WeightsError(
            f"{network.origin} is {network.architecture}, opened by spandrel; only {known} become safetensors"
        )
    config = parse(architectures.get(network.architecture).config, dict(network.config), network.architecture)
    state = network.module.state_dict()
    if half:
        state = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    checkpoint.save(path, state, network.architecture, config, **about)


def _write_onnx(path: Path, network: Network, about: dict[str, str], *, half: bool, opset: int | None) -> None:
    assert isinstance(network.module, nn.Module)
    onnx = _exporter()
    dtype = torch.float16 if half else torch.float32
    module = copy.deepcopy(network.module).to(dtype)
    grid = network.multiple_of
    sides = [-(-side // grid) * grid for side in _EXPORTED_PX]
    free = {0: "batch", 2: "height", 3: "width"}
    try:
        with _silent_exporter(), torch.no_grad():
            torch.onnx.export(  # by tracing: torch.export takes 70 times as long for GRL, whose shapes it solves
                module,
                (torch.rand(2, 3, *sides, dtype=dtype),),
                path,
                dynamo=False,
                input_names=["rgb"],
                output_names=["upscaled"],
                dynamic_axes={"rgb": free, "upscaled": {axis: f"upscaled_{name}" for axis, name in free.items()}},
                opset_version=opset or _OPSET,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, ValueError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"{network.origin}: {network.architecture} cannot be exported to ONNX: {reason}") from None
    kept = ("architecture", "scale", "multiple_of", "smallest_px", "overlap_px")
    told = {field: getattr(network, field) for field in kept} | {"config": dict(network.config)} | about
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(told)})
    onnx.save(model, path)


def _difference(network: Network, converted: Network) -> float:
    """The largest difference of any value of their outputs for pictures of several sizes."""
    same = dataclasses.replace(network, device="cpu")
    numbers = torch.Generator().manual_seed(0)
    pictures = [torch.rand(shape, generator=numbers) for shape in _CHECKED_SIZES]
    return max((same(rgb) - converted(rgb)).abs().max().item() for rgb in pictures)


def _exporter() -> Any:
    """The package onnx, once what writing and comparing needs is known to be here."""
    try:
        importlib.import_module("onnxruntime")
        return importlib.import_module("onnx")
    except ImportError as error:
        raise MissingExtraError(f"writing ONNX needs {error.name}: pip install 'apisr[onnx]'") from None


@contextmanager
def _silent_exporter() -> Iterator[None]:
    """Keep what torch's exporter says of its own code, and of packages that it could use, from the terminal."""
    log = logging.getLogger("torch.onnx")
    level, print_graph = log.level, getattr(torch._C, _PRINTS_GRAPH, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log.setLevel(logging.ERROR)
        setattr(torch._C, _PRINTS_GRAPH, lambda *_: None)
        try:
            yield
        finally:
            log.setLevel(level)
            setattr(torch._C, _PRINTS_GRAPH, print_graph)
