"""The networks that visitors choose from: those of the command line, then those that are here, then the rest."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from apisr_data import cache
from apisr_model import checkpoint, weights
from apisr_model.checkpoint import Precision
from apisr_model.errors import WeightsError
from apisr_model.network import Network
from apisr_model.weights import Entry

_KEPT = 2
"""Networks in memory at a time."""


@dataclass(frozen=True)
class Choice:
    """Weights as a visitor sees them: `name` and what they are, never where they lie."""

    name: str
    path: Path | None
    """None: of the zoo, wherever its file will be."""
    entry: Entry | None
    licence: str
    """In one sentence."""

    @property
    def is_here(self) -> bool:
        """Whether they can be used now."""
        return self.path is not None or (self.entry is not None and cache.find(self.entry.file) is not None)

    @property
    def label(self) -> str:
        """The name, and what keeps it from being used."""
        return self.name if self.is_here else f"{self.name} (not fetched)"


class Shelf:
    """Weights by name, and the networks used last.

    Raises:
        WeightsError, DeviceError: one of the files or names `given` cannot be loaded.
    """

    def __init__(self, given: Sequence[str] = (), *, device: str = "auto", precision: Precision = "auto") -> None:
        self._device, self._precision = device, precision
        self._lock = threading.Lock()
        self._networks: OrderedDict[str, Network] = OrderedDict()
        ours = _distinct([_given(name) for name in given])
        found = ours + [Choice(name, path, None, _licence(path, None)) for name, path in weights.packaged().items()]
        zoo = [Choice(entry.name, None, entry, _licence(None, entry)) for entry in weights.ENTRIES.values()]
        found += sorted(zoo, key=lambda choice: not choice.is_here)
        choices: dict[str, Choice] = {}
        for choice in found:  # of one name the first is taken
            choices.setdefault(choice.name, choice)
        self.choices: Mapping[str, Choice] = choices
        for choice in ours:
            self.network(choice.name)

    @property
    def default(self) -> str | None:
        """The first that is here."""
        return next((name for name, choice in self.choices.items() if choice.is_here), None)

    @property
    def folders(self) -> set[Path]:
        """Where weights lie, which visitors need not know."""
        return {cache.folder(), *(choice.path.parent for choice in self.choices.values() if choice.path)}

    def network(self, name: str | None) -> Network:
        """The network of that name, loaded once and kept while it is among the last used; nothing is fetched.

        Raises:
            WeightsError: there is none, or it is damaged.
            DeviceError: the device or the precision is not to be had here.
        """
        if name is None:
            raise WeightsError(
                "no weights are chosen; those that are not here come by `apisr-model weights fetch NAME`"
            )
        choice = self.choices.get(name)
        if choice is None:
            raise WeightsError(f"no weights '{name}' here: choose one of the list")
        if not choice.is_here:
            raise WeightsError(
                f"{name} is not on this machine: whoever runs this page gets it by "
                f"`apisr-model weights fetch {name}`, and then it works without a restart"
            )
        with self._lock:
            if choice.name not in self._networks:
                self._networks[choice.name] = checkpoint.load(
                    choice.path or choice.name, self._device, precision=self._precision
                )
                while len(self._networks) > _KEPT:
                    self._networks.popitem(last=False)
            self._networks.move_to_end(choice.name)
            return self._networks[choice.name]


def _given(name: str) -> Choice:
    """A name of the zoo, which must be here, or a file."""
    path, entry = weights.resolve(name, offline=True)
    if entry is not None and not Path(name).is_file():
        return Choice(entry.name, None, entry, _licence(None, entry))
    return Choice(path.name, path, entry, _licence(path, entry))


def _distinct(choices: list[Choice]) -> list[Choice]:
    """Files of one name, as runs leave them, are numbered: `network.safetensors (2)`."""
    seen: Counter[str] = Counter()
    named = []
    for choice in dict.fromkeys(choices):
        seen[choice.name] += 1
        number = seen[choice.name]
        named.append(choice if number == 1 else replace(choice, name=f"{choice.name} ({number})"))
    return named


def _licence(path: Path | None, entry: Entry | None) -> str:
    if entry is not None:
        return f"{entry.about[0].upper()}{entry.about[1:]}. Licence of these weights: {entry.licence}, their authors'."
    found = checkpoint.read(path)[1].get("licence") if path and path.suffix.lower() != ".onnx" else None
    return f"Licence of these weights: {found or 'not stated in the file'}."
