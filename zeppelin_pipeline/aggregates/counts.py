"""Recomputes the derived counts of one key range from the base tables."""

import time
from dataclasses import dataclass
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.key_ranges import range_bounds
from zeppelin_pipeline.warehouse.queries import load_queries

AGGREGATES: Final = ("post_counts", "actor_counts")


@dataclass(frozen=True, slots=True)
class RangeResult:
    """What a recomputation did: rows written, base rows they count, seconds."""

    aggregate: str
    key_range: str
    rows: int
    base_rows: int
    seconds: float


def recompute(connection: Connection[TupleRow], aggregate: str, key_range: str) -> RangeResult:
    """Recompute one range in one transaction: readers see the old counts or the new ones.

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
        connection.execute(queries[f"clear_{aggregate}"], bounds)
        row = connection.execute(queries[f"recompute_{aggregate}"], bounds).fetchone()
        rows, base_rows = row or (0, 0)
        connection.execute(
            queries["mark_range_computed"],
            {"aggregate": aggregate, "key_range": key_range, "rows": rows, "base_rows": base_rows},
        )
    return RangeResult(aggregate, key_range, rows, base_rows, time.monotonic() - started)
