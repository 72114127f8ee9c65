"""What can be measured on a picture: a module here with a class `Scorer` is a scorer, under the module's name.

A new scorer is one new file; a name that begins with an underscore is not one. Nothing is imported before it is used.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from apisr_data.errors import UsageError
from apisr_data.tables import Column

if TYPE_CHECKING:  # images needs OpenCV, and the names of the scorers must not
    import numpy as np
    from numpy.typing import NDArray

    from apisr_data.images import Picture


class Scorer(Protocol):
    """Measures pictures.

    A complexity scorer also declares `is_complexity = True` and writes one column, named as itself.
    """

    name: ClassVar[str]
    """The module's name."""
    version: ClassVar[int]
    """Raised whenever the same picture would score differently; enters the digest of the settings."""
    columns: ClassVar[tuple[Column, ...]]
    """What it writes to the table of scores."""

    def score(self, pictures: Sequence["Picture"]) -> dict[str, "NDArray[np.float64]"]:
        """One float64 array (len(pictures),) for each column; a picture's score does not depend on its neighbours."""


def names() -> tuple[str, ...]:
    """The scorers' names, in alphabetical order; read from the files, importing none."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


def find(name: str) -> type[Scorer]:
    """The scorer's class, for its `version` and `columns`; needs no weights and loads no torch.

    Raises:
        UsageError: there is no such scorer.
    """
    if name not in names():
        raise UsageError(f"no scorer '{name}'; known scorers: {', '.join(names())}")
    return cast(type[Scorer], importlib.import_module(f"{__name__}.{name}").Scorer)


def columns(name: str) -> tuple[Column, ...]:
    """The columns that the scorer writes.

    Raises:
        UsageError: there is no such scorer.
    """
    return find(name).columns


def is_complexity(name: str) -> bool:
    """Whether the scorer can fill the column `complexity`.

    Raises:
        UsageError: there is no such scorer.
    """
    return bool(getattr(find(name), "is_complexity", False))


def build(name: str, **options: Any) -> Scorer:
    """The scorer, ready to use; `options` are its own, such as icnet's weights and device.

    Raises:
        UsageError: there is no such scorer, or it takes no such option.
        FetchError: it needs weights that are not there.
    """
    scorer = find(name)
    known = inspect.signature(scorer).parameters
    if unknown := options.keys() - known.keys():
        raise UsageError(f"scorer '{name}' takes no option {sorted(unknown)}; it takes {sorted(known) or 'none'}")
    return scorer(**options)
