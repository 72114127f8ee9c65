"""The SQL condition of `--where`: one expression over the columns of a frame, and nothing else."""

import json
from typing import Any

import duckdb
import pyarrow as pa

from apisr_data.errors import QueryError

TABLE = "described"
"""What the rows are called that a condition is about."""

_LOCKED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "python_enable_replacements": False,
    "lock_configuration": True,
}


def check_condition(condition: str, columns: pa.Schema) -> None:
    """Make sure that `condition` is one boolean expression over `columns`, before anything runs.

    It is parsed and bound on a connection of its own that has no data and cannot reach any file, so that what passes
    can be put between parentheses of another query.

    Raises:
        QueryError: it is no expression or more than one, names an unknown column, reads something else, or is not
            boolean; the message repeats it.
    """
    with duckdb.connect(":memory:", config=_LOCKED) as connection:
        try:
            _parse(connection, f"SELECT 1 WHERE {condition}")  # «1=1) OR (1=1» is only one between parentheses
            expected, found = (_parse(connection, _statement(text)) for text in ("true", condition))
            for tree in (expected, found):
                tree["statements"][0]["node"].pop("where_clause", None)
            if found != expected:
                raise QueryError(f"where takes one condition, found more: {condition!r}")
            connection.register(TABLE, columns.empty_table())
            connection.sql(_statement(condition))  # in a WHERE, neither aggregates nor windows are allowed
            kind = connection.sql(f"SELECT (\n{condition}\n) FROM {TABLE}").types[0]  # noqa: S608 (parsed above)
        except duckdb.Error as error:
            raise QueryError(f"where {condition!r}: {error}") from None
    if kind not in ("BOOLEAN", '"NULL"'):
        raise QueryError(f"where {condition!r} is {kind}, not true or false")


def _statement(condition: str) -> str:
    return f"SELECT 1 FROM {TABLE} WHERE (\n{condition}\n)"  # noqa: S608 (this is what gets checked)


def _parse(connection: duckdb.DuckDBPyConnection, statement: str) -> dict[str, Any]:
    rows = connection.execute("SELECT json_serialize_sql(?)", [statement]).fetchall()
    tree: dict[str, Any] = json.loads(rows[0][0])
    if tree["error"]:
        raise QueryError(f"where takes one condition: {tree['error_message']} in {statement!r}")
    return tree
