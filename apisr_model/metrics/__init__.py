"""How good a result is: each metric a function of RGB uint8 pictures (h, w, 3), described in `METRICS`."""

from collections.abc import Mapping
from types import MappingProxyType

from apisr_model.metrics.drawn_lines import line_f1
from apisr_model.metrics.fidelity import consistency, psnr, ssim
from apisr_model.metrics.naturalness import fit_niqe, niqe
from apisr_model.metrics.record import Metric

__all__ = ["METRICS", "Metric", "consistency", "fit_niqe", "line_f1", "niqe", "psnr", "ssim"]

_ALL = (
    Metric("psnr", psnr, "reference", True, "dB, RGB, all three channels together, no border cut (scikit-image)"),
    Metric(
        "ssim", ssim, "reference", True, "RGB, mean of channels, Gaussian window 11 px, no border cut (scikit-image)"
    ),
    Metric("line_f1", line_f1, "reference", True, "lines of the result and of the pseudo ground truth, within 1 px"),
    Metric("consistency", consistency, "low_res", True, "dB, RGB, the result reduced by area against the input"),
    Metric(
        "niqe",
        niqe,
        "nothing",
        False,
        "BT.601 luma, no border cut, float64, BasicSR's model of photographs (niqe_pris_params.npz)",
    ),
)
METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _ALL})
"""Ours by name; those of pyiqa come from `learned.load`."""
