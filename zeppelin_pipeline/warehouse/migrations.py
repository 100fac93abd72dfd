"""Brings a database to the current schema: applies `sql/migrations/*.sql` in order, each once."""

import hashlib
import secrets
from pathlib import Path
from typing import LiteralString, cast

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse.connection import connect
from zeppelin_pipeline.warehouse.keys import KEY_BYTES, WELL_KNOWN_COLLECTIONS
from zeppelin_pipeline.warehouse.queries import sql_folder

#: Any two migrations of one database wait for each other on this advisory lock ("zepmigr" in ASCII).
_LOCK = 0x7A65706D696772


def migrate(url: str) -> list[str]:
    """Apply what is missing; safe to run at any time, by several processes at once.

    Returns:
        The names of the migrations that were applied now.

    Raises:
        CorruptStateError: an applied migration's file has changed since.
    """
    with connect(url, application="zeppelin migrate") as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        applied = _applied(connection)
        new = [path for path in migration_files() if _is_new(path, applied)]
        for path in new:
            connection.execute(cast("LiteralString", path.read_text(encoding="utf-8")))
            connection.execute("INSERT INTO migration (name, sha256) VALUES (%s, %s)", (path.stem, _sha256(path)))
        _plant(connection)
    return [path.stem for path in new]


def migration_files() -> list[Path]:
    """The migrations, oldest first."""
    return sorted((sql_folder() / "migrations").glob("[0-9][0-9][0-9][0-9]_*.sql"))


def _applied(connection: Connection[TupleRow]) -> dict[str, bytes]:
    row = connection.execute("SELECT to_regclass('migration') IS NOT NULL").fetchone()
    if row is None or not row[0]:
        return {}
    return {name: bytes(sha256) for name, sha256 in connection.execute("SELECT name, sha256 FROM migration")}


def _is_new(path: Path, applied: dict[str, bytes]) -> bool:
    known = applied.get(path.stem)
    if known is not None and known != _sha256(path):
        raise CorruptStateError(
            f"the migration {path.name} was changed after it was applied: restore it, add a new one"
        )
    return known is None


def _sha256(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def _plant(connection: Connection[TupleRow]) -> None:
    """Make the warehouse's secret once, and give the well-known collections their numbers.

    Raises:
        CorruptStateError: a collection has another key already, from before it was well-known.
    """
    connection.execute(
        "INSERT INTO warehouse (hash_key) VALUES (%s) ON CONFLICT DO NOTHING", (secrets.token_bytes(KEY_BYTES),)
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO collection (id, nsid) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [(number, nsid) for nsid, number in WELL_KNOWN_COLLECTIONS.items()],
        )
    planted = dict(connection.execute("SELECT nsid, id FROM collection").fetchall())
    for nsid, number in WELL_KNOWN_COLLECTIONS.items():
        if planted.get(nsid) != number:
            raise CorruptStateError(
                f"{nsid} has the key {planted.get(nsid)}, not {number}: a migration must move its rows first"
            )
