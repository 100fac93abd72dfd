"""Whether accounts are shown, as live events say, and the removal of deleted ones; in the caller's transaction.

Hidden accounts keep their rows. What the statuses mean, and what stays of a deleted account, is told in schema.sql.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.columns import column_list
from zeppelin_pipeline.warehouse.dirty_ranges import DirtyRanges, counted_columns, range_numbers
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.queries import load_queries
from zeppelin_pipeline.warehouse.search import forget_accounts
from zeppelin_pipeline.warehouse.tables import TABLES

ACTIVE: Final = "active"
DELETED: Final = "deleted"


@dataclass(frozen=True, slots=True)
class Standing:
    """What was observed of an account.

    Attributes:
        did: whose.
        status: `active`, or why it is not shown; `deleted` is not for here but for `delete_accounts`.
        seen_at: when.
    """

    did: str
    status: str
    seen_at: datetime


def set_standings(connection: Connection[TupleRow], keys: KeySpace, standings: Sequence[Standing]) -> int:
    """Show or hide accounts; of several observations of one account the last in time stays.

    Returns:
        How many were newer than what was known.

    Raises:
        ValueError: one is a deletion.
    """
    last: dict[str, Standing] = {}
    for standing in sorted(standings, key=lambda each: each.seen_at):
        if standing.status == DELETED:
            raise ValueError(f"{standing.did} is deleted by delete_accounts, not hidden")
        last[standing.did] = standing
    if not last:
        return 0
    actors = _name_accounts(connection, keys, list(last))
    columns = {
        "actors": actors,
        "statuses": [standing.status for standing in last.values()],
        "seen_ats": [standing.seen_at for standing in last.values()],
    }
    return connection.execute(load_queries()["set_standings"], columns).rowcount


def delete_accounts(
    connection: Connection[TupleRow], keys: KeySpace, dids: Sequence[str], seen_at: datetime
) -> dict[str, int]:
    """Remove all rows of accounts that were deleted, unless something newer was observed of them.

    Counts of what they liked and followed are marked to be computed anew.

    Returns:
        Rows removed, by table.
    """
    actors = _name_accounts(connection, keys, sorted(set(dids)))
    queries = load_queries()
    rows = connection.execute(queries["delete_repositories"], {"actors": actors, "seen_at": seen_at})
    gone = [actor for (actor,) in rows]
    if not gone:
        return {}
    dirty = DirtyRanges()
    removed = {t.table: _delete_rows(connection, t.table, gone, dirty) for t in TABLES.values()}
    dirty.mark(connection)
    forget_accounts(connection, gone)
    for query in ("forget_ahead_records_of_accounts", "forget_ahead_commits_of_accounts"):
        connection.execute(queries[query], {"actors": gone})
    return {table: rows for table, rows in removed.items() if rows}


def _delete_rows(connection: Connection[TupleRow], table: str, actors: list[int], dirty: DirtyRanges) -> int:
    columns = counted_columns(table)
    query = sql.SQL(load_queries()["delete_rows_of_accounts"]).format(
        table=sql.Identifier(table),
        counted=column_list(columns, "t"),
        ranges=range_numbers(table),
        groups=sql.SQL(", ").join(sql.Literal(place) for place in range(2, len(columns) + 2)),
    )
    found = connection.execute(query, {"actors": actors}).fetchall()
    dirty.add_rows(table, (row[1:] for row in found))
    return sum(row[0] for row in found)


def _name_accounts(connection: Connection[TupleRow], keys: KeySpace, dids: list[str]) -> list[int]:
    """The accounts' keys, each with its row in the dictionary."""
    actors = [keys.actor_id(did) for did in dids]
    connection.execute(load_queries()["publish_actors_of_batch"], {"ids": actors, "texts": dids})
    return actors
