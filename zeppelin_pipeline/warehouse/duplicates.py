"""Which rows prevent a unique key: counted, and the first of them named as a person would look for them. Only reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse.columns import column_list
from zeppelin_pipeline.warehouse.keys import nsid_of_number, tid_of_key
from zeppelin_pipeline.warehouse.queries import load_queries
from zeppelin_pipeline.warehouse.tables import TABLES

NAMED_ROWS: Final = 20
_COLLECTIONS: Final = {table.table: table.collection for table in TABLES.values()}


@dataclass(frozen=True, slots=True)
class Duplicate:
    """One key that several rows have.

    Attributes:
        key: as `did/collection/rkey`, as far as the key has them; other columns as they are.
        rows: that have it.
    """

    key: str
    rows: int


@dataclass(frozen=True, slots=True)
class Duplicates:
    """What prevents a unique index.

    Attributes:
        index: its name.
        table: its table's.
        keys: how many keys several rows have.
        rows: how many rows have such a key.
        named: the first of them, in order of the key, NAMED_ROWS at most.
    """

    index: str
    table: str
    keys: int
    rows: int
    named: tuple[Duplicate, ...]

    def __str__(self) -> str:
        named = ", ".join(f"{one.key} ({one.rows} rows)" for one in self.named)
        more = f", and {self.keys - len(self.named)} more" if self.keys > len(self.named) else ""
        return f"{self.table} holds {self.keys} keys of {self.index} more than once, in {self.rows} rows: {named}{more}"


class DuplicateKeysError(CorruptStateError):
    """Unique indexes cannot be built; all that could be are.

    Attributes:
        duplicates: of each such index.
    """

    def __init__(self, duplicates: Sequence[Duplicates]) -> None:
        super().__init__("; ".join(map(str, duplicates)))
        self.duplicates = tuple(duplicates)


def find_duplicates(connection: Connection[TupleRow], index: str, table: str, columns: Sequence[str]) -> Duplicates:
    """Read a table whole for the keys that it holds more than once."""
    keys = column_list(columns)
    query = sql.SQL(load_queries()["duplicate_keys"]).format(table=sql.Identifier(table), keys=keys)
    found = connection.execute(query, {"limit": NAMED_ROWS}).fetchall()
    key_count, row_count = found[0][:2] if found else (0, 0)
    named = [
        Duplicate(_described(connection, table, dict(zip(columns, values, strict=True))), rows)
        for _, _, rows, *values in found
    ]
    return Duplicates(index, table, key_count, row_count, tuple(named))


def _described(connection: Connection[TupleRow], table: str, key: dict[str, Any]) -> str:
    """A key's texts; a number stands where the dictionary has no text."""
    parts: list[str] = []
    if "actor_id" in key:
        parts.append(_text(connection, "text_of_actor", key.pop("actor_id")))
    if "collection" in key:
        number = key.pop("collection")
        parts.append(nsid_of_number(number) or _text(connection, "text_of_collection", number))
    elif parts and _COLLECTIONS.get(table):
        parts.append(str(_COLLECTIONS[table]))
    if "rkey" in key:
        rkey = key.pop("rkey")
        parts.append(tid_of_key(rkey) if rkey >= 0 else _text(connection, "text_of_record_key", rkey))
    return "/".join([*parts, *(f"{column}={value}" for column, value in key.items())])


def _text(connection: Connection[TupleRow], query: str, key: int) -> str:
    row = connection.execute(load_queries()[query], {"id": key}).fetchone()
    return str(row[0]) if row else str(key)
