"""One SELECT over a dataset's tables, on a connection that can write nothing and see no other file."""

import duckdb

from apisr_data.dataset import Dataset
from apisr_data.errors import QueryError
from apisr_data.views import as_pattern


def query(dataset: Dataset, sql: str) -> duckdb.DuckDBPyRelation:
    """The result of a single SELECT (or FROM, WITH, DESCRIBE, SUMMARIZE) over the dataset's views.

    Raises:
        QueryError: not exactly one statement, not a SELECT, or DuckDB refuses it; the message says why.
    """
    lock_down(dataset)
    try:
        statements = duckdb.extract_statements(sql)
        if len(statements) != 1:
            raise QueryError(f"query takes one SELECT, found {len(statements)} statements")
        if statements[0].type != duckdb.StatementType.SELECT:
            kind = statements[0].type.name
            raise QueryError(f"query only reads: one SELECT, found {kind}; tables: {', '.join(table_names(dataset))}")
        return dataset.connection.sql(sql)
    except duckdb.Error as error:
        raise QueryError(str(error)) from None


def lock_down(dataset: Dataset) -> None:
    """From here on, the dataset's connection reads the files of its views only, and its settings cannot change."""
    connection = dataset.connection
    if connection.sql("SELECT current_setting('lock_configuration')").fetchall()[0][0]:
        return
    folder = dataset.path.resolve()
    connection.execute("SET allowed_directories = [?, ?]", [str(folder), as_pattern(folder)])
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def table_names(dataset: Dataset) -> list[str]:
    """The tables and views that a query may name."""
    return [name for (name,) in dataset.connection.sql("SHOW TABLES").fetchall()]
