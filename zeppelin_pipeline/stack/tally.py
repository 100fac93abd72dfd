"""What the warehouse says of the whole: how much is loaded, in which states, and what was set aside."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.firehose.status import NO_RESYNCS, ResyncStatus, StreamStatus, read_resyncs, read_streams
from zeppelin_pipeline.warehouse.connection import connect
from zeppelin_pipeline.warehouse.quarantine import SetAside, read_set_aside
from zeppelin_pipeline.warehouse.queries import load_queries

APPLICATION = "zeppelin status"


@dataclass(frozen=True, slots=True)
class Tally:
    """The ledger in three numbers: shards loaded, record entries in them, and those set aside with their repository."""

    shards: int
    entries: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class Status:
    """All that `zeppelin status` shows; counts by name, the largest first.

    Attributes:
        tally: of the ledger.
        hosts: by state.
        repositories: by state and reason (`absent, takendown`).
        rows: by table, as the ledger has them.
        rejected: entries by reason: invalid records, and those of repositories set aside whole.
        bytes_stored: of all tables with their indexes.
        set_aside: by scope, reason and host, the most first; at most `MOST_SET_ASIDE`.
        lake_removals: accounts that are hidden or gone and whose data may still be in the lake.
        oldest_removal: when the first of these was seen to be so.
        streams: of the relays that are followed.
        resyncs: repositories that wait to be fetched again.
        labels: labelers that are followed, those that are down, labels, and those refused.
    """

    tally: Tally
    hosts: dict[str, int]
    repositories: dict[str, int]
    rows: dict[str, int]
    rejected: dict[str, int]
    bytes_stored: int
    set_aside: tuple[SetAside, ...] = ()
    lake_removals: int = 0
    oldest_removal: datetime | None = None
    streams: tuple[StreamStatus, ...] = ()
    resyncs: ResyncStatus = NO_RESYNCS
    labels: dict[str, int] = field(default_factory=dict[str, int])


def read_tally(url: str) -> Tally:
    """The ledger's sums."""
    with connect(url, application=APPLICATION) as connection:
        return _tally(connection)


def read_status(url: str) -> Status:
    """The whole status, in one snapshot."""
    with connect(url, application=APPLICATION) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return Status(
            tally=_tally(connection),
            hosts=_counts(connection, "status_hosts"),
            repositories=_counts(connection, "status_repositories"),
            rows=_counts(connection, "status_rows"),
            rejected=_counts(connection, "status_rejected"),
            bytes_stored=cast("int", _rows(connection, "status_bytes")[0][0]),
            set_aside=read_set_aside(connection),
            lake_removals=cast("int", _rows(connection, "oldest_removal")[0][0]),
            oldest_removal=_rows(connection, "oldest_removal")[0][1],
            streams=tuple(read_streams(connection)),
            resyncs=read_resyncs(connection),
            labels=_counts(connection, "status_labels"),
        )


def _tally(connection: Connection[TupleRow]) -> Tally:
    ((shards, entries, quarantined),) = _rows(connection, "status_tally")
    return Tally(shards, entries, quarantined)


def _counts(connection: Connection[TupleRow], query: str) -> dict[str, int]:
    return dict(_rows(connection, query))


def _rows(connection: Connection[TupleRow], query: str) -> Sequence[tuple[Any, ...]]:
    return connection.execute(load_queries()[query]).fetchall()


def best_known_account(url: str) -> str | None:
    """The DID of the account with the most followers; None before any counts."""
    with connect(url, application=APPLICATION) as connection:
        found = _rows(connection, "status_best_known")
        return str(found[0][0]) if found else None
