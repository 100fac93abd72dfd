"""Reads all that a warehouse holds, to compare it with what another holds. No tests here."""

from typing import Any

import psycopg
from psycopg import sql

#: What loads write. Times of writing (`load.loaded_at`) differ between runs and are left out.
TABLES = (
    *("actor", "record_key", "collection", "repo", "identity", "quarantine"),
    *("profile", "post", "like", "repost", "follow", "block", "list", "list_item", "list_block", "starter_pack"),
    *("verification", "generator", "labeler", "threadgate", "postgate", "record"),
)


def contents(connection: psycopg.Connection) -> dict[str, list[Any]]:
    """Every row of every table that a load writes, in order of its text."""
    found: dict[str, list[Any]] = {table: rows(connection, table) for table in TABLES}
    ledger = "SELECT shard, fingerprint, rows, rejected, entries, quarantined FROM load ORDER BY shard"
    found["load"] = connection.execute(ledger).fetchall()
    connection.commit()
    return found


def rows(connection: psycopg.Connection, table: str) -> list[str]:
    """Every row of a table as Postgres writes it."""
    query = sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1").format(sql.Identifier(table))
    return [text for (text,) in connection.execute(query)]


def count(connection: psycopg.Connection, table: str) -> int:
    """Rows of a table."""
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
    assert row is not None
    return row[0]
