"""A WebSocket connection that bounds what the library reads at once; what is read is `stream`'s business."""

from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

#: Why a connection ends over which a larger message comes than was asked for.
FRAME_SIZE: Final = "frame-size"
_TOO_BIG: Final = 1009  # RFC 6455, 7.4.1


class WatchedConnection(ClientConnection):
    """A connection that ends itself when too many frames come at once: an empty one takes some hundred bytes."""

    def __init__(self, *given: Any, most_at_once: int | None, **named: Any) -> None:
        super().__init__(*given, **named)
        self._is_flooded = False
        self._most_at_once = most_at_once

    def data_received(self, data: bytes) -> None:
        """Takes what was read at once."""
        super().data_received(data)
        # No interface tells what waits; a test fails should these names ever change.
        waiting = self.recv_messages.frames.queue
        if self._most_at_once is not None and len(waiting) > self._most_at_once:
            self._is_flooded = True
            while len(waiting) > 1:  # one stays, as a reader may be about to take it
                waiting.pop()
            self.transport.abort()

    def reason_of(self, error: ConnectionClosed) -> str:
        """Why it ended, when it was not we who wanted it."""
        if self._is_flooded:
            return "frame-flood"
        return FRAME_SIZE if error.sent is not None and error.sent.code == _TOO_BIG else "connection-closed"
