"""Events that came while the warehouse has no indexes: kept in files of the lake, applied by the usual way once it has.

A live operation looks up what it changes, which reads whole tables without indexes. So events wait, durable before the
cursor passes them, and those that come meanwhile wait behind them.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import pyarrow as pa
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.firehose.application import apply_events, count_refusals, note_stream
from zeppelin_pipeline.firehose.batches import EventBatch, Refusal, sort_events
from zeppelin_pipeline.firehose.cursors import HeldStream, check_fence
from zeppelin_pipeline.firehose.events import EVENTS
from zeppelin_pipeline.firehose.foreign_accounts import without_foreign_accounts
from zeppelin_pipeline.firehose.gaps import Gap
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.indexes import has_all_indexes
from zeppelin_pipeline.warehouse.queries import load_queries

_RECEIVED: Final = "received_micros"
_GROUP_ROWS: Final = 2_000


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """When a file is closed, whichever comes first; until then the cursor stays before its events.

    Attributes:
        events: in it.
        bytes: of its columns, which are held in memory.
        seconds: after its first event came.
        look_seconds: how often the indexes are asked for.
    """

    events: int = 50_000
    bytes: int = 64 << 20
    seconds: float = 10.0
    look_seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    table: pa.Table
    batch: EventBatch
    gap: Gap | None
    received_micros: int


class Spool:
    """The waiting events of one stream.

    Attributes:
        is_spooling: events went to a file last, or wait for it.
        is_drained: nothing waits, and nothing will.
    """

    def __init__(
        self, lake: Lake, limits: SpoolLimits | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lake = lake
        self._limits = limits or SpoolLimits()
        self._clock = clock
        self._waiting: list[_Waiting] = []
        self._since = 0.0
        self._looked_at: float | None = None
        self.is_drained = False
        self.is_spooling = False

    def is_needed(self, connection: Connection[TupleRow]) -> bool:
        """Whether events must wait. Indexes that stand are never taken away, so they are asked for until then."""
        now = self._clock()
        if self._looked_at is None or (self.is_spooling and now - self._looked_at > self._limits.look_seconds):
            self._looked_at = now
            self.is_spooling = not has_all_indexes(connection)
        return self.is_spooling

    def write(
        self,
        connection: Connection[TupleRow],
        held: HeldStream,
        table: pa.Table,
        batch: EventBatch,
        gap: Gap | None,
        received_micros: int,
    ) -> bool:
        """Takes a batch; gives whether it is durable now, with all before it."""
        if not self._waiting:
            self._since = self._clock()
        self._waiting.append(_Waiting(table, batch, gap, received_micros))
        is_due = self.is_due
        if is_due:
            self.flush(connection, held)
        return is_due

    @property
    def is_due(self) -> bool:
        """Whether what waits in memory is to become a file."""
        limits = self._limits
        return bool(self._waiting) and (
            sum(each.table.num_rows for each in self._waiting) >= limits.events
            or sum(each.table.nbytes for each in self._waiting) >= limits.bytes
            or self._clock() - self._since >= limits.seconds
        )

    def flush(self, connection: Connection[TupleRow], held: HeldStream) -> None:
        """Makes what waits in memory a file, then moves the cursor behind it."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        table = pa.concat_tables([each.table for each in waiting])
        first_seqs = [each.batch.first_seq for each in waiting if each.batch.first_seq is not None]
        last_seqs = [each.batch.seq for each in waiting if each.batch.seq is not None]
        segment: dict[str, object] | None = None
        if first_seqs:
            path = layout.stream_segment(held.name.relay, held.epoch, min(first_seqs))
            metadata = {_RECEIVED: str(max(each.received_micros for each in waiting))}
            with self._lake.open_writer(path, EVENTS, metadata=metadata) as writer:
                for start in range(0, table.num_rows, _GROUP_ROWS):
                    writer.write_table(table.slice(start, _GROUP_ROWS))
                writer.commit()
            segment = {
                **held.name.parameters,
                "first_seq": min(first_seqs),
                "last_seq": max(last_seqs),
                "path": path,
                "events": table.num_rows,
            }
        with connection.transaction():
            if segment is not None:
                connection.execute(load_queries()["insert_stream_segment"], segment)
            for each in waiting:
                note_stream(connection, held, each.batch, each.gap)

    def drain(self, connection: Connection[TupleRow], keys: BatchKeys, held: HeldStream) -> int:
        """Applies all that waits; the indexes stand. Gives how many events."""
        if self.is_drained:
            return 0
        self.flush(connection, held)
        rows = connection.execute(load_queries()["stream_segments"], held.name.parameters).fetchall()
        events = sum(self._apply_segment(connection, keys, held, first_seq, path) for first_seq, path in rows)
        for path in self._lake.list(layout.stream_segments(held.name.relay)):
            self._lake.delete(path)  # of a consumer that was killed before its row was there
        self.is_drained = True
        return events

    def _apply_segment(
        self, connection: Connection[TupleRow], keys: BatchKeys, held: HeldStream, first_seq: int, path: str
    ) -> int:
        """One file, a part a transaction; a kill before the last repeats it, which changes nothing."""
        received_micros = int(self._lake.read_metadata(path)[_RECEIVED])
        with self._lake.open_parquet(path) as file:
            rows = file.metadata.num_rows
            for group in range(file.num_row_groups):
                read = sort_events(file.read_row_group(group), received_micros)
                batch = without_foreign_accounts(connection, keys, held.name.relay, read)
                # The other refusals were counted when the file was written.
                foreign = batch.refusals[len(read.refusals) :]
                apply_events(connection, keys, batch, partial(_note_part, held=held, refusals=foreign))
        with connection.transaction():
            check_fence(connection, held)
            connection.execute(
                load_queries()["delete_stream_segment"], {**held.name.parameters, "first_seq": first_seq}
            )
        self._lake.delete(path)
        return rows


def _note_part(connection: Connection[TupleRow], held: HeldStream, refusals: Sequence[Refusal]) -> None:
    check_fence(connection, held)
    count_refusals(connection, held.name, refusals)
