"""How near a result comes, pixel by pixel: to the picture it should be, and to the input it was made from."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from apisr_data.images import Rgb
from apisr_model.errors import ShapeError
from apisr_model.metrics.record import check_pair, check_rgb

_SSIM_SIGMA_PX = 1.5
_SSIM_WINDOW_PX = 11  # what scikit-image takes for that deviation


def psnr(result: Rgb, reference: Rgb) -> float:
    """Peak signal-to-noise ratio in dB over all pixels of all three channels; infinite for equal pictures.

    Raises:
        ShapeError: not RGB uint8 (h, w, 3), or of different sizes.
    """
    check_pair("psnr", result, reference)
    return _decibels(reference, result)


def ssim(result: Rgb, reference: Rgb) -> float:
    """Structural similarity, at most 1: the mean over the three channels and all whole windows.

    Source: Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004: a Gaussian
    window of 11 px with a deviation of 1.5, K1 = 0.01, K2 = 0.03; the paper measures luma, we measure RGB.

    Raises:
        ShapeError: not RGB uint8 (h, w, 3), of different sizes, or smaller than the window.
    """
    check_pair("ssim", result, reference)
    if min(result.shape[:2]) < _SSIM_WINDOW_PX:
        raise ShapeError(f"ssim looks through a window of {_SSIM_WINDOW_PX} px, found {result.shape[:2]} (h, w)")
    return float(
        structural_similarity(  # type: ignore[no-untyped-call]
            reference,
            result,
            data_range=255,
            channel_axis=2,
            gaussian_weights=True,
            sigma=_SSIM_SIGMA_PX,
            use_sample_covariance=False,
        )
    )


def consistency(result: Rgb, low_res: Rgb) -> float:
    """PSNR in dB of the result, reduced to the input's size by the mean over each pixel's area, against the input.

    It needs no ground truth and falls with a colour shift, darkened lines and over-sharpening; what a network rightly
    takes out of a noisy or compressed input lowers it as well. Not rounded to bytes before the comparison.

    Raises:
        ShapeError: not RGB uint8 (h, w, 3), or the result is smaller than the input.
    """
    check_rgb("consistency", result)
    check_rgb("consistency", low_res)
    height, width = low_res.shape[:2]
    if result.shape[0] < height or result.shape[1] < width:
        sizes = [f"{image.shape[1]}x{image.shape[0]}" for image in (result, low_res)]
        raise ShapeError(f"consistency wants a result no smaller than its input, found {sizes[0]} for {sizes[1]}")
    reduced = cv2.resize(result.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return _decibels(low_res, reduced)


def _decibels(reference: NDArray[Any], result: NDArray[Any]) -> float:
    with np.errstate(divide="ignore"):  # equal pictures
        return float(peak_signal_noise_ratio(reference, result, data_range=255))  # type: ignore[no-untyped-call]
