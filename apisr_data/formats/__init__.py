"""How a training set is laid out: a module here with a class `Writer` is a format, under the module's name."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import pyarrow as pa

from apisr_data.errors import UsageError

Create = Callable[[str], Path]
"""Says that the export makes the file of this relative path, and where; its folder is there."""


@dataclass(frozen=True)
class Sample:
    """One training image: `name` is unique, without dot, slash or space; `row` is its manifest row without `image`."""

    name: str
    png: bytes
    row: Mapping[str, Any]


class Writer(Protocol):
    """Writes samples, which come in a shuffled order, and at the end what the format needs besides them."""

    def __init__(self, create: Create) -> None: ...

    def add(self, sample: Sample) -> str:
        """Write one sample; returns `image`, its path relative to the manifest (in an archive: ARCHIVE/MEMBER)."""

    def finish(self, manifest: pa.Table) -> None:
        """Write what stands beside the images."""

    def close(self) -> None:
        """Let go of open files; called in any case, also after an error."""


def names() -> tuple[str, ...]:
    """The formats' names, in alphabetical order."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__)))


def writer(name: str, create: Create) -> Writer:
    """A writer of the format.

    Raises:
        UsageError: there is no such format.
    """
    if name not in names():
        raise UsageError(f"no format '{name}'; known formats: {', '.join(names())}")
    return cast(Writer, importlib.import_module(f"{__name__}.{name}").Writer(create))
