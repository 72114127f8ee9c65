import pytest

from apisr_data import query, tables
from apisr_data.dataset import create_dataset
from apisr_data.errors import QueryError


@pytest.fixture
def dataset(tmp_path):
    made = create_dataset(tmp_path / "d's [x]")
    row = {"video_id": "aa", "path": "/a.mkv", "title": "千と千尋"}
    made.write_table(tables.SOURCES, tables.SOURCES.rows([row]), "")
    return made


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT title FROM sources",
        "WITH t AS (FROM sources) SELECT title FROM t",
        "SELECT title FROM sources -- ; DROP VIEW sources",
    ],
)
def test_a_select_reads_the_tables(dataset, sql):
    assert query.query(dataset, sql).fetchall() == [("千と千尋",)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("COPY sources TO 'out.csv'", "found COPY"),
        ("CREATE TABLE t AS SELECT 1", "found CREATE"),
        ("DROP VIEW sources", "found DROP"),
        ("SET enable_external_access = true", "found SET"),
        ("ATTACH 'other.db'", "found ATTACH"),
        ("INSTALL httpfs", "found LOAD"),
        ("SELECT 1; SELECT 2", "found 2 statements"),
        ("", "found 0 statements"),
        ("SELEC", "syntax error"),
        ("FROM nowhere", "nowhere"),
    ],
)
def test_anything_but_one_select_is_refused(dataset, sql, message):
    with pytest.raises(QueryError, match=message):
        query.query(dataset, sql)


@pytest.mark.parametrize("function", ["read_text", "read_csv", "glob", "read_blob"])
def test_files_outside_the_dataset_cannot_be_seen(dataset, tmp_path, function):
    secret = tmp_path / "secret.txt"
    secret.write_text("s")
    with pytest.raises(QueryError, match="Permission"):
        query.query(dataset, f"SELECT * FROM {function}('{secret}')").fetchall()


def test_an_unknown_table_lists_the_known(dataset):
    assert query.table_names(dataset) == sorted(t.name for t in tables.TABLES)


def test_show_tables_lists_the_documented_tables_alone(dataset):
    listed = query.query(dataset, "SHOW TABLES").fetchall()
    assert listed == [(name,) for name in sorted(t.name for t in tables.TABLES)]
