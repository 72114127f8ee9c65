"""The operators that spoil a picture, one a file: each is drawn from an explicit generator, then applied, purely."""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
"""float32 (h, w, 3), red first, gamma-encoded as stored, 0..1; an operator may leave that range."""
