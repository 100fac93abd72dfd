"""One labeler followed: its stream read, verified and merged, no faster than it may. Its trouble stays its own."""

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.errors import InvalidDataError, UpstreamError
from zeppelin_pipeline.firehose.cursors import FencedError, HeldStream
from zeppelin_pipeline.firehose.frame_queue import FrameQueue
from zeppelin_pipeline.firehose.stream import FutureCursorError, RelayStream, StreamSettings
from zeppelin_pipeline.identity.resolver import DidResolver
from zeppelin_pipeline.labels.labelers import ENDPOINT, Labeler, labeler_of
from zeppelin_pipeline.labels.memory import LabelMemory
from zeppelin_pipeline.labels.merge import LabelLimits, MergeResult, merge_batch
from zeppelin_pipeline.labels.messages import LabelBatch, read_batch
from zeppelin_pipeline.warehouse.keys import KeySpace

#: Its stream began anew.
FUTURE_CURSOR: Final = "future-cursor"
#: A document is asked for again at most this often, however many labels do not verify.
_RESOLVE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class FollowLimits:
    """What one labeler may take of us, beside its share of the memory.

    Attributes:
        labels_per_second: that are read; a flood waits at the labeler.
        bytes_per_second: likewise.
        frames: of one transaction.
        seconds: that a frame waits for others.
        table: rows.
    """

    labels_per_second: float = 5_000.0
    bytes_per_second: float = 4_000_000.0
    frames: int = 500
    seconds: float = 0.2
    table: LabelLimits = field(default_factory=LabelLimits)


@dataclass(frozen=True, slots=True)
class LabelWriter:
    """The connection that all followers write by, one batch at a time."""

    connection: Connection[TupleRow]
    keys: KeySpace
    lock: threading.Lock = field(default_factory=threading.Lock)

    def merge(self, held: HeldStream, labeler: Labeler, batch: LabelBatch, limits: LabelLimits) -> MergeResult:
        """One batch, in a thread that may block."""
        with self.lock:
            return merge_batch(self.connection, self.keys, held, self.keys.actor_id(labeler.did), batch, limits)


class LabelerFollower:
    """The follower of a labeler whose stream is held; `run` it once.

    Attributes:
        labeler: as its document was known at the start.
        written: labels that count, since the start.
        refused: by reason, likewise.
        lag_seconds: between the making of the newest label of the last batch and its being written; null before it.
        failure: why its stream does not flow; null when it does.
    """

    def __init__(
        self,
        labeler: Labeler,
        held: HeldStream,
        writer: LabelWriter,
        resolver: DidResolver,
        stream: StreamSettings,
        limits: FollowLimits,
        memory: LabelMemory,
    ) -> None:
        self.labeler = labeler
        self.held = held
        self.written = 0
        self.refused: Counter[str] = Counter()
        self.lag_seconds: float | None = None
        self._ended_by: str | None = None
        self._writer = writer
        self._resolver = resolver
        self._limits = limits
        self._key = labeler.public_key
        self._resolved_at = float("-inf")
        self._is_stopping = asyncio.Event()
        self._memory = memory
        self._queue = FrameQueue(memory.limits.queue)
        admit = partial(memory.admit, queue=self._queue)
        self._stream = RelayStream(labeler.url, held.seq or 0, self._queue, stream, ENDPOINT, admit)

    @property
    def failure(self) -> str | None:
        """Why its stream does not flow; null when it does."""
        if self._ended_by is not None:
            return self._ended_by
        return None if self._stream.is_connected else self._stream.ended_by or "connecting"

    def stop(self) -> None:
        """Ends after the batch that is at hand; what waits comes again, as the cursor is before it."""
        self._is_stopping.set()
        self._queue.close()

    async def run(self) -> None:
        """Follows until it is stopped, or its stream cannot be had; then `failure` says why.

        Raises:
            psycopg.Error: the warehouse is lost.
        """
        reading = asyncio.create_task(self._read())
        try:
            await self._consume()
        except FencedError:
            self._ended_by = "taken-over"
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading

    async def _read(self) -> None:
        try:
            await self._stream.run()
        except FutureCursorError:
            self._ended_by = FUTURE_CURSOR
        except UpstreamError as error:
            self._ended_by = error.reason
        finally:
            self._queue.close()

    async def _consume(self) -> None:
        limits, part_bytes = self._limits, self._memory.limits.part_bytes
        while (taken := await self._queue.take(limits.frames, part_bytes, limits.seconds)) is not None:
            started = time.monotonic()
            size = sum(map(len, taken.frames))
            count = await self._take_in(taken.frames)
            least_seconds = max(count / limits.labels_per_second, size / limits.bytes_per_second)
            if taken.gap is not None:  # labels are lost, and a batch ends at each time that it says so
                self.refused[taken.gap.reason] += 1
                least_seconds = max(least_seconds, limits.seconds)
            del taken  # nothing is kept while it waits
            if await self._is_stopped_within(least_seconds - (time.monotonic() - started)):
                return

    async def _take_in(self, frames: Sequence[bytes]) -> int:
        """Verifies and merges frames; gives how many labels they had.

        When one does not verify the document is asked for once, and the key that it names decides; others go on while
        the directory is waited for.
        """
        async with self._memory.working:
            batch = await self._read_with_key(frames)
            is_settled = not batch.has_unverified or time.monotonic() - self._resolved_at <= _RESOLVE_SECONDS
            if is_settled:
                return await self._merge(batch)
        del batch
        await self._resolve()
        async with self._memory.working:
            return await self._merge(await self._read_with_key(frames))

    async def _merge(self, batch: LabelBatch) -> int:
        result = await asyncio.to_thread(self._writer.merge, self.held, self.labeler, batch, self._limits.table)
        self.written += result.written
        self.refused.update(result.refused)
        if batch.labels:
            newest_micros = max(label.created_micros for label in batch.labels)
            self.lag_seconds = max(time.time() - newest_micros / 1_000_000, 0.0)
        return len(batch.labels) + len(batch.refused)

    async def _resolve(self) -> None:
        self._resolved_at = time.monotonic()
        with contextlib.suppress(UpstreamError, InvalidDataError):  # then the key that is known decides
            self._key = labeler_of((await self._resolver.resolve(self.labeler.did)).document).public_key

    async def _is_stopped_within(self, seconds: float) -> bool:
        """Waits, so that no labeler is read faster than it may be; true when it is to end instead."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._is_stopping.wait()
        return self._is_stopping.is_set()

    async def _read_with_key(self, frames: Sequence[bytes]) -> LabelBatch:
        now_micros = time.time_ns() // 1_000
        return await asyncio.to_thread(read_batch, frames, self.labeler.did, self._key, now_micros)
