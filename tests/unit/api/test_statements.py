"""Named queries numbered for the driver."""

import re

import pytest

from zeppelin_api import statements
from zeppelin_api.statements import LITERALS, Literal, statement
from zeppelin_pipeline.errors import CorruptStateError


def numbered(monkeypatch: pytest.MonkeyPatch, text: str) -> statements.Statement:
    monkeypatch.setattr(statements, "load_queries", lambda: {"asked": text})
    statement.cache_clear()
    try:
        return statement("asked")
    finally:
        statement.cache_clear()


def test_a_parameter_has_one_number_wherever_it_stands(monkeypatch: pytest.MonkeyPatch):
    found = numbered(monkeypatch, "SELECT %(b)s, %(a)s::text, %(b)s WHERE x LIKE 'a%%'")

    assert (found.text, found.names) == ("SELECT $1, $2::text, $1 WHERE x LIKE 'a%'", ("b", "a"))


def test_a_parameter_without_a_name_is_refused(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(CorruptStateError, match="asked"):
        numbered(monkeypatch, "SELECT %s")


@pytest.mark.parametrize(
    ("query", "value", "text"),
    [
        ("get_accounts", False, "WHERE false"),
        ("get_likes", 7, "subject_collection = 7::smallint"),
        ("get_records", (7, 10), "7 = ANY('{7,10}'::integer[])"),
        ("get_reposters", 7, "subject_collection = 7::smallint"),
    ],
)
def test_a_value_that_decides_about_the_plan_stands_in_the_statement(query: str, value: Literal, text: str):
    found = statement(query, value)

    assert text in found.text
    assert LITERALS[query] not in found.names
    assert {f"${number}" for number in range(1, len(found.names) + 1)} == set(re.findall(r"\$\d+", found.text))
