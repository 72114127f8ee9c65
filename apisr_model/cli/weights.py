"""`apisr-model weights`: what the zoo has, and fetching it."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

app = typer.Typer(no_args_is_help=True, help="List and fetch published weights.", rich_markup_mode=None)


@app.command("list")
def list_(
    json: Annotated[bool, typer.Option("--json", help="Print JSON: a list with one object a file.")] = False,
) -> None:
    """The published weights by name: what they are, under which licence, and whether they are here.

    Those for training are what its perceptual loss looks at pictures with.
    """
    from apisr_data import cache
    from apisr_data.terminal import ERR, OUT, show_rows
    from apisr_model import weights

    rows: list[tuple[str | int | None, ...]] = [
        (name, "upscaling", None, None, None, _size(path), path.name) for name, path in weights.packaged().items()
    ]
    rows += [
        (e.name, "upscaling", e.architecture, e.scale, e.licence, _size(cache.find(e.file)), e.file)
        for e in weights.ENTRIES.values()
    ]
    rows += [
        (p.name, "training", None, None, p.licence, _size(cache.find(p.file)), p.file)
        for p in weights.FOR_TRAINING.values()
    ]
    columns = ["name", "for", "architecture", "scale", "licence", "here", "file"]
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
    all_: Annotated[
        bool, typer.Option("--all", help="All that upscale; what is for training is fetched by name.")
    ] = False,
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
    asked = weights.ENTRIES if all_ else names or []
    entries = [weights.FOR_TRAINING.get(name) or weights.get(name) for name in asked]
    failed = False
    for entry in entries:
        ERR.print(f"{entry.name}: licence {entry.licence}; {entry.about}", markup=False)
        try:
            with Bars() as bars:
                path = weights.fetch(entry, offline=offline, progress=bars.follow(entry.name, "bytes"))
        except FetchError as error:
            failed = True
            ERR.print(f"  failed: {error}", style="red", markup=False)
        else:
            OUT.print(f"{path} ({_size(path)})", markup=False)
    if failed:
        raise typer.Exit(1)
    is_for_training = entries[0].name in weights.FOR_TRAINING
    OUT.print(
        f"next: apisr-model {'train MANIFEST' if is_for_training else f'upscale PICTURE --weights {entries[0].name}'}"
    )


def _size(path: "Path | None") -> str | None:
    return f"{path.stat().st_size / 1e6:.1f} MB" if path else None
