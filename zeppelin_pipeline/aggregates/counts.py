"""Recomputes the derived counts of one key range from the base tables."""

import time
from dataclasses import dataclass
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.dirty_ranges import clear_dirty_range
from zeppelin_pipeline.warehouse.key_ranges import range_bounds
from zeppelin_pipeline.warehouse.queries import load_queries

AGGREGATES: Final = ("post_counts", "actor_counts")


@dataclass(frozen=True, slots=True)
class RangeResult:
    """What a recomputation found.

    Attributes:
        aggregate: the derived table.
        key_range: the range's name.
        rows: that have counts.
        drifted: of the rows before, and of those that were missing, how many were off.
        base_rows: that are counted.
        seconds: taken.
    """

    aggregate: str
    key_range: str
    rows: int
    drifted: int
    base_rows: int
    seconds: float


def recompute(connection: Connection[TupleRow], aggregate: str, key_range: str) -> RangeResult:
    """Recompute one range in one transaction: readers see the old counts or the new ones.

    Live writers go on meanwhile. Marks that the range is dirty are cleared, but for those that are set meanwhile: whose
    rows this does not see.

    Args:
        connection: not in a transaction.
        aggregate: one of AGGREGATES.
        key_range: one of `key_ranges.range_names()`.
    """
    started = time.monotonic()
    queries = load_queries()
    low, high = range_bounds(key_range)
    bounds = {"low": low, "high": high}
    with connection.transaction():
        lock = f"{aggregate} {key_range}"
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (lock,))
        clear_dirty_range(connection, aggregate, key_range)
        row = connection.execute(queries[f"recompute_{aggregate}"], bounds).fetchone()
        rows, drifted, base_rows = row or (0, 0, 0)
        connection.execute(
            queries["mark_range_computed"],
            {"aggregate": aggregate, "key_range": key_range, "rows": rows, "base_rows": base_rows},
        )
    return RangeResult(aggregate, key_range, rows, drifted, base_rows, time.monotonic() - started)
