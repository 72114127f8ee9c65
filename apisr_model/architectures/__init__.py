"""The networks by name; each file here that declares `ARCHITECTURE` is one."""

import importlib
import pkgutil
from functools import cache
from typing import Any

from torch import nn

from apisr_data.config import parse
from apisr_data.errors import ConfigError
from apisr_model.architectures.record import Architecture, Config, State

__all__ = ["Architecture", "Config", "State", "build", "configure", "detect", "get", "names"]


def names() -> tuple[str, ...]:
    """The architectures that `build` knows."""
    return tuple(sorted(_all()))


def get(name: str) -> Architecture:
    """The record of that architecture.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in _all():
        raise ConfigError(f"no architecture '{name}'; there are {', '.join(names())}")
    return _all()[name]


def build(name: str, *, variant: str | None = None, **config: Any) -> nn.Module:
    """The network of that name with freshly drawn weights, in training mode; `config` overrides the variant's fields.

    Raises:
        ConfigError: no such architecture, variant or field, or a value that it cannot have.
    """
    return get(name).build(configure(name, variant=variant, **config))


def configure(name: str, *, variant: str | None = None, **config: Any) -> Any:
    """The `Config` that `build` hands to the architecture.

    Raises:
        ConfigError: as `build`.
    """
    architecture = get(name)
    if variant is not None and variant not in architecture.variants:
        raise ConfigError(f"{name} has no variant '{variant}'; there are {', '.join(architecture.variants) or 'none'}")
    values = dict(architecture.variants[variant]) if variant else {}
    return parse(architecture.config, values | config, name)


def detect(state: State) -> tuple[Architecture, Config] | None:
    """The architecture and configuration that `state` belongs to; None when no architecture knows it.

    Raises:
        WeightsError: it is of an architecture of ours, but for pictures that are not RGB.
    """
    for architecture in _all().values():
        try:
            config = architecture.detect(state)
        except (ArithmeticError, LookupError, ValueError):  # keys like ours with shapes or numbers that ours never have
            continue
        if config is not None:
            return architecture, config
    return None


@cache
def _all() -> dict[str, Architecture]:
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    records = [module.ARCHITECTURE for module in modules if hasattr(module, "ARCHITECTURE")]
    return {record.name: record for record in records}
