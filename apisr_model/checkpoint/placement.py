"""Where a network runs and how precisely: what this machine has, and what to take when nobody says."""

from typing import Literal, get_args

import torch

from apisr_model.errors import DeviceError

Precision = Literal["auto", "fp32", "bf16", "fp16"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def find_device(name: str = "auto") -> str:
    """The device of that name, such as cpu, cuda, cuda:1 or mps; auto is the fastest kind that is here.

    Raises:
        DeviceError: this machine, or torch as it is installed, does not have it.
    """
    here = devices()
    if name == "auto":
        return here[0]
    if name in here or (name == "cuda:0" and "cuda" in here):
        return name
    hint = ""
    if name.startswith("cuda") and not torch.version.cuda:
        hint = "; torch is installed without CUDA, see the README's install line for it"
    raise DeviceError(f"no device '{name}' here; there are {', '.join(here)}{hint}")


def devices() -> tuple[str, ...]:
    """What `find_device` knows here, the fastest first."""
    found = []
    if torch.cuda.is_available():
        found += ["cuda", *(f"cuda:{i}" for i in range(1, torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        found.append("mps")
    return (*found, "cpu")


def find_dtype(precision: Precision, device: str) -> torch.dtype:
    """The type that arithmetic is done in; auto is float32, on CUDA bfloat16 where the card has it, else float16.

    Raises:
        DeviceError: there is no such precision, or the device does not have it.
    """
    kind = torch.device(device).type
    has_bf16 = kind == "cpu" or (kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False))
    if precision == "auto":
        if kind != "cuda":
            return torch.float32
        return torch.bfloat16 if has_bf16 else torch.float16
    if precision not in _DTYPES:
        raise DeviceError(f"no precision '{precision}'; there are {', '.join(get_args(Precision))}")
    if precision == "bf16" and not has_bf16:
        raise DeviceError(f"{device} does not compute in bf16; choose fp16 or fp32")
    return _DTYPES[precision]
