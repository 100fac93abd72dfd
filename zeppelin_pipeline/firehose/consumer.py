"""One stream consumed: received, verified, applied, side by side, each batch in its order.

While one batch is applied the next is verified and those behind it are received; nothing is held beyond the settings'
bounds, and a full queue stops the reading. What ends a consumer (the relay's refusal, a lost warehouse, a dead
verifier) ends it wholly: the next one goes on from the cursor.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.firehose.application import apply_batch
from zeppelin_pipeline.firehose.batches import EventBatch, sort_events
from zeppelin_pipeline.firehose.cursors import HeldStream
from zeppelin_pipeline.firehose.frame_queue import FrameQueue, Outdated, QueueLimits
from zeppelin_pipeline.firehose.gaps import Gap, GapFinder
from zeppelin_pipeline.firehose.network_clock import NetworkClock
from zeppelin_pipeline.firehose.rates import Meter, Rates
from zeppelin_pipeline.firehose.spool import Spool
from zeppelin_pipeline.firehose.stream import RelayStream, StreamSettings
from zeppelin_pipeline.firehose.unknown_keys import UnknownKeys
from zeppelin_pipeline.firehose.verifiers import Verifiers
from zeppelin_pipeline.identity.resolver import DidResolver
from zeppelin_pipeline.identity.store import KnownIdentity, store_identities
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.connection import read_key_space

#: How often it is asked whether events wait in memory for too long, when none come.
_LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """When a batch is closed, whichever comes first.

    Attributes:
        events: in it.
        bytes: of its frames.
        seconds: after its first frame came. A consumer that is behind takes all that waits, up to the others.
    """

    events: int = 5_000
    bytes: int = 16 << 20
    seconds: float = 0.2


@dataclass(frozen=True, slots=True)
class ConsumerSettings:
    """What bounds a consumer, and how it reaches its relay."""

    batch: BatchLimits = field(default_factory=BatchLimits)
    queue: QueueLimits = field(default_factory=QueueLimits)
    stream: StreamSettings = field(default_factory=StreamSettings)
    report_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class _Verified:
    """A verified batch on its way to the warehouse."""

    table: pa.Table
    outdated: Outdated | None
    received_micros: int
    identities: list[KnownIdentity]
    verify_seconds: float


class Consumer:
    """The consumer of a stream that is held; `run` it once.

    Attributes:
        meter: its numbers so far.
    """

    def __init__(
        self,
        connection: Connection[TupleRow],
        held: HeldStream,
        verifiers: Verifiers,
        resolver: DidResolver,
        spool: Spool,
        settings: ConsumerSettings | None = None,
        report: Callable[[Rates], None] | None = None,
    ) -> None:
        """Puts a consumer together.

        Args:
            connection: the one that holds the stream, in autocommit; used by one batch at a time.
            held: the stream.
            verifiers: running.
            resolver: asked for documents that the warehouse lacks.
            spool: where events wait while the indexes do not stand.
            settings: bounds.
            report: told the numbers, every `report_seconds` and at the end.
        """
        self._connection = connection
        self._held = held
        self._verifiers = verifiers
        self._unknown_keys = UnknownKeys(resolver)
        self._spool = spool
        self._settings = settings or ConsumerSettings()
        self._report = report
        self._queue = FrameQueue(self._settings.queue)
        self._stream = RelayStream(held.name.relay, held.seq, self._queue, self._settings.stream)
        self._verified: asyncio.Queue[_Verified | None] = asyncio.Queue(maxsize=1)
        self._gaps = GapFinder(held.seq)
        self._clock = NetworkClock()
        self._forget: list[str] = []
        self._writing = threading.Lock()
        self._keys = BatchKeys(read_key_space(connection))
        self.meter = Meter(cursor=held.seq)

    async def run(self, until: asyncio.Event) -> None:
        """Consumes until the event is set; then what was received is still applied.

        Raises:
            ZeppelinError: what ended it, after everything was stopped.
        """
        tasks = {
            asyncio.create_task(self._stream.run(), name="stream"),
            asyncio.create_task(self._verify(), name="verify"),
            asyncio.create_task(self._apply(), name="apply"),
            asyncio.create_task(self._report_regularly(), name="report"),
        }
        stopping = asyncio.create_task(until.wait(), name="stop")
        try:
            done, _ = await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stopping in done:
                await self._drain(tasks)
            for task in done - {stopping}:
                task.result()
        finally:
            stopping.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(self._writing.acquire)  # a cancelled thread goes on: wait for its transaction
        self._tell()

    async def _drain(self, tasks: set["asyncio.Task[None]"]) -> None:
        """Stops receiving; what is here is verified and applied, which takes as long as the queue is deep."""
        by_name = {task.get_name(): task for task in tasks}
        by_name["stream"].cancel()
        self._queue.close()
        done, _ = await asyncio.wait({by_name["verify"], by_name["apply"]}, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    async def _verify(self) -> None:
        limits = self._settings.batch
        while (batch := await self._queue.take(limits.events, limits.bytes, limits.seconds)) is not None:
            received_micros, started = time.time_ns() // 1000, time.monotonic()
            forget, self._forget = self._forget, []
            table = await self._verifiers.verify(batch.frames, received_micros + self._clock.allowed_micros, forget)
            self._clock.observe(table, received_micros)
            table, identities = await self._unknown_keys.settle(table)
            seconds = time.monotonic() - started
            await self._verified.put(_Verified(table, batch.gap, received_micros, identities, seconds))
        await self._verified.put(None)

    async def _apply(self) -> None:
        await asyncio.to_thread(self._drain_spool)
        while (verified := await self._next_verified()) is not None:
            batch = sort_events(verified.table, verified.received_micros)
            gap = self._gaps.find(verified.outdated, batch)
            if batch.is_broken:
                self._stream.drop("frame-broken")
            self._forget += batch.identities
            await asyncio.to_thread(self._write, verified, batch, gap)
            self.meter.verify_seconds += verified.verify_seconds
        await asyncio.to_thread(self._spool.flush, self._connection, self._held)

    async def _next_verified(self) -> _Verified | None:
        """The next batch; what waits in memory meanwhile becomes a file in time."""
        while True:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    return await self._verified.get()
            except TimeoutError:
                await asyncio.to_thread(self._flush_old)

    def _flush_old(self) -> None:
        with self._writing:
            if self._spool.is_due:
                self._spool.flush(self._connection, self._held)

    def _write(self, verified: _Verified, batch: EventBatch, gap: Gap | None) -> None:
        """One batch, in the thread that may block."""
        with self._writing:
            self._write_alone(verified, batch, gap)

    def _write_alone(self, verified: _Verified, batch: EventBatch, gap: Gap | None) -> None:
        started = time.monotonic()
        if verified.identities:
            with self._connection.transaction():
                store_identities(self._connection, verified.identities, self._keys)
        is_durable = True
        if self._spool.is_needed(self._connection):
            is_durable = self._spool.write(
                self._connection, self._held, verified.table, batch, gap, verified.received_micros
            )
        else:
            self._drain_spool()
            result = apply_batch(self._connection, self._keys, self._held, batch, gap)
            self.meter.replayed += result.replayed
            self.meter.ahead += result.ahead
        self._note(batch, gap, time.monotonic() - started, is_durable=is_durable)

    def _drain_spool(self) -> None:
        """What waited goes first."""
        if not self._spool.is_needed(self._connection):
            self._spool.drain(self._connection, self._keys, self._held)

    def _note(self, batch: EventBatch, gap: Gap | None, seconds: float, *, is_durable: bool) -> None:
        meter = self.meter
        meter.kinds.update(batch.kinds)
        meter.refused.update({each.reason: each.events for each in batch.refusals})
        meter.gaps += gap is not None
        meter.batches += 1
        meter.apply_seconds += seconds
        if is_durable and batch.seq is not None:
            meter.cursor = max(batch.seq, meter.cursor or 0)
            meter.note_applied(batch.event_at, batch.emitted_micros)

    async def _report_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._settings.report_seconds)
            self._tell()

    def _tell(self) -> None:
        if self._report is not None:
            self._report(
                self.meter.report(
                    queued=len(self._queue),
                    connections=self._stream.connections,
                    clock_behind_seconds=self._clock.behind_micros / 1e6,
                    is_spooling=self._spool.is_spooling,
                )
            )
