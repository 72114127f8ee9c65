"""Networks in ONNX files, ours and other people's, run by ONNX Runtime."""

import importlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import torch
from numpy.typing import NDArray
from torch import Tensor

from apisr_model.errors import DeviceError, MissingExtraError, WeightsError
from apisr_model.network import ChannelOrder, Network

log = logging.getLogger(__name__)

METADATA_KEY = "apisr"
"""The entry of an ONNX file's metadata in which `convert` leaves, as JSON, what `Network` needs to know."""

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}
_DTYPES: dict[str, type[np.floating[Any]]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_PROBE_PX = 64
_GRIDS = (1, 2, 4, 8, 16, 32, 64)
_ONLY_FATAL = 4

Images = NDArray[np.floating[Any]]


class _About(pydantic.BaseModel):
    """What the metadata say, or what was found by running; what else is told there is for people."""

    architecture: str
    scale: pydantic.PositiveInt
    multiple_of: pydantic.PositiveInt = 1
    smallest_px: pydantic.PositiveInt = 1
    overlap_px: pydantic.NonNegativeInt = Network.overlap_px
    config: dict[str, Any] = {}
    channel_order: ChannelOrder = "rgb"
    trained_order: ChannelOrder | None = None


@dataclass(frozen=True)
class _Model:
    """What runs one input of shape (batch, 3, *sides); a side or batch of None may be any."""

    run: Callable[[Images], Images]
    dtype: type[np.floating[Any]]
    batch: int | None
    sides: tuple[int | None, int | None]


def open_onnx(path: Path, device: str = "cpu") -> Network:
    """The network of an ONNX file that upscales pictures of shape (b, 3, h, w), in [0, 1], float32 or float16.

    Scale, size rule and channel order come from what `convert` wrote into it; a foreign file is tried on small pictures
    and fed RGB. A file with a fixed input size is run in overlapping windows of that size. `device` is cpu, cuda, mps
    or auto; the pictures themselves stay on the CPU.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        DeviceError: ONNX Runtime as it is installed cannot use that device.
        WeightsError: not an ONNX file, or not one that upscales RGB pictures.
    """
    session = _open(path, device)
    model = _checked(session, path)
    about = _told(session, path) or _probe(model, path)
    height, width = model.sides
    module: Callable[[Tensor], Tensor] = _Whole(model)
    if height is not None and width is not None:
        module = _Windows(module, (height, width), about.scale, about.multiple_of, about.overlap_px)
    return Network(
        module,
        about.architecture,
        about.scale,
        about.config,
        multiple_of=about.multiple_of,
        smallest_px=max(height, width) if height and width else about.smallest_px,
        overlap_px=about.overlap_px,
        channel_order=about.channel_order,
        trained_order=about.trained_order,
        origin=str(path),
    )


@dataclass(frozen=True)
class _Whole:
    """Whole pictures, all at once or as many as the file's fixed batch."""

    model: _Model

    def __call__(self, x: Tensor) -> Tensor:
        images = x.float().numpy().astype(self.model.dtype)
        count = self.model.batch or len(images)
        images = np.concatenate([images, np.repeat(images[-1:], -len(images) % count, axis=0)])
        upscaled = np.concatenate([self.model.run(images[i : i + count]) for i in range(0, len(images), count)])
        return torch.from_numpy(upscaled[: len(x)].astype(np.float32))


@dataclass(frozen=True)
class _Windows:
    """Pictures of at least the file's fixed `size`, in windows that meet in the middle of their overlap."""

    module: Callable[[Tensor], Tensor]
    size: tuple[int, int]
    scale: int
    grid: int
    overlap_px: int

    def __call__(self, x: Tensor) -> Tensor:
        height, width = self.size
        result = x.new_empty(len(x), 3, x.shape[2] * self.scale, x.shape[3] * self.scale)
        for top, skip_rows in self._starts(x.shape[2], height):
            for left, skip_columns in self._starts(x.shape[3], width):
                window = self.module(x[:, :, top : top + height, left : left + width])
                window = window[:, :, skip_rows * self.scale :, skip_columns * self.scale :]
                row, column = (top + skip_rows) * self.scale, (left + skip_columns) * self.scale
                result[:, :, row : row + window.shape[2], column : column + window.shape[3]] = window
        return result

    def _starts(self, side: int, window: int) -> list[tuple[int, int]]:
        """Where windows start, on the grid, and how much of each the one before has done better: half their overlap."""
        step = max((window - 2 * min(self.overlap_px, window // 4)) // self.grid * self.grid, self.grid)
        starts = [*range(0, side - window, step), side - window]
        return [(here, (before + window - here) // 2) for before, here in zip([-window, *starts], starts, strict=False)]


def _open(path: Path, device: str) -> Any:
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError:
        raise MissingExtraError(f"{path} needs ONNX Runtime: pip install 'apisr[onnx]'") from None
    here = runtime.get_available_providers()
    if device == "auto":
        device = next(d for d in ("cuda", "mps", "cpu") if _PROVIDERS[d] in here)
    provider = _PROVIDERS.get(device.split(":")[0])
    if provider not in here:
        remedy = "pip install onnxruntime-gpu in place of onnxruntime" if device.startswith("cuda") else "--device cpu"
        raise DeviceError(f"ONNX Runtime as installed here has no {device}, it has {', '.join(here)}: {remedy}")
    providers = list(dict.fromkeys([provider, _PROVIDERS["cpu"]]))
    options = runtime.SessionOptions()
    options.log_severity_level = _ONLY_FATAL
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = runtime.InferenceSession(path, options, providers=providers)
    except _errors() as error:
        raise WeightsError(f"{path} is not an ONNX file that can be run: {_first_line(error)}") from None
    if session.get_providers()[0] != provider:
        raise DeviceError(f"ONNX Runtime could not start on {device}; its CUDA libraries may be missing: --device cpu")
    return session


def _checked(session: Any, path: Path) -> _Model:
    """The session as something that takes RGB pictures."""
    inputs = session.get_inputs()
    found = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
    wanted = f"{path} does not take one RGB picture (batch, 3, height, width): its input is {found}"
    if len(inputs) != 1 or inputs[0].type not in _DTYPES or len(inputs[0].shape) != 4:
        raise WeightsError(wanted)
    batch, channels, *sides = (n if isinstance(n, int) and n > 0 else None for n in inputs[0].shape)
    if channels not in (3, None):
        raise WeightsError(f"{wanted}; only RGB networks can be used, neither grey ones nor those with alpha")
    if channels is None and sides[1] == 3:
        raise WeightsError(f"{wanted}; it wants channels last")
    if (sides[0] is None) != (sides[1] is None):
        raise WeightsError(f"{wanted}; its height and width must both be fixed or both be free")
    name, fatal = inputs[0].name, importlib.import_module("onnxruntime").RunOptions()
    fatal.log_severity_level = _ONLY_FATAL

    def run(images: Images) -> Images:
        try:
            result: Images = session.run(None, {name: images}, fatal)[0]
        except _errors() as error:
            if "allocat" in str(error).lower():
                raise MemoryError(f"{path}: {_first_line(error)}") from None
            raise WeightsError(f"{path} cannot be run on a picture {images.shape}: {_first_line(error)}") from None
        return result

    return _Model(run, _DTYPES[inputs[0].type], batch, (sides[0], sides[1]))


def _told(session: Any, path: Path) -> _About | None:
    """What `convert` left in the file; None where it did not write it."""
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        return None
    try:
        return _About.model_validate_json(text)
    except pydantic.ValidationError:
        log.warning("%s: its metadata '%s' is not ours: scale and sizes are found by running it", path, METADATA_KEY)
        return None


def _probe(model: _Model, path: Path) -> _About:
    """Scale and size rule of a foreign file, from small pictures of sides that are multiples of less and less."""
    reason = ""
    for grid in _GRIDS:
        height, width = (side or _PROBE_PX + grid for side in model.sides)
        try:
            result = model.run(np.full((model.batch or 1, 3, height, width), 0.5, model.dtype))
        except WeightsError as error:
            reason = str(error)
            continue
        scale = result.shape[-1] // width
        if scale >= 1 and result.shape == (model.batch or 1, 3, height * scale, width * scale):
            return _About(architecture="onnx", scale=scale, multiple_of=grid, smallest_px=_PROBE_PX)
        reason = f"a picture (3, {height}, {width}) became {result.shape}"
    raise WeightsError(f"{path} is no upscaling network for RGB pictures: {reason}")


def _errors() -> tuple[type[BaseException], ...]:
    """ONNX Runtime's own errors, which share no base."""
    state = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    own = [e for e in vars(state).values() if isinstance(e, type) and issubclass(e, Exception)]
    return (*own, RuntimeError, ValueError)


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].removeprefix("[ONNXRuntimeError] : ")
