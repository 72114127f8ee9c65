"""A folder that only we fill: what we made in it is listed, so that it, and nothing else, can be taken away again."""

import contextlib
from pathlib import Path, PurePosixPath

from apisr_data.errors import UsageError


class OwnFolder:
    """An empty folder, or one that the same command (`made_by`: export, replay) filled before.

    Raises:
        UsageError: it holds other things.
    """

    def __init__(self, path: Path, *, made_by: str) -> None:
        self.path = path
        self._list = path / f".apisr-{made_by}"
        is_taken = path.exists() and (not path.is_dir() or any(path.iterdir()))
        if is_taken and not self._list.exists():
            raise UsageError(f"{path}: not empty and not an earlier {made_by}; give a new folder")

    def clear(self) -> None:
        """Remove what was made before, the manifest first, so that the rest is not taken for whole."""
        (self.path / "manifest.parquet").unlink(missing_ok=True)
        if not self._list.exists():
            return
        made = [PurePosixPath(line) for line in self._list.read_text(encoding="utf-8").splitlines() if line]
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
        self.path.mkdir(parents=True, exist_ok=True)
        with self._list.open("a", encoding="utf-8") as listed:
            listed.write(f"{name}\n")
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
