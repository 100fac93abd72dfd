"""How much memory all labelers take together: to each its share, and room for large messages to a few at a time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from zeppelin_pipeline.atproto.frames import MAX_FRAME_BYTES
from zeppelin_pipeline.errors import ConfigurationError, UpstreamError
from zeppelin_pipeline.firehose.frame_queue import FrameQueue, QueueLimits
from zeppelin_pipeline.firehose.message_connection import FRAME_SIZE

#: Messages that may come over a connection at once; a signed label takes more than the 50 bytes that this leaves each.
MOST_AT_ONCE: Final = 500
#: Of one such message beside its bytes, rounded up from 240 measured.
_OBJECT_BYTES: Final = 300
_LEAST_FRAME_BYTES: Final = 4_096
#: What one labeler has at once: the socket's buffer twice (the system doubles what it is told), a message that comes,
#: one that was read, a full queue and the message that filled it, a full batch and the message that filled that one.
_PARTS: Final = 8
#: Of these, those that a large message takes: it comes, it was read, it waits, it is in a batch.
_LARGE_PARTS: Final = 4
_MOST_FRAMES: Final = 1_000


@dataclass(frozen=True, slots=True)
class MemoryLimits:
    """The memory of all labelers, divided. Three quarters are shares, the rest is for large messages.

    What decoding makes of one batch comes on top, once: batches of all labelers are taken in one by one.

    Attributes:
        bytes: in all.
        labelers: that have a share each.
        turn_seconds: after so long whoever has the room for large messages leaves it to the next.
    """

    bytes: int = 768 << 20
    labelers: int = 2_000
    turn_seconds: float = 30.0

    def __post_init__(self) -> None:
        """Refuse shares in which no label would fit; ConfigurationError."""
        if self.part_bytes < _LEAST_FRAME_BYTES or not self.turns:
            share = MOST_AT_ONCE * _OBJECT_BYTES + _PARTS * _LEAST_FRAME_BYTES
            least = max(self.labelers * share * 4 // 3, 4 * _LARGE_PARTS * MAX_FRAME_BYTES)
            raise ConfigurationError(
                f"{self.bytes} bytes are too few for {self.labelers} labelers, who need {least}: set"
                " ZEPPELIN_LABELS_MEMORY_BYTES, or follow fewer (ZEPPELIN_LABELS_MOST_LABELERS)"
            )

    @property
    def share_bytes(self) -> int:
        """Of one labeler."""
        return self.bytes * 3 // 4 // self.labelers

    @property
    def part_bytes(self) -> int:
        """Of a message that needs no turn, and of each place where messages wait."""
        return (self.share_bytes - MOST_AT_ONCE * _OBJECT_BYTES) // _PARTS

    @property
    def turns(self) -> int:
        """How many labelers may have large messages at once."""
        return self.bytes // 4 // (_LARGE_PARTS * MAX_FRAME_BYTES)

    @property
    def queue(self) -> QueueLimits:
        """Of one labeler."""
        return QueueLimits(events=_MOST_FRAMES, bytes=self.part_bytes)


class LabelMemory:
    """The memory of the labelers that one process follows.

    Attributes:
        limits: how it is divided.
        working: held by who takes a batch in: what decoding makes of it is there once.
    """

    def __init__(self, limits: MemoryLimits) -> None:
        self.limits = limits
        self.working = asyncio.Lock()
        self._turns = asyncio.Semaphore(limits.turns)

    @asynccontextmanager
    async def admit(self, ended_by: str | None, queue: FrameQueue) -> AsyncGenerator[int]:
        """Lets a labeler connect, and says how large its messages may be (`AdmitConnection`).

        One whose last connection ended by a message that was too large waits for its turn, and has it until what it
        brought is taken in.

        Raises:
            UpstreamError: `turn-over`; it goes on without one.
        """
        if ended_by != FRAME_SIZE:
            yield self.limits.part_bytes
            return
        async with self._turns:
            try:
                async with asyncio.timeout(self.limits.turn_seconds):
                    yield MAX_FRAME_BYTES
            except TimeoutError as error:
                await queue.wait_finished()
                raise UpstreamError("turn-over", "others have large messages too", is_transient=True) from error
            except UpstreamError:
                await queue.wait_finished()
                raise
