"""Key ranges whose counts are out of date: rows were written or removed there, and their counts were not.

Marks are set in the transaction of the rows and cleared in that of a recomputation, before it reads: a mark that it
does not see stays. Here is also which columns say what a row counts for.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pyarrow as pa
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.key_ranges import RANGES, SHIFT, range_name, ranges_of
from zeppelin_pipeline.warehouse.queries import load_queries

#: For each table, the columns that hold the account in whose range a row counts, each with the aggregates that do.
COUNTED: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "like": {"subject_actor": ("post_counts", "record_counts")},
    "repost": {"subject_actor": ("post_counts",)},
    "post": {
        "reply_parent_actor": ("post_counts",),
        "quote_actor": ("post_counts", "violations"),
        "actor_id": ("actor_counts", "post_search"),
        "reply_root_actor": ("violations",),
    },
    "follow": {"actor_id": ("actor_counts",), "subject_actor": ("actor_counts",)},
    "list_item": {"actor_id": ("record_counts",)},
    "threadgate": {"actor_id": ("violations",)},
    "postgate": {"actor_id": ("violations",)},
    "profile": {"actor_id": ("name_search",), "pack_actor": ("record_counts",)},
    "generator": {"actor_id": ("name_search",)},
    "starter_pack": {"actor_id": ("name_search",)},
}


@dataclass(frozen=True, slots=True)
class DirtyRange:
    """A range to be computed anew.

    Attributes:
        aggregate: the derived table.
        key_range: its name, see `key_ranges`.
        marked_at: of the oldest mark.
        marks: how many transactions marked it.
    """

    aggregate: str
    key_range: str
    marked_at: datetime
    marks: int


class DirtyRanges:
    """Collects what one transaction touches, then marks it."""

    def __init__(self) -> None:
        self._ranges: defaultdict[str, set[int]] = defaultdict(set)

    def add(self, table: str, column: str, ranges: Iterable[int]) -> None:
        """Rows of a table have accounts of these ranges (their numbers) in a column."""
        touched = set(ranges)
        for aggregate in COUNTED.get(table, {}).get(column, ()):
            self._ranges[aggregate] |= touched

    def add_accounts(self, aggregate: str, actors: Iterable[int]) -> None:
        """Counts of these accounts changed."""
        self._ranges[aggregate] |= ranges_of(pa.array(actors, pa.int64()))

    def add_rows(self, table: str, rows: Iterable[tuple[int | None, ...]]) -> None:
        """Adds what a query gave that selects `range_numbers` of rows that were written or removed."""
        for row in rows:
            for column, number in zip(counted_columns(table), row, strict=True):
                self.add(table, column, () if number is None else (number,))

    def watch(self, table: str, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Hands on keyed rows of a table that are to be written, and adds them."""
        for batch in batches:
            for column in COUNTED.get(table, {}):
                self.add(table, column, ranges_of(batch[column]))
            yield batch

    def mark(self, connection: Connection[TupleRow]) -> None:
        """Marks all that was added, in the caller's transaction."""
        marks = [(aggregate, range_name(number)) for aggregate, found in self._ranges.items() for number in found]
        if marks:
            aggregates, key_ranges = zip(*marks, strict=True)
            query = load_queries()["mark_dirty_ranges"]
            connection.execute(query, {"aggregates": list(aggregates), "key_ranges": list(key_ranges)})


def counted_columns(table: str) -> list[str]:
    """The columns whose key ranges a row touches; one at least, so that one form of query serves all tables."""
    return sorted({"actor_id", *COUNTED.get(table, {})})


def range_numbers(table: str) -> sql.Composed:
    """What selects the numbers of the ranges from a table's `counted_columns`."""
    shift = sql.SQL("({} >> {}) + {}")
    return sql.SQL(", ").join(
        shift.format(sql.Identifier(column), SHIFT, RANGES // 2) for column in counted_columns(table)
    )


def list_dirty_ranges(connection: Connection[TupleRow]) -> list[DirtyRange]:
    """Every range that is marked, the one that waits longest first."""
    return [DirtyRange(*row) for row in connection.execute(load_queries()["list_dirty_ranges"])]


def clear_dirty_ranges(connection: Connection[TupleRow], aggregate: str, key_ranges: Sequence[str]) -> set[str]:
    """Clears the marks that are there now; the caller then recomputes the ranges in the same transaction.

    Returns:
        Those of the ranges that were marked.
    """
    parameters = {"aggregate": aggregate, "key_ranges": list(key_ranges)}
    return {key_range for (key_range,) in connection.execute(load_queries()["clear_dirty_ranges"], parameters)}
