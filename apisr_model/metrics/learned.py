"""Metrics that are networks, through pyiqa where it is installed: MANIQA, CLIPIQA, LPIPS.

pyiqa is an optional extra: it needs torchvision, and its licence forbids commercial use.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apisr_data.errors import ConfigError, FetchError
from apisr_data.images import Rgb
from apisr_model.errors import MissingExtraError
from apisr_model.metrics.record import Metric, Needs, check_pair, check_rgb

LICENCE = "PolyForm Noncommercial 1.0.0 and NTU S-Lab 1.0: no commercial use"


@dataclass(frozen=True)
class Variant:
    """Which of pyiqa's metrics is meant; `name` is pyiqa's too."""

    name: str
    needs: Needs
    about: str


# Source: pyiqa/default_model_configs.py and the default weights of each architecture, version 0.1.15.
_VARIANTS = (
    Variant("maniqa", "nothing", "RGB, trained on KonIQ-10k (ckpt_koniq10k.pt)"),
    Variant("clipiqa", "nothing", "RGB, CLIP RN50 as OpenAI published it, several fixed prompts"),
    Variant("lpips", "reference", "RGB, version 0.1, AlexNet (LPIPS_v0.1_alex-df73285e.pth)"),
)
VARIANTS: Mapping[str, Variant] = MappingProxyType({variant.name: variant for variant in _VARIANTS})


def load(name: str, device: str = "cpu") -> Metric:
    """The metric of that name, its weights fetched by pyiqa into its own cache where they are not there.

    Raises:
        ConfigError: none of `VARIANTS`.
        MissingExtraError: pyiqa, or torchvision which it needs, cannot be imported.
        FetchError: its weights cannot be had.
    """
    variant = VARIANTS.get(name)
    if variant is None:
        raise ConfigError(f"no metric '{name}' of pyiqa's is offered, only {', '.join(VARIANTS)}")
    try:
        import pyiqa
    except (ImportError, OSError, RuntimeError) as error:  # a torchvision that does not fit torch raises either
        raise MissingExtraError(
            f"metric '{name}' needs pyiqa and torchvision: pip install 'apisr[metrics]' "
            f"(pyiqa's licence is {LICENCE}); the import said: {error}"
        ) from None
    try:
        network = pyiqa.create_metric(name, device=torch.device(device))
    except OSError as error:
        raise FetchError(f"metric '{name}': pyiqa cannot fetch its weights: {error}") from error
    about = f"{variant.about}, pyiqa {pyiqa.__version__}"
    return Metric(
        name, _function(name, variant.needs, network), variant.needs, not network.lower_better, about, LICENCE
    )


def _function(name: str, needs: Needs, network: Any) -> Any:
    def of_pair(result: Rgb, reference: Rgb) -> float:
        check_pair(name, result, reference)
        return float(network(_tensor(result), _tensor(reference)))

    def of_one(result: Rgb) -> float:
        check_rgb(name, result)
        return float(network(_tensor(result)))

    return of_pair if needs == "reference" else of_one


def _tensor(rgb: Rgb) -> Tensor:
    """(h, w, 3) in 0..255 -> (1, 3, h, w) in 0..1; pyiqa brings it to its device."""
    return torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1))).float().div(255)[None]
