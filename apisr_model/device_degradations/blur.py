"""Blurs with a kernel of its own for each picture, by Fourier transform: few taps cost as much as many."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.fft import next_fast_len

from apisr_model.degradations.blur import Blur, kernel
from apisr_model.device_degradations import Canvases, looked_up, reflected, sides


def apply(canvases: Canvases, blurs: Sequence[Blur]) -> Canvases:
    """Each picture correlated with its kernel, reflected beyond its sides; within 1e-5 of `Blur.apply`."""
    pixels, sizes = canvases.pixels, canvases.sizes
    height, width = sides(sizes)
    most = max(blur.taps for blur in blurs)
    length = [next_fast_len(side + most - 1, real=True) for side in (height, width)]
    before = np.array([[blur.taps // 2] for blur in blurs])
    rows, columns = (
        torch.from_numpy(reflected(np.arange(extent) - before, np.array(sizes)[:, axis, None])).to(pixels.device)
        for axis, extent in enumerate(length)
    )
    taps = np.zeros((len(blurs), 1, most, most), np.float32)
    for place, blur in enumerate(blurs):
        taps[place, 0, : blur.taps, : blur.taps] = kernel(blur)
    spectrum = torch.fft.rfft2(torch.from_numpy(taps).to(pixels.device), s=length).conj()
    blurred = torch.fft.irfft2(torch.fft.rfft2(looked_up(pixels, rows, columns)) * spectrum, s=length)
    return Canvases(blurred[:, :, :height, :width], sizes)
