"""The reader of named queries."""

from pathlib import Path

import pytest

from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse import queries


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of queries that the reader looks into; what it remembers is forgotten before and after."""
    (tmp_path / "queries").mkdir()
    monkeypatch.setattr(queries, "sql_folder", lambda: tmp_path)
    monkeypatch.setattr(queries, "load_queries", queries.load_queries.__wrapped__)
    return tmp_path / "queries"


def test_a_query_ends_where_the_next_begins(folder: Path):
    (folder / "a.sql").write_text("-- Things.\n\n-- name: one\n-- First.\nSELECT 1;\n\n-- name: two\nSELECT 2;\n")
    assert dict(queries.load_queries()) == {"one": "-- First.\nSELECT 1;", "two": "SELECT 2;"}


def test_queries_of_all_files_are_read(folder: Path):
    (folder / "a.sql").write_text("-- name: one\nSELECT 1;\n")
    (folder / "b.sql").write_text("-- name: two\nSELECT 2;\n")
    assert set(queries.load_queries()) == {"one", "two"}


def test_a_name_that_is_there_twice_is_refused(folder: Path):
    (folder / "a.sql").write_text("-- name: one\nSELECT 1;\n")
    (folder / "b.sql").write_text("-- name: one\nSELECT 2;\n")
    with pytest.raises(CorruptStateError, match=r"b\.sql: the query one is there twice"):
        queries.load_queries()


def test_text_before_the_first_name_is_refused(folder: Path):
    (folder / "a.sql").write_text("-- Fine.\nSELECT 0;\n-- name: one\nSELECT 1;\n")
    with pytest.raises(CorruptStateError, match=r"a\.sql: text before the first name: SELECT 0;"):
        queries.load_queries()


def test_every_query_of_the_project_says_what_it_is_for():
    nameless = [name for name, text in queries.load_queries().items() if not text.startswith("-- ")]
    assert nameless == []
