"""ICNet's image complexity: the score that APISR selects by. Needs torch, and weights that are fetched by hand.

The weights are IC9600's authors' and come without a licence, so they are never bundled.

Source: Feng et al., "IC9600: A Benchmark Dataset for Automatic Image Complexity Assessment", TPAMI 2023;
github.com/tinglyfeng/IC9600. A deviation: the picture reaches 512x512 by our antialiased scaling, not by Pillow's.
"""

import importlib.util
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from apisr_data import cache
from apisr_data.errors import FetchError, UsageError
from apisr_data.images import Picture, Rgb
from apisr_data.tables import Column

if TYPE_CHECKING:  # torch takes seconds to load, and the columns are asked for without it
    from torch import Tensor

    from apisr_data.scorers._icnet_network import IcNet

WEIGHTS = "ck.pth"
"""The weights' published file name."""

_BATCH = {"cpu": 4, "cuda": 32, "mps": 16}
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Scorer:
    """Complexity in [0, 1].

    `weights` is the authors' ck.pth, else the one in the cache. `precision` "bf16" is faster where the processor has
    it, and moves scores by some thousandths: compare scores of one precision only.

    Raises:
        FetchError: there are no weights, the file is not ICNet's, or torch is not installed.
        UsageError: there is no such device or precision.
    """

    name: ClassVar[str] = "icnet"
    version: ClassVar[int] = 1
    columns: ClassVar[tuple[Column, ...]] = (Column("icnet", pa.float64(), "IC9600's complexity, 0..1"),)
    is_complexity: ClassVar[bool] = True

    def __init__(
        self,
        weights: Path | None = None,
        device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
        precision: Literal["fp32", "bf16"] = "fp32",
    ) -> None:
        if why := missing(weights):
            raise FetchError(why)
        import torch

        from apisr_data.scorers import _icnet_network

        dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16}
        if precision not in dtypes:
            raise UsageError(f"scorer 'icnet' has no precision '{precision}'; choose one of {', '.join(dtypes)}")
        self._device = _device(device)
        self._dtype = dtypes[precision]
        self._side_px = _icnet_network.SIDE_PX
        network = _icnet_network.IcNet()
        _load(network, weights_path(weights))
        self._network = _icnet_network.prepare(network, device=self._device, dtype=self._dtype)

    def score(self, pictures: Sequence[Picture]) -> dict[str, NDArray[np.float64]]:
        """The scores; at most a batch of small pictures is held at a time."""
        import torch

        scores: list[NDArray[np.float64]] = [np.empty(0)]
        with torch.inference_mode():
            step = _BATCH[self._device]
            for start in range(0, len(pictures), step):
                batch = pictures[start : start + step]
                small = [picture.rgb((self._side_px, self._side_px)) for picture in batch]
                scores.append(self._network.score(self._input(small)).cpu().double().numpy())
        return {"icnet": np.concatenate(scores)}

    def _input(self, small: list[Rgb]) -> "Tensor":
        import torch

        levels = torch.from_numpy(np.stack(small)).to(self._device).permute(0, 3, 1, 2)  # channels last in memory
        mean, deviation = (torch.tensor(c, device=self._device).view(3, 1, 1) for c in (_MEAN, _DEVIATION))
        return ((levels / 255 - mean) / deviation).to(self._dtype)


def weights_path(given: Path | None = None) -> Path:
    """Where the weights are looked for."""
    return given or cache.folder() / WEIGHTS


def missing(weights: Path | None = None) -> str | None:
    """Why ICNet cannot be used here, in a sentence; None when it can. Loads no torch."""
    if importlib.util.find_spec("torch") is None:
        return "scorer 'icnet' needs torch: pip install 'apisr[model]', or choose --scorer detail"
    path = weights_path(weights)
    if not path.is_file():
        return (
            f"scorer 'icnet' needs weights: none at {path}; give --weights or choose --scorer detail"
            f" (the authors offer {WEIGHTS} on the page github.com/tinglyfeng/IC9600)"
        )
    return None


def _device(name: str) -> str:
    import torch

    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    usable = [device for device, is_available in found.items() if is_available]
    if name == "auto":
        return usable[0]
    if name not in usable:
        raise UsageError(f"scorer 'icnet' cannot use device '{name}'; here are auto, {', '.join(usable)}")
    return name


def _load(network: "IcNet", path: Path) -> None:
    import torch

    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(_state(loaded))
    except (OSError, EOFError, KeyError, RuntimeError, TypeError, ValueError, pickle.UnpicklingError) as error:
        first = str(error).strip().partition("\n")[0]
        raise FetchError(f"scorer 'icnet': {path} does not hold ICNet's weights ({first})") from error


def _state(loaded: Any) -> Mapping[str, Any]:
    """The state dictionary, out of whatever was wrapped around it when it was saved."""
    for wrapper in ("state_dict", "model_state_dict", "model"):
        if isinstance(loaded, Mapping) and wrapper in loaded:
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping):
        raise TypeError(f"it holds a {type(loaded).__name__}")
    return {key.removeprefix("_orig_mod.").removeprefix("module."): tensor for key, tensor in loaded.items()}
