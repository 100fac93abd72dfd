"""How far a stream is durable, and who may say so: one consumer at a time, fenced by an epoch."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.errors import ZeppelinError
from zeppelin_pipeline.warehouse.queries import load_queries


class FencedError(ZeppelinError):
    """Another consumer has taken the stream over; what this one was about to write is not written."""


@dataclass(frozen=True, slots=True)
class StreamName:
    """A relay's stream: URL and NSID of the method."""

    relay: str
    endpoint: str

    @property
    def parameters(self) -> dict[str, object]:
        """As the queries want it."""
        return {"relay": self.relay, "endpoint": self.endpoint}


@dataclass(frozen=True, slots=True)
class HeldStream:
    """A stream that this consumer may write.

    Attributes:
        name: which.
        epoch: of this consumer.
        seq: the cursor as it was found; null before the first event.
    """

    name: StreamName
    epoch: int
    seq: int | None


def take_stream(connection: Connection[TupleRow], name: StreamName) -> HeldStream | None:
    """Takes a stream, until `release_stream` or the connection's end; None when another consumer has it.

    Args:
        connection: in autocommit; its session holds the lock, so that it goes with the process.
        name: of the stream.
    """
    row = connection.execute(load_queries()["lock_stream"], name.parameters).fetchone()
    if row is None or not row[0]:
        return None
    opened = connection.execute(load_queries()["open_stream"], name.parameters).fetchone()
    assert opened is not None, "the row was written just now"
    return HeldStream(name, *opened)


def release_stream(connection: Connection[TupleRow], held: HeldStream) -> None:
    """Lets the next consumer begin, before this one has cleaned up."""
    if not connection.closed:
        connection.execute(load_queries()["unlock_stream"], held.name.parameters)


def advance(
    connection: Connection[TupleRow], held: HeldStream, seq: int | None, events: int, event_at: datetime | None
) -> None:
    """Moves the cursor, in the transaction that holds the events up to it.

    Raises:
        FencedError: another consumer began meanwhile.
    """
    row = connection.execute(
        load_queries()["advance_stream"],
        {**held.name.parameters, "epoch": held.epoch, "seq": seq, "events": events, "event_at": event_at},
    ).fetchone()
    if row is None:
        raise FencedError(f"the stream of {held.name.relay} was taken over by another consumer")


def check_fence(connection: Connection[TupleRow], held: HeldStream) -> None:
    """Holds the stream's row for a transaction that does not move the cursor; raises as `advance`."""
    advance(connection, held, None, 0, None)


def set_cursor(connection: Connection[TupleRow], name: StreamName, seq: int | None) -> None:
    """Has a stream go on behind an event, by a person's decision; None for the relay's present."""
    connection.execute(load_queries()["set_stream_cursor"], {**name.parameters, "seq": seq})
