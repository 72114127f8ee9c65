"""Decoded frame <-> RGB, and luma: matrix, range, chroma siting, bit depth, sample aspect ratio, rotation.

Primaries are recorded, not converted, and the transfer function stays as coded: RGB is the video's own R'G'B'.
"""

from apisr_data.colour.coding import to_frame
from apisr_data.colour.description import ASSUMABLE_MATRICES, Codes, Colour, describe
from apisr_data.colour.geometry import displayed_size, honoured_aspect
from apisr_data.colour.luma import to_luma
from apisr_data.colour.planes import samples
from apisr_data.colour.rgb import Rgb16, to_rgb

__all__ = [
    "ASSUMABLE_MATRICES",
    "Codes",
    "Colour",
    "Rgb16",
    "describe",
    "displayed_size",
    "honoured_aspect",
    "samples",
    "to_frame",
    "to_luma",
    "to_rgb",
]
