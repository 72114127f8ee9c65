"""What makes GRL fast on a CPU outside training: parts that stay in the cache, and oneDNN's matrix product.

Large tensors are the enemy there. One above 32 MiB is mapped afresh by the allocator, and touching its pages costs more
than the arithmetic on it: a linear layer of 256 windows at a time takes half the time of one of 1,024. Elsewhere (on a
GPU, with gradients, while a graph is traced) everything below is the plain operation on the whole.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

_WINDOWS_A_THREAD = 64
_STRIP_BYTES = 24 * 2**20


def is_here(x: Tensor) -> bool:
    """Whether `x` is computed on at once, by a CPU and without gradients."""
    return x.device.type == "cpu" and not torch.is_grad_enabled() and not is_traced()


def is_traced() -> bool:
    """Whether a graph is being recorded, for all sizes or for another runtime."""
    return bool(torch.compiler.is_compiling() or torch.jit.is_tracing())  # type: ignore[attr-defined,no-untyped-call]


def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`functional.linear`; in float32 by oneDNN, which takes half the time of MKL on the processors measured."""
    is_float32 = x.dtype == weight.dtype == torch.float32
    if is_float32 and is_here(x) and not torch.is_autocast_enabled("cpu") and _has_onednn():
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return product
    return functional.linear(x, weight, bias)


def in_parts(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """`function` of tensors that agree in dimension 0, whose entries it treats alike."""
    if not is_here(tensors[0]):
        return function(*tensors)
    size = _WINDOWS_A_THREAD * torch.get_num_threads()
    return torch.cat(
        [function(*parts) for parts in zip(*(torch.split(tensor, size) for tensor in tensors), strict=True)]
    )


def in_strips(function: Callable[[Tensor], Tensor], x: Tensor, *, halo: int, widest: int) -> Tensor:
    """`function` of (b, c, h, w), a chain of convolutions that enlarges by a whole number.

    `halo` is how many rows of `x` one row of the result reaches beyond its own; `widest` the values that the largest
    tensor within holds for each position of `x`.
    """
    batch, _, height, width = x.shape
    if not is_here(x):
        return function(x)
    rows = max(_STRIP_BYTES // (batch * width * widest * x.element_size()) - 2 * halo, 4 * halo)
    if height <= rows + 2 * halo:
        return function(x)
    strips = []
    for top in range(0, height, rows):
        start, end = max(top - halo, 0), min(top + rows + halo, height)
        strip = function(x[:, :, start:end])
        scale = strip.shape[2] // (end - start)
        strips.append(strip[:, :, (top - start) * scale : (min(top + rows, height) - start) * scale])
    return torch.cat(strips, 2)


def _has_onednn() -> bool:
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")  # type: ignore[no-untyped-call]
