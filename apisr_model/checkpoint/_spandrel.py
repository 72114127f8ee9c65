"""Architectures that are not ours, opened by spandrel where it is installed."""

import importlib
import textwrap
from pathlib import Path
from typing import Any

import torch

from apisr_model.architectures import State
from apisr_model.checkpoint.placement import Precision, find_dtype
from apisr_model.errors import DeviceError, WeightsError
from apisr_model.network import Network

_INSTALL = "pip install 'apisr[zoo]'"
_OVERLAP_PX = 32
"""Of networks whose reach nobody has measured here."""
_REFUSED = {"GRL": "spandrel computes GRL with shifted stripes, which APISR's networks were not trained with"}


def open_with_spandrel(state: State, path: Path, device: str, precision: Precision) -> Network:
    """The network that spandrel recognises in `state`.

    Raises:
        WeightsError: spandrel or torchvision is not installed, it does not know the state, or the network is not one
            that upscales RGB pictures and nothing else.
        DeviceError: the network cannot run at that precision.
    """
    try:
        spandrel = importlib.import_module("spandrel")
    except (ImportError, RuntimeError) as error:  # a torchvision that does not fit torch ends in RuntimeError
        is_absent = isinstance(error, ModuleNotFoundError) and error.name == "spandrel"
        state_of_it = "" if is_absent else f" (spandrel is here but does not start: {error})"
        raise WeightsError(f"spandrel may know it: {_INSTALL}, which needs torchvision{state_of_it}") from None
    try:
        found = spandrel.ModelLoader(device="cpu").load_from_state_dict(dict(state))
    except spandrel.UnsupportedModelError:
        raise WeightsError("nor does spandrel know it") from None
    except (RuntimeError, LookupError, ValueError, TypeError, AssertionError) as error:
        reason = textwrap.shorten(str(error), 300, placeholder=" ...")
        raise WeightsError(f"spandrel cannot build it: {reason}") from None
    return _network(found, spandrel, path, device, precision)


def _network(found: Any, spandrel: Any, path: Path, device: str, precision: Precision) -> Network:
    name = str(found.architecture.id)
    if name in _REFUSED:
        raise WeightsError(f"spandrel takes it for {name}, but {_REFUSED[name]}")
    if not isinstance(found, spandrel.ImageModelDescriptor):
        raise WeightsError(f"spandrel knows it as {name}, which needs a mask beside the picture")
    if (found.input_channels, found.output_channels) != (3, 3):
        channels = f"{found.input_channels} channels in and {found.output_channels} out"
        raise WeightsError(f"spandrel knows it as {name} with {channels}; only RGB to RGB is run")
    dtype = find_dtype(precision, device)
    is_supported = {torch.float16: found.supports_half, torch.bfloat16: found.supports_bfloat16}.get(dtype, True)
    if not is_supported:
        if precision != "auto":
            raise DeviceError(f"{path}: {name} does not compute in {precision}; choose fp32")
        dtype = torch.float32
    found.model.eval().requires_grad_(False)
    return Network(
        found.to(device),
        name,
        found.scale,
        device=device,
        dtype=dtype,
        multiple_of=found.size_requirements.multiple_of,
        smallest_px=max(1, found.size_requirements.minimum),
        overlap_px=_OVERLAP_PX,
    )
