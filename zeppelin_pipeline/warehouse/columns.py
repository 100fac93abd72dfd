"""Columns as the statements of the loads list them, for the queries that are made for any table."""

from collections.abc import Iterable

from psycopg import sql


def column_list(names: Iterable[str], alias: str | None = None) -> sql.Composed:
    """Columns as a query lists them, each with the alias of its table where one is given."""
    return sql.SQL(", ").join(sql.Identifier(alias, name) if alias else sql.Identifier(name) for name in names)
