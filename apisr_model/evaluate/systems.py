"""What stands side by side: networks, a bicubic enlargement, and pictures that another system made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from apisr_data.errors import ConfigError
from apisr_data.images import Rgb, read, resize
from apisr_model.evaluate.files import Results
from apisr_model.evaluate.samples import Sample
from apisr_model.network import Network
from apisr_model.upscale import upscale_image

Upscale = Callable[[str, Sample], Rgb]
"""(a case's name, its sample) -> RGB uint8; raises InputError where there is no result."""


@dataclass(frozen=True)
class System:
    """One line of the table; `about` says what it is: weights, precision, channel order, folder."""

    name: str
    about: str
    upscale: Upscale


def bicubic(scale: int) -> System:
    """The enlargement that a network has to beat."""

    def upscale(_name: str, sample: Sample) -> Rgb:
        height, width = sample.low_res.shape[:2]
        return resize(sample.low_res, (width * scale, height * scale), "paper")

    return System("bicubic", f"{scale}x, OpenCV", upscale)


def networks(loaded: Sequence[Network]) -> list[System]:
    """One system a network, named by its weights' file; by its whole path where two files share their name."""
    stems = [Path(network.origin).stem for network in loaded]
    return [
        _network(stem if stems.count(stem) == 1 else network.origin, network)
        for stem, network in zip(stems, loaded, strict=True)
    ]


def common_scale(loaded: Sequence[Network], asked: int | None) -> int:
    """The scale that all networks and `asked` have in common; 4 where nothing says.

    Raises:
        ConfigError: they differ.
    """
    scales = {network.origin: network.scale for network in loaded} | ({"--scale": asked} if asked else {})
    if len(set(scales.values())) > 1:
        told = ", ".join(f"{name} {scale}x" for name, scale in scales.items())
        raise ConfigError(f"one table compares one scale, found {told}; evaluate them apart")
    return next(iter(scales.values()), 4)


def results(name: str, folder: Path, names: Sequence[str]) -> System:
    """Pictures in `folder` that another system made of the cases `names`; see `Results`."""
    found = Results(folder, names)
    return System(name, f"pictures in {folder}", lambda case, _sample: read(found.find(case)))


def _network(name: str, network: Network) -> System:
    precision = str(network.dtype).removeprefix("torch.")
    about = (
        f"{network.architecture} {network.scale}x, {network.origin}, fed {network.channel_order.upper()}, "
        f"{precision} on {network.device}"
    )
    return System(name, about, lambda _name, sample: upscale_image(network, sample.low_res).astype("uint8", copy=False))
