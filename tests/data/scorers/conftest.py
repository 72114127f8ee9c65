"""Pictures to score, and weights for ICNet that anyone can make again."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

Image = NDArray[np.uint8]


class ArrayPicture:
    """An RGB array (h, w, 3), or a luma array (h, w), as a picture."""

    def __init__(self, array: Image) -> None:
        self._rgb = array if array.ndim == 3 else np.repeat(array[:, :, None], 3, axis=2)

    def rgb(self, size: tuple[int, int] | None = None) -> Image:
        return self._rgb if size is None else cv2.resize(self._rgb, size, interpolation=cv2.INTER_AREA)

    def luma(self) -> Image:
        return cv2.cvtColor(self._rgb, cv2.COLOR_RGB2GRAY)


@pytest.fixture(scope="session")
def picture() -> Callable[[Image], ArrayPicture]:
    return ArrayPicture


@pytest.fixture(scope="session")
def drawing() -> Image:
    """A drawn scene 1280x720 that no codec has touched: sky, hills, a house, and lines of all directions."""
    image = np.empty((720, 1280, 3), np.uint8)
    image[:] = np.linspace((120, 170, 230), (230, 240, 250), 720).astype(np.uint8)[:, None]
    rng = np.random.default_rng(7)
    for _ in range(150):
        points = np.cumsum(rng.normal(0, 45, (5, 2)), axis=0) + rng.uniform((0, 300), (1280, 720))
        fill, line = rng.integers(0, 256, 3).tolist(), (30, 20, 25)
        cv2.fillPoly(image, [points.astype(np.int32)], fill, cv2.LINE_AA)
        cv2.polylines(image, [points.astype(np.int32)], True, line, 2, cv2.LINE_AA)
    return image


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """A `ck.pth` with reproducible numbers."""
    import torch

    from apisr_data.scorers._icnet_network import IcNet
    from tests.filled import fill

    path = tmp_path_factory.mktemp("cache") / "ck.pth"
    torch.save(fill(IcNet()).state_dict(), path)
    return path
