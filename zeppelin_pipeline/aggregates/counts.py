"""Recomputes what is derived, by key range, from the base tables: violations first, as counts leave them out."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.dirty_ranges import clear_dirty_ranges
from zeppelin_pipeline.warehouse.key_ranges import (
    RANGES,
    SHIFT,
    adjacent_ranges,
    name_of_upper_bits,
    range_bounds,
    range_names,
)
from zeppelin_pipeline.warehouse.queries import load_queries
from zeppelin_pipeline.warehouse.search import index_posts_when_whole, make_range
from zeppelin_pipeline.warehouse.search_tables import POST_SEARCH, SEARCH_TABLES
from zeppelin_pipeline.warehouse.violations import judge_range

VIOLATIONS: Final = "violations"
#: In the order in which they are to be computed where all of them are.
AGGREGATES: Final = (VIOLATIONS, "post_counts", "actor_counts", "record_counts")

#: Ranges of one aggregate that one run takes, on one connection: its statements are planned once.
RANGES_OF_A_RUN: Final = 16
#: Rows of the counted tables that adjacent ranges may have and still be recomputed in one transaction: some 400,000
#: records, half a second.
BYTES_AT_ONCE: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class RangeResult:
    """What a recomputation found.

    Attributes:
        aggregate: the derived table.
        key_range: the range's name.
        rows: that have counts; of violations, those that were added.
        drifted: of the rows before, and of those that were missing, how many were off.
        base_rows: that are counted, or judged.
        seconds: taken, of ranges in one transaction the same part of what they took together.
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
    """Recompute one range, see `recompute_ranges`."""
    [result] = recompute_ranges(connection, aggregate, [key_range])
    return result


def recompute_ranges(
    connection: Connection[TupleRow], aggregate: str, key_ranges: Sequence[str]
) -> Iterator[RangeResult]:
    """Recompute ranges, each in one transaction: readers see its old counts or the new ones.

    Adjacent ranges share a transaction while they are small: what is done for each besides would cost more than the
    counting. Live writers go on meanwhile. Marks that a range is dirty are cleared, but for those that are set
    meanwhile: whose rows this does not see.

    Args:
        connection: not in a transaction.
        aggregate: one of AGGREGATES, or of the search tables.
        key_ranges: of `key_ranges.range_names()`, each once.

    Yields:
        A result for each, in the order of their keys.
    """
    most = 1 if len(key_ranges) == 1 or aggregate in SEARCH_TABLES else _ranges_at_once(connection)
    for together in adjacent_ranges(key_ranges, most):
        yield from _recompute_together(connection, aggregate, together)
        if aggregate == POST_SEARCH:
            index_posts_when_whole(connection, RANGES)


def recompute_all(connection: Connection[TupleRow], aggregates: Sequence[str] = AGGREGATES) -> Iterator[RangeResult]:
    """Recompute all ranges of these aggregates, see `recompute_ranges`."""
    for aggregate in aggregates:
        yield from recompute_ranges(connection, aggregate, range_names())


def _ranges_at_once(connection: Connection[TupleRow]) -> int:
    with connection.transaction():
        row = connection.execute(load_queries()["bytes_of_counted"]).fetchone()
    return max(1, RANGES * BYTES_AT_ONCE // max(row[0] if row else 0, BYTES_AT_ONCE))


def _recompute_together(
    connection: Connection[TupleRow], aggregate: str, key_ranges: Sequence[str]
) -> Iterator[RangeResult]:
    """Adjacent ranges in one transaction."""
    started = time.monotonic()
    queries, parameters = load_queries(), {"aggregate": aggregate, "key_ranges": list(key_ranges)}
    with connection.transaction():
        connection.execute(queries["lock_ranges"], parameters)
        marked = clear_dirty_ranges(connection, aggregate, key_ranges)
        computed = {name for (name,) in connection.execute(queries["computed_ranges"], parameters)}
        low, high = range_bounds(key_ranges[0])[0], range_bounds(key_ranges[-1])[1]
        found = _compute(connection, aggregate, low, high)
        counted = [found.get(name, (0, 0, 0)) for name in key_ranges]
        told = {"rows": [rows for rows, _, _ in counted], "base_rows": [base_rows for *_, base_rows in counted]}
        connection.execute(queries["mark_ranges_computed"], parameters | told)
    seconds = (time.monotonic() - started) / len(key_ranges)
    for name, (rows, drifted, base_rows) in zip(key_ranges, counted, strict=True):
        yield RangeResult(aggregate, name, rows, drifted, base_rows, seconds, name in computed - marked)


def _compute(connection: Connection[TupleRow], aggregate: str, low: int, high: int) -> dict[str, tuple[int, int, int]]:
    """Rows, rows that were off, base rows: of each key range that has any, by its name."""
    if aggregate == VIOLATIONS:
        return {
            name: (judgement.added, judgement.added + judgement.removed, judgement.judged)
            for name, judgement in judge_range(connection, low, high).items()
        }
    if aggregate in SEARCH_TABLES:
        return {name_of_upper_bits(low >> SHIFT): make_range(connection, aggregate, low, high)}
    query, parameters = load_queries()[f"recompute_{aggregate}"], {"low": low, "high": high, "shift": SHIFT}
    found = connection.execute(query, parameters).fetchall()
    return {name_of_upper_bits(upper_bits): (rows, drifted, base) for upper_bits, rows, drifted, base in found}
