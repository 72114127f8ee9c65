"""How near a network comes to held-out pictures, beside a bicubic resize."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from apisr_model.data import Pairs, batches
from apisr_model.network import ChannelOrder, run_rgb


@dataclass(frozen=True)
class Validation:
    """Mean PSNR in dB over `images` crops: the network's, and that of a bicubic enlargement of the same inputs."""

    psnr: float
    bicubic_psnr: float
    images: int


@torch.inference_mode()
def validate(module: nn.Module, pairs: Pairs, images: int, scale: int, order: ChannelOrder, device: str) -> Validation:
    """Measure `module`, which works in `order`, on the first `images` samples of `pairs`: the same each time."""
    module.eval()
    found, plain = [], []
    for pair in batches(pairs, range(images), 1):
        low_res, high_res = pair.low_res.to(device), pair.high_res.to(device)
        found.append(_psnr(run_rgb(module, low_res, order), high_res))
        plain.append(_psnr(functional.interpolate(low_res, scale_factor=scale, mode="bicubic"), high_res))
    return Validation(sum(found) / images, sum(plain) / images, images)


def _psnr(output: Tensor, target: Tensor) -> float:
    """Of one RGB image in 0..1; the output is clamped. Equal images give 10 log10 of 1 / the smallest float."""
    error = functional.mse_loss(output.float().clamp(0, 1), target)
    return float(-10 * torch.log10(error.clamp_min(torch.finfo(error.dtype).tiny)))
