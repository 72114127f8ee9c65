"""`apisr-model weights`."""

import typer

app = typer.Typer(no_args_is_help=True, help="Not written yet.")


@app.command("list")
def list_() -> None:
    """Not written yet."""
    raise NotImplementedError
