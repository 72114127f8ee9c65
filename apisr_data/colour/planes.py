"""A frame's memory as samples."""

from typing import Any

import av
import numpy as np
from numpy.typing import NDArray


def samples(frame: av.VideoFrame) -> list[NDArray[Any]]:
    """Each plane's memory as (h, w) without the padding, in its own byte order; for formats of a component a plane."""
    depth = frame.format.components[0].bits
    word = "u1" if depth <= 8 else ">u2" if frame.format.is_big_endian else "<u2"
    planes = []
    for plane in frame.planes:
        words: NDArray[Any] = np.frombuffer(plane, word)  # type: ignore[call-overload]
        planes.append(words.reshape(plane.height, -1)[:, : plane.width])
    return planes
