"""A folder that only we fill: what we made in it is listed, so that it, and nothing else, can be taken away again."""

import contextlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from apisr_data.errors import UsageError


class OwnFolder:
    """An empty folder, or one that the same command (`made_by`: export, replay) filled before.

    The list, .apisr-<made_by>, has a line a file, its path and once it is sealed its size; and a first line `# <kind>`.

    Raises:
        UsageError: it holds other things, or is a file.
    """

    def __init__(self, path: Path, *, made_by: str) -> None:
        self.path = path
        self._list = path / f".apisr-{made_by}"
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path}: a file; give a new folder")
        if path.exists() and any(path.iterdir()) and not self._list.exists():
            raise UsageError(f"{path}: not empty and not an earlier {made_by}; give a new folder")

    @property
    def kind(self) -> str | None:
        """What the folder was cleared for; None where nothing says so."""
        if not self._list.exists():
            return None
        with self._list.open(encoding="utf-8", errors="replace") as listed:
            first = listed.readline()
        return first[2:].strip() if first.startswith("# ") else None

    def clear(self, kind: str) -> None:
        """Remove what was made before, the manifest first, so that the rest is not taken for whole."""
        (self.path / "manifest.parquet").unlink(missing_ok=True)
        made = [name for name, _ in self._made()]
        for name in made:
            (self.path / name).unlink(missing_ok=True)
        folders = {parent for name in made for parent in name.parents if parent.parts}
        for folder in sorted(folders, key=lambda f: -len(f.parts)):
            with contextlib.suppress(OSError):  # someone else's files stand in it
                (self.path / folder).rmdir()
        self.path.mkdir(parents=True, exist_ok=True)
        self._list.write_text(f"# {kind}\n", encoding="utf-8")

    def create(self, name: str) -> Path:
        """List the file `name` as ours, and say where it goes; its folder is there afterwards."""
        self.path.mkdir(parents=True, exist_ok=True)
        with self._list.open("a", encoding="utf-8") as listed:
            listed.write(f"{name}\n")
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def seal(self) -> None:
        """Note the sizes of the files that were made."""
        lines = [f"# {self.kind}\n"] + [f"{name}\t{(self.path / name).stat().st_size}\n" for name, _ in self._made()]
        temporary = self._list.with_name(f"{self._list.name}.tmp")
        try:
            temporary.write_text("".join(lines), encoding="utf-8")
            temporary.replace(self._list)
        finally:
            temporary.unlink(missing_ok=True)

    def is_whole(self) -> bool:
        """Whether every file that was made is there, of its size where that was noted."""
        try:
            sizes = [(size, (self.path / name).stat().st_size) for name, size in self._made()]
        except OSError:
            return False
        return bool(sizes) and all(noted in (None, found) for noted, found in sizes)

    def _made(self) -> Iterator[tuple[PurePosixPath, int | None]]:
        """The listed files inside the folder, with their sizes where noted."""
        if not self._list.exists():
            return
        for line in self._list.read_text(encoding="utf-8", errors="replace").splitlines():
            text, _, size = line.partition("\t")
            name = PurePosixPath(text)
            if text and not line.startswith("# ") and not name.is_absolute() and ".." not in name.parts:
                yield name, int(size) if size.isdecimal() else None
