"""The relay's firehose: sequence numbers, a bounded backlog, and the WebSocket that replays it and goes on."""

import asyncio
from collections.abc import Callable

from starlette.websockets import WebSocket, WebSocketDisconnect

from zeppelin_pipeline.atproto.frames import encode_error_frame, encode_frame
from zeppelin_pipeline.devnet.model import LiveConfig
from zeppelin_pipeline.devnet.serving import send_messages

SUBSCRIBE_PATH = "/xrpc/com.atproto.sync.subscribeRepos"
#: Frames are sent so many at once, then others may run.
_SEND_BATCH = 32


class Firehose:
    """Events in order, as encoded frames, the oldest forgotten.

    Attributes:
        last_seq: sequence number of the newest event; one below the first when there is none yet.
    """

    def __init__(self, config: LiveConfig) -> None:
        self._config = config
        self._frames: dict[int, bytes] = {}
        self._oldest = config.first_seq
        self.last_seq = config.first_seq - 1
        self._arrived = asyncio.Event()
        self._leaving: set[asyncio.Task[None]] = set()
        self._rewound_events = 0

    def hang_up(self, *, is_forgetting: bool = False, rewound_events: int = 0) -> None:
        """Drop all consumers.

        Args:
            is_forgetting: no event so far is replayed to anybody any more.
            rewound_events: the next consumer is told so many events again that it has had.
        """
        if is_forgetting:
            self._frames.clear()
            self._oldest = self.last_seq + 1
        self._rewound_events = rewound_events
        for leaving in self._leaving:
            leaving.cancel()

    def publish(self, make_frame: Callable[[int], bytes]) -> int:
        """Give the next sequence number to an event, and the event to all consumers."""
        self.last_seq += 1
        self._frames[self.last_seq] = make_frame(self.last_seq)
        while len(self._frames) > self._config.backlog_events:
            del self._frames[self._oldest]
            self._oldest += 1
        arrived, self._arrived = self._arrived, asyncio.Event()
        arrived.set()
        return self.last_seq

    def frames(self, first: int, last: int) -> list[bytes]:
        """The frames of some sequence numbers, without those that are forgotten."""
        found = (self._frames.get(seq) for seq in range(first, last + 1))
        return [frame for frame in found if frame is not None]

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one consumer: from its `cursor`, or from now, until it leaves or lags too far behind."""
        await websocket.accept()
        cursor = websocket.query_params.get("cursor")
        if cursor is not None and not (cursor.isascii() and cursor.isdigit()):
            await self._refuse(websocket, "InvalidRequest", "Error: cursor must be an integer")
            return
        position = self.last_seq if cursor is None else int(cursor)
        if position > self.last_seq:
            await self._refuse(websocket, "FutureCursor", "Cursor in the future.")
            return
        if position < self._oldest - 1:
            info = {"name": "OutdatedCursor", "message": "Requested cursor exceeded limit. Possibly missing events"}
            await websocket.send_bytes(encode_frame(1, "#info", info))
            position = self._oldest - 1
        position = max(position - self._rewound_events, min(position, self._oldest - 1))
        self._rewound_events = 0
        leaving = asyncio.create_task(_until_left(websocket))
        self._leaving.add(leaving)
        try:
            await self._follow(websocket, position, leaving)
        except WebSocketDisconnect:
            return
        finally:
            self._leaving.discard(leaving)
            leaving.cancel()

    async def _follow(self, websocket: WebSocket, position: int, leaving: "asyncio.Task[None]") -> None:
        is_replaying = True
        while not leaving.done():
            lag = self.last_seq - position
            if not lag:
                is_replaying = False
                arriving = asyncio.ensure_future(self._arrived.wait())
                await asyncio.wait({arriving, leaving}, return_when=asyncio.FIRST_COMPLETED)
                arriving.cancel()
                continue
            is_lost = position < self._oldest - 1
            if is_lost or (not is_replaying and lag > self._config.queue_events):
                await self._refuse(websocket, "ConsumerTooSlow", "Stream consumer too slow")
                return
            last = min(position + _SEND_BATCH, self.last_seq)
            await send_messages(websocket, self.frames(position + 1, last))
            position = last
            await asyncio.sleep(0)

    @staticmethod
    async def _refuse(websocket: WebSocket, name: str, message: str) -> None:
        await websocket.send_bytes(encode_error_frame(name, message))
        await websocket.close(1008, name)


async def _until_left(websocket: WebSocket) -> None:
    """Read, and drop, what the consumer sends, until it closes."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass
