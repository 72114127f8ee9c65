"""Frames from openly licensed drawings, as two titles: one to train on, one of drawings held out.

    python pipelines/material OPENCLIPART_SVG_FOLDER THE_QUESTION_IMAGES_FOLDER OUT

`OUT/drawn-train` and `OUT/drawn-held-out` get the frames, `OUT/titles.csv` their titles and licences,
`OUT/drawings.csv` every drawing that was looked at, and why it was taken or not. Frames that are there stay.
"""

import csv
import sys
from argparse import ArgumentParser
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2

sys.path.insert(0, str(Path(__file__).parents[1]))

from material.drawings import KINDS, Drawing, survey
from material.scenes import Stock, compose

_HELD_OUT = 0.1
_RESERVED = ("eileen", "lucy", "concert")
"""Names of artwork that is kept for evaluation."""
_LICENCES = {"drawn-train": "CC0-1.0 AND MIT", "drawn-held-out": "CC0-1.0 AND MIT"}


def main() -> None:
    """Parse and run."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clipart", type=Path, help="usr/share/openclipart/svg of Debian's openclipart-svg")
    parser.add_argument("question", type=Path, help="game/images of Debian's renpy-thequestion")
    parser.add_argument("out", type=Path)
    parser.add_argument("--train", type=int, default=600)
    parser.add_argument("--held-out", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    looked_at = survey(given.clipart, held_out=_HELD_OUT, workers=given.workers)
    _write_list(looked_at, given.clipart, given.out / "drawings.csv")
    chosen = [drawing for drawing in looked_at if not drawing.reason]
    if not chosen or not given.question.is_dir():
        wanted = given.question if chosen else given.clipart
        raise SystemExit(f"{wanted}: not the folder that docs/material.md names")
    print(f"{len(chosen):,} of {len(looked_at):,} drawings")
    for title, count, is_held_out in (("drawn-train", given.train, False), ("drawn-held-out", given.held_out, True)):
        drawings = [drawing for drawing in chosen if drawing.is_held_out == is_held_out]
        stock = _stock(drawings, given.question, is_held_out)
        folder = given.out / title
        folder.mkdir(parents=True, exist_ok=True)
        work = partial(_write_frame, stock, folder, 1_000_000 * is_held_out)
        with ProcessPoolExecutor(given.workers) as pool:
            for number, _ in enumerate(pool.map(work, range(count)), 1):
                print(f"\r{title}: {number} of {count}", end="", flush=True)
        print()
    with (given.out / "titles.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "title", "episode", "source", "licence"])
        for title, licence in _LICENCES.items():
            rows.writerow([f"*{title}*", title, "", "openclipart and The Question", licence])


def _stock(drawings: list[Drawing], question: Path, is_held_out: bool) -> Stock:
    """The last background is held out with the drawings held out; the sprites, one character, are trained on."""
    images = sorted(path for path in question.iterdir() if path.suffix in (".jpg", ".png"))
    if reserved := [path.name for path in images if any(word in path.name.casefold() for word in _RESERVED)]:
        raise SystemExit(f"{question}: {reserved[0]} is reserved for evaluation")
    backgrounds = [path for path in images if path.name.startswith("bg")]
    shown = backgrounds[-1:] if is_held_out else backgrounds[:-1]
    sprites = [] if is_held_out else [path for path in images if path not in backgrounds]
    paths, weights = zip(*((drawing.path, KINDS[drawing.kind]) for drawing in drawings), strict=True)
    return Stock(paths, weights, tuple(sprites), tuple(shown))


def _write_frame(stock: Stock, folder: Path, first: int, number: int) -> None:
    path = folder / f"{number:05d}.png"
    if path.exists():
        return
    cv2.setNumThreads(1)
    size = (1920, 1080) if number % 5 == 4 else (1280, 720)
    rgb, _used = compose(stock, first + number, size)
    _, data = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    temporary = path.with_suffix(".part")
    temporary.write_bytes(data.tobytes())
    temporary.replace(path)


def _write_list(drawings: list[Drawing], folder: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["drawing", "kind", "held_out", "left_out_because"])
        rows.writerows([d.path.relative_to(folder).as_posix(), d.kind, d.is_held_out, d.reason] for d in drawings)


if __name__ == "__main__":
    main()
