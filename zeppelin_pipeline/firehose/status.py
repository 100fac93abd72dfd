"""How the streams stand, read from the warehouse: for a person, and for those who watch over the lag."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.warehouse.queries import load_queries


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """One stream.

    Attributes:
        relay: URL.
        endpoint: NSID of the method.
        seq: the cursor; null before the first event.
        events: received in all.
        event_at: when the last event was emitted, as it claims.
        updated_at: when the cursor moved last.
        lag_seconds: since the emission of the last event that is durable, or since the stream was first taken: of what
            came since nothing is known, so that it grows while nothing comes.
        silent_seconds: since the cursor moved.
        gaps: that were found.
        open_gaps: of these, that nobody has repaired yet.
        rejected: events that broke a rule.
        waiting: events in files, until the indexes stand.
    """

    relay: str
    endpoint: str
    seq: int | None
    events: int
    event_at: datetime | None
    updated_at: datetime
    lag_seconds: float
    silent_seconds: float
    gaps: int
    open_gaps: int
    rejected: int
    waiting: int


@dataclass(frozen=True, slots=True)
class ResyncStatus:
    """Repositories that wait to be fetched again: all, those due now, those that failed, and the first one's time."""

    waiting: int
    due: int
    failing: int
    since: datetime | None


NO_RESYNCS: Final = ResyncStatus(0, 0, 0, None)


def read_streams(connection: Connection[TupleRow]) -> list[StreamStatus]:
    """Every stream that was ever followed."""
    return [StreamStatus(*row) for row in connection.execute(load_queries()["stream_summary"])]


def read_resyncs(connection: Connection[TupleRow]) -> ResyncStatus:
    """The queue of repositories."""
    row = connection.execute(load_queries()["resync_summary"]).fetchone()
    assert row is not None, "an aggregate has one row"
    return ResyncStatus(*row)
