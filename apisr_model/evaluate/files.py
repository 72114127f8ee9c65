"""Cases as files: what an input is called on the disk, and which of another system's files is its result."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from apisr_data.errors import ImageError


def stems(names: Iterable[str]) -> dict[str, PurePosixPath]:
    """For each case a path of its own, to be followed by a suffix: a.png's is `a`; `a.png` where there is an a.jpg."""
    whole = {
        name: PurePosixPath(*(part for part in PurePosixPath(name).parts if part not in ("/", ".."))) for name in names
    }
    claims = Counter(path for long in whole.values() for path in {long, long.with_suffix("")})
    return {name: long if claims[long.with_suffix("")] > 1 else long.with_suffix("") for name, long in whole.items()}


class Results:
    """Another system's pictures in `folder`; `names` are those of all cases, so that none takes another's file."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self._folder = folder
        self._stems = stems(names)
        self._by_stem = {stem: name for name, stem in self._stems.items()}
        alike = Counter(stem.name for stem in self._by_stem)
        self._by_name = {stem.name: name for stem, name in self._by_stem.items() if alike[stem.name] == 1}
        self._files: dict[str, list[PurePosixPath]] = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                file = PurePosixPath(path.relative_to(folder).as_posix())
                if owner := self._owner(file):
                    self._files.setdefault(owner, []).append(file)

    def find(self, case: str) -> Path:
        """The file for `case`: of the same path, else of the same name in any folder, else of that and an addition.

        Raises:
            ImageError: there is none, or several could be meant.
        """
        files, stem = self._files.get(case, []), self._stems[case]
        nearest = (
            [file for file in files if file.as_posix() == case],
            [file for file in files if file.with_suffix("") == stem],
            [file for file in files if file.stem == stem.name],
        )
        chosen = next(filter(None, nearest), files)
        if len(chosen) != 1:
            named = ", ".join(file.name for file in chosen[:3])
            what = f"{len(chosen)} that could be meant: {named}" if chosen else "none"
            raise ImageError(f"{self._folder}: the result for '{case}' was looked for, found {what}")
        return self._folder / chosen[0]

    def _owner(self, file: PurePosixPath) -> str | None:
        """The case whose whole name the file has, or the longest one that its name without suffix begins with."""
        if file.as_posix() in self._stems:
            return file.as_posix()
        starts = (self._by_stem.get(file.parent / start) or self._by_name.get(start) for start in _starts(file.stem))
        return next(filter(None, starts), None)


def _starts(stem: str) -> Iterator[str]:
    """`stem`, and what is left of it without additions such as _out, .apisr or -4x; the longest first."""
    yield stem
    for end in reversed([found.start() for found in re.finditer(r"[._-]", stem)]):
        yield stem[:end]
