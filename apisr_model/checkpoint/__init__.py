"""Weights on disk, whoever made them -> a network ready for use; and networks of ours to disk."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from apisr_data.config import parse
from apisr_data.errors import ConfigError
from apisr_model import architectures
from apisr_model.architectures import Architecture, Config, State
from apisr_model.checkpoint._spandrel import open_with_spandrel
from apisr_model.checkpoint.files import read, refuse_other, save
from apisr_model.checkpoint.placement import Precision, devices, find_device, find_dtype
from apisr_model.errors import DeviceError, WeightsError
from apisr_model.network import ChannelOrder, Network
from apisr_model.onnx_file import open_onnx
from apisr_model.weights import Entry, resolve

__all__ = ["Precision", "channel_orders", "devices", "find_device", "find_dtype", "load", "read", "save"]

_SHOWN = 4
"""Entries that a message names."""


def load(
    weights: Path | str | None,
    device: str = "cpu",
    *,
    precision: Precision = "auto",
    channel_order: ChannelOrder | Literal["published", "trained"] | None = None,
) -> Network:
    """The network in a file, or of that name in the zoo; None is the one that `weights.default` chooses.

    APISR's, BasicSR's, neosr's, traiNNer's and our own files, `.onnx` files, and with the zoo extra whatever spandrel
    knows. `device` may be auto. A precision of auto is float32 but for CUDA, where it is bfloat16 or float16. The
    channel order is the file's or the zoo's unless given: published is what its authors feed the network, trained what
    it learned from, which the zoo knows of its files, and ours tell.

    Raises:
        WeightsError: the weights are absent, damaged, incomplete, or of no architecture that is known here; the message
            says what the file holds. Or the order asked for is the trained one, and nothing tells it.
        DeviceError: the device or the precision is not to be had here.
        FetchError: a network of the zoo is not here and cannot be fetched.
    """
    path, entry = resolve(weights)
    if path.suffix.lower() == ".onnx":
        if precision not in ("auto", "fp32"):
            raise DeviceError(f"{path}: an ONNX file computes in the precision it was written in, not in {precision}")
        refuse_other(path)
        network = open_onnx(path, device)
        published, trained = network.channel_order, network.trained_order
    else:
        state, metadata = read(path)
        network = _open(state, metadata, path, find_device(device), precision)
        published, trained = channel_orders(metadata, entry)
    named = {"published": published, "trained": trained}
    order = named[channel_order or "published"] if channel_order not in ("rgb", "bgr") else channel_order
    if order is None:
        raise WeightsError(
            f"{path}: nothing tells the channel order that it was trained in: neither does it, nor does the zoo know a "
            "file of this name; leave out --channel-order trained"
        )
    return dataclasses.replace(network, channel_order=order, trained_order=trained, origin=str(weights or path))


def channel_orders(metadata: Mapping[str, str], entry: Entry | None) -> tuple[ChannelOrder, ChannelOrder | None]:
    """What a network's authors feed it, RGB where nobody says, and what it was trained on, where that is known."""
    published = metadata.get("channel_order") or (entry.channel_order if entry else None)
    trained = metadata.get("trained_order") or (entry.trained_order if entry else None)
    return _order(published) or "rgb", _order(trained)


def _open(state: State, metadata: Mapping[str, str], path: Path, device: str, precision: Precision) -> Network:
    try:
        known = _told(metadata) or architectures.detect(state)
    except (WeightsError, ConfigError) as error:
        raise WeightsError(f"{path}: {error}") from None
    if known is None:
        try:
            return open_with_spandrel(state, path, device, precision)
        except WeightsError as error:
            raise WeightsError(f"{path}: {_unknown(state)}; {error}") from None
    architecture, config = known
    module = _filled(architecture, config, architecture.rename(state), path)
    return Network(
        module.to(device, memory_format=torch.channels_last),  # type: ignore[call-overload]
        architecture.name,
        config.scale,
        config.model_dump(),
        device=device,
        dtype=find_dtype(precision, device),
        multiple_of=architecture.multiple_of(config),
        overlap_px=architecture.overlap_px(config),
    )


def _told(metadata: Mapping[str, str]) -> tuple[Architecture, Config] | None:
    """The architecture and configuration that our own files name; other trainers use the same two words otherwise."""
    name = metadata.get("architecture")
    try:
        config = json.loads(metadata.get("config", ""))
    except json.JSONDecodeError:
        return None
    if name not in architectures.names() or not config or not isinstance(config, dict):
        return None
    architecture = architectures.get(name)
    return architecture, parse(architecture.config, config, f"{name} configuration")


def _filled(architecture: Architecture, config: Config, state: State, path: Path) -> nn.Module:
    """The module with exactly these weights, for inference."""
    module = architecture.build(config)
    wanted = module.state_dict()
    faults = {
        "lacks": [key for key in wanted if key not in state],
        "has besides": [key for key in state if key not in wanted],
        "has in another shape": [
            f"{key} {tuple(state[key].shape)} for {tuple(wanted[key].shape)}"
            for key in wanted
            if key in state and state[key].shape != wanted[key].shape
        ],
    }
    found = [f"{fault} {len(keys)}: {_first(keys)}" for fault, keys in faults.items() if keys]
    if found:
        total = f"{len(state):,} entries for the {len(wanted):,} of {architecture.name} ({config!r})"
        raise WeightsError(f"{path}: {total}, but it {'; '.join(found)}")
    module.load_state_dict(state)
    return module.eval().requires_grad_(requires_grad=False)


def _order(text: str | None) -> ChannelOrder | None:
    return "rgb" if text == "rgb" else "bgr" if text == "bgr" else None


def _unknown(state: State) -> str:
    shapes = [f"{key} {tuple(tensor.shape)}" for key, tensor in state.items()]
    ours = ", ".join(architectures.names())
    return f"{len(state):,} entries of none of our architectures ({ours}), among them {_first(shapes)}"


def _first(entries: list[str]) -> str:
    return ", ".join(entries[:_SHOWN]) + (", ..." if len(entries) > _SHOWN else "")
