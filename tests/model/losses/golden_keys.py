"""The reference implementations' state entries, from tests/golden/*.keys.tsv."""

from pathlib import Path

Shapes = dict[str, tuple[int, ...]]


def read(path: Path) -> Shapes:
    """Every entry's name and shape."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:])
    return {key: tuple(int(side) for side in shape.split(",") if side) for key, shape, *_ in rows}
