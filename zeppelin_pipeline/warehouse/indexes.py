"""Builds what `sql/indexes.sql` declares and verifies that all of it stands."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, LiteralString, cast

import psycopg
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse.queries import load_queries, sql_folder

_STATEMENT: Final = re.compile(
    r"CREATE (?P<unique>UNIQUE )?INDEX IF NOT EXISTS (?P<name>\w+)\s+ON (?P<table>\"?\w+\"?) [^;]*;", re.DOTALL
)
#: Any two builders wait for each other on this advisory lock ("zepindx" in ASCII).
_LOCK: Final = 0x7A6570696E6478


@dataclass(frozen=True, slots=True)
class DeclaredIndex:
    """One statement of `sql/indexes.sql`."""

    name: str
    table: str
    is_unique: bool
    statement: LiteralString


@dataclass(frozen=True, slots=True)
class BuiltIndex:
    """An index that stands.

    Attributes:
        name: its name.
        table: its table's.
        bytes: its size.
        seconds: taken to build it now; None where it stood before.
    """

    name: str
    table: str
    bytes: int
    seconds: float | None


def declared_indexes() -> list[DeclaredIndex]:
    """Every index of `sql/indexes.sql`, in its order.

    Raises:
        CorruptStateError: the file holds something else than `CREATE INDEX IF NOT EXISTS` statements.
    """
    text = (sql_folder() / "indexes.sql").read_text(encoding="utf-8")
    text = re.sub(r"--.*$", "", text, flags=re.MULTILINE)
    rest = _STATEMENT.sub("", text).strip()
    if rest:
        raise CorruptStateError(f"indexes.sql: not an index: {rest.splitlines()[0]}")
    return [
        DeclaredIndex(
            match["name"], match["table"].strip('"'), match["unique"] is not None, cast("LiteralString", match[0])
        )
        for match in _STATEMENT.finditer(text)
    ]


def build_indexes(
    connection: Connection[TupleRow], *, report: Callable[[BuiltIndex], None] | None = None
) -> list[BuiltIndex]:
    """Build what is missing, one index a transaction: what is built stays when a later one fails.

    Args:
        connection: in autocommit.
        report: told of each index as it stands.

    Raises:
        CorruptStateError: a unique index cannot be built; the message names the first doubled key.
    """
    connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
    try:
        standing = _standing(connection)
        built: list[BuiltIndex] = []
        for index in declared_indexes():
            seconds = None if standing.get(index.name) else _build(connection, index, standing)
            size = connection.execute("SELECT pg_relation_size(to_regclass(%s))", (index.name,)).fetchone()
            built.append(BuiltIndex(index.name, index.table, size[0] if size else 0, seconds))
            if report:
                report(built[-1])
        for table in sorted({index.table for index in built if index.seconds is not None}):
            connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table)))
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
    return built


def has_all_indexes(connection: Connection[TupleRow]) -> bool:
    """Whether every declared index stands whole: before that, looking up one account reads whole tables."""
    standing = _standing(connection)
    return all(standing.get(index.name, False) for index in declared_indexes())


def _standing(connection: Connection[TupleRow]) -> dict[str, bool]:
    """The indexes that exist, and whether each is whole."""
    return dict(connection.execute(load_queries()["standing_indexes"]).fetchall())


def _build(connection: Connection[TupleRow], index: DeclaredIndex, standing: dict[str, bool]) -> float:
    started = time.monotonic()
    if index.name in standing:  # left invalid by a build that was cut off
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(index.name)))
    try:
        connection.execute(index.statement)
    except psycopg.errors.UniqueViolation as error:
        raise CorruptStateError(
            f"{index.table} holds a key twice, {index.name}: {error.diag.message_detail}"
        ) from error
    return time.monotonic() - started
