"""How much memory a network needs for each pixel, how much is free, and whether an error says that there was none."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from apisr_model.network import Network

_UNMEASURED_BYTES_PER_PX = 32 << 10
"""Of a network that torch does not run (ONNX); a 23-block RRDB x4 needs about half."""
_SCRATCH = 1.5
"""Over what tensors take: the workspaces of convolution libraries, and what the allocator cannot join."""
_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")
_UNKNOWN_FREE_BYTES = 2 << 30

_SAID = (
    "out of memory",  # CUDA, MPS
    "can't allocate memory",  # torch's CPU allocator
    "not enough memory",  # the same on Windows
    "bad_alloc",
    "bad allocation",
    "alloc_failed",  # cuBLAS, cuDNN
    "failed to allocate memory",  # ONNX Runtime
    "could not create a primitive",  # oneDNN, which says so of its buffers
)


def has_run_out(error: BaseException) -> bool:
    """Whether `error` is torch's, ONNX Runtime's or Python's word for memory that ran out."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(said in str(error).lower() for said in _SAID)


def release(device: str) -> None:
    """Give memory that torch keeps for itself back to the device."""
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.empty_cache()
    elif kind == "mps":
        torch.mps.empty_cache()


def free_bytes(device: str) -> int:
    """Memory that is free on `device`, within the container's limit."""
    kind = torch.device(device).type
    if kind == "cuda":
        free: float = torch.cuda.mem_get_info(device)[0]
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    elif kind == "mps":
        free = torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    else:
        free = min(_free_of_machine(), _free_of_container())
    return int(max(0, free))


def bytes_per_px(network: Network, side_px: int) -> float:
    """Memory that `network` takes at most for each input px, measured on a tile of that side; at least the result's."""
    if not isinstance(network.module, nn.Module):
        return float(_UNMEASURED_BYTES_PER_PX)
    grey = torch.full((1, 3, side_px, side_px), 0.5)
    if torch.device(network.device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(network.device)
        before = torch.cuda.memory_allocated(network.device)
        network(grey)
        peak = torch.cuda.max_memory_allocated(network.device) - before
    else:
        with _Peak(network.module) as measured:
            network(grey)
        peak = measured.peak_bytes
    return _SCRATCH * peak / side_px**2


class _Peak(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Most bytes that tensors made under this mode held at one time; the module's own do not count."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak_bytes = 0
        self._held = {tensor.untyped_storage()._cdata: 0 for tensor in module.state_dict().values()}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # skipping it imports torch.compile, 1.5 s

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if not isinstance(tensor, Tensor):
                continue
            storage = tensor.untyped_storage()
            if (key := storage._cdata) not in self._held:
                self._held[key] = storage.nbytes()
                weakref.finalize(storage, self._held.pop, key, None)
        self.peak_bytes = max(self.peak_bytes, sum(self._held.values()))
        return result


def _free_of_machine() -> int:
    try:
        lines = _MEMINFO.read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):  # no Linux
        return _UNKNOWN_FREE_BYTES


def _free_of_container() -> float:
    """Below the limit of the control group that this process is in, version 2 or 1; files it can drop count as free."""
    for limit_file, usage_file, cache_key in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            limit = (_CGROUP / limit_file).read_text().strip()
            usage = int((_CGROUP / usage_file).read_text())
            counts = dict(
                line.split() for line in (_CGROUP / usage_file).with_name("memory.stat").read_text().splitlines()
            )
        except (OSError, ValueError):
            continue
        if limit != "max":
            return int(limit) - usage + int(counts.get(cache_key, 0))
    return float("inf")
