"""`apisr-model weights`: what the zoo has, and fetching it."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from apisr_data.cache import Progress
    from apisr_data.terminal import Bars

app = typer.Typer(no_args_is_help=True, help="List and fetch published weights.", rich_markup_mode=None)


@app.command("list")
def list_(
    json: Annotated[bool, typer.Option("--json", help="Print JSON: a list with one object a file.")] = False,
) -> None:
    """The published weights by name: what they are, under which licence, and whether they are here."""
    from apisr_data import cache
    from apisr_data.terminal import ERR, OUT, show_rows
    from apisr_model import weights

    rows: list[tuple[str | int | None, ...]] = [
        (name, None, None, None, _size(path), path.name) for name, path in weights.packaged().items()
    ]
    rows += [
        (entry.name, entry.architecture, entry.scale, entry.licence, _size(cache.find(entry.file)), entry.file)
        for entry in weights.ENTRIES.values()
    ]
    columns = ["name", "architecture", "scale", "licence", "here", "file"]
    if json:
        show_rows(columns, rows, "json")
    else:  # no table: names must stay whole, to be copied, on a narrow terminal
        for row in [tuple(columns), *rows]:
            name, *others = ("-" if cell is None else str(cell) for cell in row)
            OUT.print("  ".join([f"{name:<20}", *(f"{cell:<12}" for cell in others)]).rstrip(), markup=False)
        ERR.print(f"fetched files lie in {cache.folder()}", markup=False)
        OUT.print("next: apisr-model weights fetch NAME")


@app.command()
def fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Names of the list.", metavar="NAME...")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All of the list.")] = False,
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Only say which file to put where; APISR_OFFLINE=1 does it for every command."),
    ] = False,
) -> None:
    """Download weights from their authors' release page; an interrupted download goes on where it stopped."""
    from apisr_data.errors import FetchError, UsageError
    from apisr_data.terminal import ERR, OUT, Bars
    from apisr_model import weights

    if all_ == bool(names):
        raise UsageError("weights fetch wants names, or --all: `apisr-model weights list` shows them")
    entries = list(weights.ENTRIES.values()) if all_ else [weights.get(name) for name in names or []]
    failed = False
    for entry in entries:
        ERR.print(f"{entry.name}: licence {entry.licence}; {entry.about}", markup=False)
        try:
            with Bars() as bars:
                path = weights.fetch(entry, offline=offline, progress=on_bar(bars, entry.name))
        except FetchError as error:
            failed = True
            ERR.print(f"  failed: {error}", style="red", markup=False)
        else:
            OUT.print(f"{path} ({_size(path)})", markup=False)
    if failed:
        raise typer.Exit(1)
    OUT.print(f"next: apisr-model upscale PICTURE --weights {entries[0].name}")


def on_bar(bars: "Bars", name: str) -> "Progress":
    """A download's progress as a bar of that name, which appears once there is a download."""
    shown = 0

    def progress(done: int, total: int | None) -> None:
        nonlocal shown
        if not shown:
            bars.begin(name, total or 0, "bytes")
        bars.advance(done - shown)
        shown = done

    return progress


def _size(path: "Path | None") -> str | None:
    return f"{path.stat().st_size / 1e6:.1f} MB" if path else None
