"""The file of `--overrides`: what a person decided about single frames."""

import csv
import io
from pathlib import Path

import pyarrow as pa

from apisr_data import tables
from apisr_data.errors import ConfigError

_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read_overrides(path: Path) -> pa.Table:
    """The decisions in a CSV file with the columns frame_id, is_kept (true or false) and reason (may be absent).

    UTF-8, separated by commas or, as some spreadsheets write it, semicolons; other columns are ignored, so that an
    edited export of a selection serves. A frame may be named again with the same verdict.

    Raises:
        ConfigError: it cannot be read, lacks a column, or has a line that is not a decision; the message names it.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"overrides {path}: cannot be read: {error}") from None
    head = text.partition("\n")[0]
    delimiter = ";" if ";" in head and "," not in head else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    if absent := {"frame_id", "is_kept"} - set(reader.fieldnames or ()):
        raise ConfigError(f"overrides {path}: no column {sorted(absent)}; found {reader.fieldnames or 'nothing'}")
    rows: dict[str, dict[str, object]] = {}
    for row in reader:
        frame_id, word = (row["frame_id"] or "").strip(), (row["is_kept"] or "").strip()
        at = f"overrides {path}, line {reader.line_num}"
        if not frame_id:
            raise ConfigError(f"{at}: frame_id is empty")
        if word.lower() not in _WORDS:
            raise ConfigError(f"{at}: is_kept of {frame_id} is {word!r}; write true or false")
        is_kept, reason = _WORDS[word.lower()], (row.get("reason") or "").strip() or None
        decision = rows.setdefault(frame_id, {"frame_id": frame_id, "is_kept": is_kept, "reason": reason})
        if decision["is_kept"] != is_kept:
            raise ConfigError(f"{at}: {frame_id} is both kept and dropped")
    return tables.OVERRIDES.rows(list(rows.values()))
