"""Frames between the socket and those who verify them: bounded in number and bytes; a full one stops the reading."""

import asyncio
from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Outdated:
    """The relay no longer had all events after our cursor: some are lost.

    Attributes:
        after_seq: the last number before the gap.
        reason: `outdated-cursor`.
    """

    after_seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """What a queue holds at most, whichever comes first."""

    events: int = 20_000
    bytes: int = 64 << 20


@dataclass(slots=True)
class FrameBatch:
    """Neighbouring frames, and the gap that lies before the first of them, if any."""

    frames: list[bytes] = field(default_factory=list[bytes])
    gap: Outdated | None = None


class FrameQueue:
    """One reader and one writer, in one event loop.

    Attributes:
        bytes: of the frames that wait.
    """

    def __init__(self, limits: QueueLimits) -> None:
        self._limits = limits
        self._items: deque[bytes | Outdated] = deque()
        self.bytes = 0
        self._is_closed = False
        self._is_taken = False
        self._changed = asyncio.Event()
        self._first_came_at = 0.0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_full(self) -> bool:
        """Whether a writer has to wait."""
        return len(self._items) >= self._limits.events or self.bytes >= self._limits.bytes

    @property
    def has_unfinished(self) -> bool:
        """Whether frames wait, or the reader has not come back since it took some."""
        return not self._is_closed and (bool(self._items) or self._is_taken)

    async def wait_finished(self) -> None:
        """Waits until nothing is unfinished."""
        while self.has_unfinished:
            await self._wait()

    async def put(self, item: bytes | Outdated) -> None:
        """Adds an item; waits while the queue is full."""
        while self.is_full:
            await self._wait()
        if not self._items:
            self._first_came_at = asyncio.get_running_loop().time()
        self._items.append(item)
        if isinstance(item, bytes):
            self.bytes += len(item)
        self._changed.set()

    def close(self) -> None:
        """Nothing more will come: a reader gets what is there, then nothing."""
        self._is_closed = True
        self._changed.set()

    async def take(self, most_events: int, most_bytes: int, longest_seconds: float) -> FrameBatch | None:
        """The next batch: closed when it is full, or a while after its first frame came; null at the end.

        So a reader that is behind is given all that waits, at once, and one that keeps up waits for more.
        A gap is before its batch: a batch ends where one begins.
        """
        self._is_taken = False
        self._changed.set()
        while not self._items:
            if self._is_closed:
                return None
            await self._wait()
        closes_at = self._first_came_at + longest_seconds
        batch, size = FrameBatch(), 0
        while len(batch.frames) < most_events and size < most_bytes:
            if self._items:
                item = self._items[0]
                if isinstance(item, Outdated):
                    if batch.frames or batch.gap:
                        break
                    batch.gap = item
                else:
                    batch.frames.append(item)
                    size += len(item)
                    self.bytes -= len(item)
                self._items.popleft()
                continue
            self._changed.set()  # there is room
            if self._is_closed or not await self._wait_until(closes_at):
                break
        self._first_came_at = asyncio.get_running_loop().time()  # at the latest, of what is left
        self._changed.set()
        self._is_taken = True
        return batch

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _wait_until(self, moment: float) -> bool:
        left = moment - asyncio.get_running_loop().time()
        if left <= 0:
            return False
        try:
            async with asyncio.timeout(left):
                await self._wait()
        except TimeoutError:
            return False
        return True
