"""Recomputes what is derived, of one key range, from the base tables: violations first, as counts leave them out."""

import time
from dataclasses import dataclass
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.dirty_ranges import clear_dirty_range
from zeppelin_pipeline.warehouse.key_ranges import RANGES, range_bounds
from zeppelin_pipeline.warehouse.queries import load_queries
from zeppelin_pipeline.warehouse.search import POST_SEARCH, SEARCH_TABLES, index_posts_when_whole, make_range
from zeppelin_pipeline.warehouse.violations import judge_range

VIOLATIONS: Final = "violations"
#: In the order in which they are to be computed where all of them are.
AGGREGATES: Final = (VIOLATIONS, "post_counts", "actor_counts", "record_counts")

#: Ranges of one aggregate that one run takes, on one connection: its statements are planned once.
RANGES_OF_A_RUN: Final = 16


@dataclass(frozen=True, slots=True)
class RangeResult:
    """What a recomputation found.

    Attributes:
        aggregate: the derived table.
        key_range: the range's name.
        rows: that have counts; of violations, those that were added.
        drifted: of the rows before, and of those that were missing, how many were off.
        base_rows: that are counted, or judged.
        seconds: taken.
        was_current: it had been computed before, and nothing had marked it since: nothing should be off.
    """

    aggregate: str
    key_range: str
    rows: int
    drifted: int
    base_rows: int
    seconds: float
    was_current: bool

    @property
    def is_drift(self) -> bool:
        """Rows were off that should have been right."""
        return self.was_current and self.drifted > 0


def recompute(connection: Connection[TupleRow], aggregate: str, key_range: str) -> RangeResult:
    """Recompute one range in one transaction: readers see the old counts or the new ones.

    Live writers go on meanwhile. Marks that the range is dirty are cleared, but for those that are set meanwhile: whose
    rows this does not see.

    Args:
        connection: not in a transaction.
        aggregate: one of AGGREGATES, or of the search tables.
        key_range: one of `key_ranges.range_names()`.
    """
    started = time.monotonic()
    with connection.transaction():
        lock = f"{aggregate} {key_range}"
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (lock,))
        parameters = {"aggregate": aggregate, "key_range": key_range}
        was_marked = bool(clear_dirty_range(connection, aggregate, key_range))
        was_computed = connection.execute(load_queries()["computed_range"], parameters).fetchone() is not None
        rows, drifted, base_rows = _compute(connection, aggregate, *range_bounds(key_range))
        connection.execute(
            load_queries()["mark_range_computed"],
            parameters | {"rows": rows, "base_rows": base_rows},
        )
    if aggregate == POST_SEARCH:
        index_posts_when_whole(connection, RANGES)
    seconds = time.monotonic() - started
    return RangeResult(aggregate, key_range, rows, drifted, base_rows, seconds, was_computed and not was_marked)


def _compute(connection: Connection[TupleRow], aggregate: str, low: int, high: int) -> tuple[int, int, int]:
    """Rows, rows that were off, base rows."""
    if aggregate == VIOLATIONS:
        judgement = judge_range(connection, low, high)
        return judgement.added, judgement.added + judgement.removed, judgement.judged
    if aggregate in SEARCH_TABLES:
        return make_range(connection, aggregate, low, high)
    query = load_queries()[f"recompute_{aggregate}"]
    rows, drifted, base_rows = connection.execute(query, {"low": low, "high": high}).fetchone() or (0, 0, 0)
    return rows, drifted, base_rows
