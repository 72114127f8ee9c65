"""What the command line shows: progress and logs on stderr, results on stdout."""

import base64
import json
import logging
import math
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from apisr_data.stages import Report

OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)
_FEW_COLUMNS = 6  # so many can share a terminal's width, folded


class Bars:
    """A Progress: one bar a stage with rate and time left; on a file or pipe, one line a stage and nothing moving."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description:<8}"), BarColumn(), _Amount(), _Rate(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=ERR, transient=True, disable=not ERR.is_terminal)
        self._task: TaskID | None = None

    def __enter__(self) -> "Bars":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, stage: str, total: float, unit: str) -> None:
        """Replace the bar by that of `stage`."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        if total > 0:
            self._task = self._progress.add_task(stage, total=total, unit=unit)

    def describe(self, stage: str) -> None:
        """Let the bar say more of its stage."""
        if self._task is not None:
            self._progress.update(self._task, description=stage)

    def advance(self, amount: float) -> None:
        """Move the bar."""
        if self._task is not None:
            self._progress.advance(self._task, amount)

    def follow(self, stage: str, unit: str) -> Callable[[float, float | None], None]:
        """A function to be told what is done and its final amount; the bar appears when it is first called."""
        shown: float | None = None

        def progress(done: float, total: float | None) -> None:
            nonlocal shown
            if shown is None:
                self.begin(stage, total or 0, unit)
            self.advance(done - (shown or 0))
            shown = done

        return progress


class _Amount(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{_amount(task.completed, task.fields['unit'])} / {_amount(task.total or 0, task.fields['unit'])}")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{_amount(task.speed, task.fields['unit'])}/s" if task.speed else "")


def _amount(value: float, unit: str) -> str:
    if unit != "bytes":
        return f"{value:,.0f} {unit}"
    return f"{value / 1e9:.2f} GB" if value >= 1e9 else f"{value / 1e6:.1f} MB"


def show(report: "Report") -> None:
    """One line on what a stage did; each failure and warning by name on stderr."""
    mark = "=" if report.did_nothing else "+"
    OUT.print(f"{mark} {report.stage:<8} {report.summary}")
    for warning in report.warnings:
        ERR.print(f"  warning: {warning}", style="yellow", markup=False)
    for error in report.failed:
        ERR.print(f"  failed: {error}", style="red", markup=False)


def show_rows(columns: list[str], rows: list[tuple[Any, ...]], form: str) -> None:
    """Rows as a table, as CSV or as JSON lines' array, on stdout."""
    if form == "csv":
        import csv

        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([[_text(v) if isinstance(v, bytes) else v for v in row] for row in rows])
    elif form == "json":
        known = [
            [None if isinstance(v, float) and math.isnan(v) else v for v in row] for row in rows
        ]  # JSON has no NaN
        OUT.file.write(
            json.dumps([dict(zip(columns, r, strict=True)) for r in known], default=_text, ensure_ascii=False)
        )
        OUT.file.write("\n")
    else:
        cells = [["" if v is None else f"{v:.4g}" if isinstance(v, float) else str(v) for v in row] for row in rows]
        _show_table(columns, cells)
        OUT.print(f"{len(rows):,} row{'s' if len(rows) != 1 else ''}")


def _text(value: object) -> str:
    """What JSON and CSV have no type for, as text; bytes in base 64."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _show_table(columns: list[str], cells: list[list[str]]) -> None:
    """A table where it fits the terminal, else a block of `column value` lines for each row."""
    needed = sum(max(len(c) for c in [head, *column]) + 3 for head, *column in zip(columns, *cells, strict=True))
    if needed >= OUT.width and len(columns) > _FEW_COLUMNS:
        width = max(map(len, columns))
        for number, row in enumerate(cells, 1):
            OUT.print(f"-- row {number}")
            for column, cell in zip(columns, row, strict=True):
                OUT.print(f"{column:<{width}}  {cell}", markup=False)
        return
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    OUT.print(table)


def set_up_logging(*, is_verbose: bool) -> None:
    """Our log on stderr: warnings, and with -v everything we say."""
    logging.basicConfig(
        level=logging.WARNING, format="%(levelname)s: %(message)s", handlers=[_Above(logging.NOTSET)], force=True
    )
    for package in ("apisr_data", "apisr_model"):
        logging.getLogger(package).setLevel(logging.DEBUG if is_verbose else logging.WARNING)


class _Above(logging.Handler):
    """Prints above the bar instead of into it."""

    def emit(self, record: logging.LogRecord) -> None:
        ERR.print(f"{record.levelname.lower()}: {record.getMessage()}", markup=False)


def seconds_since(start: float) -> str:
    """Time since `start` (time.monotonic) for a closing line."""
    passed = time.monotonic() - start
    return f"{passed:.1f} s" if passed < 120 else f"{passed / 60:.1f} min"
