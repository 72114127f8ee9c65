"""What only the CPU does: codecs, and analogue video's faults. Pictures in parallel, one transfer each way for all."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from apisr_data.images import Rgb
from apisr_model.degradations import image_codecs, video_codecs
from apisr_model.degradations.analogue import Analogue
from apisr_model.degradations.image_codecs import ImageCodec
from apisr_model.degradations.video_codecs import VideoCodec
from apisr_model.device_degradations import Canvases

Pictures = NDArray[Any]


def compress(canvases: Canvases, steps: Sequence[ImageCodec | VideoCodec], threads: int) -> Canvases:
    """Each picture clamped to 0..1, in 8 bits, through its codec.

    Raises:
        DegradationError: a codec failed; the message names it and its parameters.
    """
    levels = canvases.pixels.clamp(0, 1).mul_(255).round_().to(torch.uint8)
    coded = each(levels, canvases.sizes, lambda rgb, place: _code(rgb, steps[place]), threads)
    return Canvases(coded.float().div_(255), canvases.sizes)


def spoil(canvases: Canvases, steps: Sequence[Analogue], threads: int) -> Canvases:
    """Each picture with its analogue fault."""
    spoilt = each(canvases.pixels, canvases.sizes, lambda image, place: steps[place].apply(image), threads)
    return Canvases(spoilt, canvases.sizes)


def _code(rgb: Rgb, drawn: ImageCodec | VideoCodec) -> Rgb:
    return image_codecs.code(rgb, drawn) if isinstance(drawn, ImageCodec) else video_codecs.code(rgb, drawn)


def each(
    pixels: Tensor, sizes: Sequence[tuple[int, int]], work: Callable[[Pictures, int], Pictures], threads: int
) -> Tensor:
    """`work` on every picture (h, w, 3) and its place; these libraries let go of Python's lock while they work."""
    host = moved(pixels.permute(0, 2, 3, 1).clone(memory_format=torch.contiguous_format), torch.device("cpu"))
    pictures = host.numpy()

    def replace(place: int) -> None:
        height, width = sizes[place]
        picture = pictures[place, :height, :width]
        picture[:] = work(np.ascontiguousarray(picture), place)

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(replace, range(len(sizes))):
            pass
    return moved(host, pixels.device).permute(0, 3, 1, 2).contiguous()


def moved(pixels: Tensor, device: torch.device) -> Tensor:
    """On `device`; from and to CUDA by way of pinned memory, which is copied at the bus's speed."""
    if pixels.device.type == "cuda":
        host = torch.empty(pixels.shape, dtype=pixels.dtype, pin_memory=True)
        host.copy_(pixels, non_blocking=True)
        torch.cuda.current_stream(pixels.device).synchronize()
        return host
    return pixels.to(device, non_blocking=pixels.is_pinned())
