"""What both command lines do around a command: errors become one line and an exit status."""

import errno
import io
import signal
import sys
from typing import NoReturn

import typer

from apisr_data.errors import ApisrError, UsageError

_EXTRAS = {**dict.fromkeys(("torch", "safetensors", "accelerate", "tensorboard"), "model"), "gradio": "demo"}
"""Packages that commands import where they need them, and the extra of ours that brings each."""


def make_app(about: str) -> typer.Typer:
    """An app without commands yet; `--version` prints the distribution's version."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help=about,
    )

    @app.callback()
    def _options(
        version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
    ) -> None:
        pass

    return app


def run(app: typer.Typer, *, kept: str) -> NoReturn:
    """Run the command; the exit status is 0 done, 1 some inputs failed, 2 wrong usage, 130 interrupted.

    `kept` is what an interruption and a full disk add: what is kept, and how to go on.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    for stream in (sys.stdout, sys.stderr):  # a file's name may hold what the terminal's encoding cannot show
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = app(standalone_mode=False)
    except UsageError as error:
        status = _fail(error, 2)
    except ApisrError as error:
        status = _fail(error, 1)
    except KeyboardInterrupt:
        status = 130
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRAS:
            raise
        status = _fail(f"this command needs {package}: pip install 'apisr[{_EXTRAS[package]}]'", 2)
    except MemoryError:
        status = _fail("memory ran out; close other programs, or give less at a time", 1)
    except OSError as error:
        status = _fail(f"{error}; {kept}" if error.errno == errno.ENOSPC else error, 1)
    except Exception as error:
        if not hasattr(error, "format_message"):  # not the parser's
            raise
        told = error.format_message()
        is_usage = told.startswith("Usage:")  # nothing was asked for
        status = 2 if is_usage else _fail(f"{told} (-h shows the usage)", 2)
        if is_usage:
            print(told, file=sys.stderr)  # noqa: T201
    if status == 130:  # the parser tells an interruption by its status
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _fail(f"interrupted; {kept}", 130)
    sys.exit(status if isinstance(status, int) else 0)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"apisr {version('apisr')}")  # noqa: T201
        raise typer.Exit


def _fail(error: object, status: int) -> int:
    print(f"error: {error}", file=sys.stderr)  # noqa: T201
    return status


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
