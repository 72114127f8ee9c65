"""A folder that only we fill: what we made in it is listed, so that it, and nothing else, can be taken away again."""

import contextlib
from pathlib import Path, PurePosixPath

from apisr_data.errors import UsageError

LIST_NAME = ".apisr-export"


class OwnFolder:
    """An empty folder, or one that holds an earlier export of ours.

    Raises:
        UsageError: it holds other things.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._list = path / LIST_NAME
        is_taken = path.exists() and (not path.is_dir() or any(path.iterdir()))
        if is_taken and not self._list.exists():
            raise UsageError(f"{path}: not empty and not an earlier export; give a new folder")

    def clear(self) -> None:
        """Remove what the earlier export made, its manifest first, so that the rest is not taken for whole."""
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / "manifest.parquet").unlink(missing_ok=True)
        listed = self._list.read_text(encoding="utf-8").splitlines() if self._list.exists() else []
        made = [PurePosixPath(line) for line in listed if line]
        inside = [name for name in made if not name.is_absolute() and ".." not in name.parts]
        for name in inside:
            (self.path / name).unlink(missing_ok=True)
        folders = {parent for name in inside for parent in name.parents if parent.parts}
        for folder in sorted(folders, key=lambda f: -len(f.parts)):
            with contextlib.suppress(OSError):  # someone else's files stand in it
                (self.path / folder).rmdir()
        self._list.write_text("", encoding="utf-8")

    def create(self, name: str) -> Path:
        """List the file `name` as ours, and say where it goes; its folder is there afterwards."""
        with self._list.open("a", encoding="utf-8") as listed:
            listed.write(f"{name}\n")
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
