"""The height that a picture had before it was enlarged to the height it is stored at.

An enlarged picture is a known kernel applied to fewer rows, so at its native height, and only there, undoing the kernel
by least squares and applying it again gives the picture back. `descale` measures what is left over at every candidate
height, `sampler` picks what is measured of a video, `estimate` finds the dip and says how sure it is.
"""

from apisr_data.native_height.descale import KERNELS, Curve, candidates, descale_curve
from apisr_data.native_height.estimate import Estimate, estimate, estimate_by_title
from apisr_data.native_height.sampler import Sampler, sample_columns

__all__ = [
    "KERNELS",
    "Curve",
    "Estimate",
    "Sampler",
    "candidates",
    "descale_curve",
    "estimate",
    "estimate_by_title",
    "sample_columns",
]
