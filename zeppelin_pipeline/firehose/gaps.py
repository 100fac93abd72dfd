"""Events of a stream that are lost: where they begin and end. Repairing a gap is `reconcile`'s business. No I/O."""

from dataclasses import dataclass
from typing import Final

from zeppelin_pipeline.firehose.batches import EventBatch
from zeppelin_pipeline.firehose.frame_queue import Outdated

_BROKEN: Final = "frame-broken"


@dataclass(frozen=True, slots=True)
class Gap:
    """Events between two others that will not come."""

    after_seq: int
    before_seq: int
    reason: str


class GapFinder:
    """Finds the gaps that the batches of one stream show: what the relay said, and frames that could not be read.

    A gap that is at the end of what has come is open until an event with a number comes. The cursor is before it until
    then: who is killed meanwhile is told of it again.
    """

    def __init__(self, cursor: int | None) -> None:
        """Begins behind the stream's cursor."""
        self._last_seq = cursor or 0
        self._open: Outdated | None = None

    def find(self, outdated: Outdated | None, batch: EventBatch) -> Gap | None:
        """The gap that lies before a batch or within it.

        Args:
            outdated: what the relay said before the batch.
            batch: the one behind those that were given before.
        """
        lost = self._open or outdated
        if batch.first_seq is None or batch.seq is None:
            self._open = lost or (Outdated(self._last_seq, _BROKEN) if batch.is_broken else None)
            return None
        self._open, self._last_seq = None, batch.seq
        if lost is not None:
            return Gap(lost.after_seq, batch.seq + 1 if batch.is_broken else batch.first_seq, lost.reason)
        return Gap(batch.first_seq - 1, batch.seq + 1, _BROKEN) if batch.is_broken else None
