"""One relay's stream: connected, watched, connected again from where it broke off. What frames mean is not asked here.

Error and info frames are handled, as they are about the stream itself; everything else goes into the queue.
Specification: Event Stream.
"""

import asyncio
import contextlib
import ssl
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, Final, TypeAlias, cast
from urllib.parse import urlencode, urlsplit

import httpx2
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from zeppelin_pipeline.atproto.frames import MAX_FRAME_BYTES, OP_ERROR, Frame, decode_frame
from zeppelin_pipeline.errors import InvalidDataError, UpstreamError, ZeppelinError
from zeppelin_pipeline.firehose.frame_queue import FrameQueue, Outdated
from zeppelin_pipeline.firehose.message_connection import MessageConnection
from zeppelin_pipeline.firehose.messages import read_seq
from zeppelin_pipeline.hosts.guard import GuardedBackend
from zeppelin_pipeline.hosts.host import Host, parse_host
from zeppelin_pipeline.hosts.limits import RetryPolicy

ENDPOINT: Final = "com.atproto.sync.subscribeRepos"

#: How the frames begin that every relay sends, as DAG-CBOR has but one form of a header; all others are looked into.
_USUAL_HEADS: Final = tuple(
    b"\xa2\x61t" + bytes((0x60 + len(kind),)) + kind + b"\x62op\x01"
    for kind in (b"#commit", b"#identity", b"#account", b"#sync")
)
_REMEMBERED_FRAMES: Final = 16
#: Why connections end is counted by reason; what a relay says is one, and it may say anything.
_MOST_REASONS: Final = 100
_OTHER: Final = "other"
_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_PORTS: Final = {"ws": 80, "wss": 443}


#: Lets a connection be made, and says how large its messages may be; asked with why the one before it ended.
AdmitConnection: TypeAlias = Callable[[str | None], AbstractAsyncContextManager[int]]


@asynccontextmanager
async def _of_any_size(_ended_by: str | None) -> AsyncGenerator[int]:
    yield MAX_FRAME_BYTES


class FutureCursorError(ZeppelinError):
    """The relay says that our cursor is ahead of it: it is another one, or began anew. A person must decide."""


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How a relay is connected to.

    Attributes:
        allow_private: whether a relay on a private address is connected to, for a test network only.
        idle_seconds: silence after which the connection is taken for dead.
        connect_seconds: for name, connection and handshake, each.
        retry: how patiently a connection is tried again; its number of attempts does not count.
        receive_bytes: of the socket's own buffer, of which all may be read at once; null leaves it to the system.
        most_at_once: frames that may come at once, before the queue: a connection that brings more, as of empty ones,
            ends. Null for any number.
    """

    allow_private: bool = False
    user_agent: str = "zeppelin"
    idle_seconds: float = 30.0
    connect_seconds: float = 10.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    receive_bytes: int | None = None
    most_at_once: int | None = None


class RelayStream:
    """The stream of one relay, from a cursor on, into a queue.

    Attributes:
        connections: how often it was connected.
        endings: why connections ended, by reason.
        received: frames put into the queue.
        ended_by: why the last connection ended; null before that.
    """

    def __init__(
        self,
        relay_url: str,
        cursor: int | None,
        queue: FrameQueue,
        settings: StreamSettings,
        endpoint: str = ENDPOINT,
        admit: AdmitConnection = _of_any_size,
    ) -> None:
        self._admit = admit
        self._url = websocket_url(relay_url, endpoint)
        self._cursor = cursor
        self._queue = queue
        self._settings = settings
        self._backend = GuardedBackend(allow_private=settings.allow_private)
        self._last: deque[bytes] = deque(maxlen=_REMEMBERED_FRAMES)
        self._connection: MessageConnection | None = None
        self._heard_at = 0.0
        self._dropped_for: str | None = None
        self.connections = 0
        self.received = 0
        self.endings: Counter[str] = Counter()
        self.ended_by: str | None = None

    async def run(self) -> None:
        """Reads until cancelled; connects again whenever the connection ends.

        Raises:
            FutureCursorError: the relay does not know our cursor yet.
            UpstreamError: `address-refused`; trying again would not help.
        """
        failures = 0
        while True:
            before = self.received
            try:
                async with self._admit(self.ended_by) as most_bytes:
                    await self._read_connection(most_bytes)
            except UpstreamError as error:
                if not error.is_transient:
                    raise
                self._note_ending(error.reason)
            failures = 0 if self.received > before else failures + 1
            await asyncio.sleep(self._settings.retry.delay_seconds(failures + 1))

    @property
    def is_connected(self) -> bool:
        """Whether frames can come at this moment."""
        return self._connection is not None

    def drop(self, reason: str) -> None:
        """Ends the connection, as what came over it cannot be read; the next one goes on behind it."""
        connection = self._connection
        if connection is not None:
            self._dropped_for = reason
            connection.transport.abort()

    def cursor(self) -> int | None:
        """The number of the last frame that was received and can be read."""
        for data in reversed(self._last):
            with contextlib.suppress(InvalidDataError):
                return max(read_seq(decode_frame(data).body), self._cursor or 0)
        return self._cursor

    async def _read_connection(self, most_bytes: int) -> None:
        self._cursor = self.cursor()
        connection = await self._connect(most_bytes)
        self._connection, self._dropped_for = connection, None
        self.connections += 1
        self._heard_at = asyncio.get_running_loop().time()
        watching = asyncio.create_task(self._watch(connection))
        try:
            await self._read(connection)
        except ConnectionClosed as error:
            reason = self._dropped_for or connection.reason_of(error)
            raise UpstreamError(reason, str(error), is_transient=True) from error
        finally:
            self._connection = None
            watching.cancel()
            connection.transport.abort()

    async def _connect(self, most_bytes: int) -> MessageConnection:
        parts = urlsplit(self._url)
        host = parts.hostname or ""
        seconds = self._settings.connect_seconds
        port = parts.port or _PORTS[parts.scheme]
        socket = await self._backend.connect_socket(host, port, seconds, self._settings.receive_bytes)
        query = "" if self._cursor is None else "?" + urlencode({"cursor": self._cursor})
        is_secure = parts.scheme == "wss"
        made = partial(MessageConnection, most_bytes=most_bytes, most_at_once=self._settings.most_at_once)
        try:
            connection = await connect(
                self._url + query,
                sock=socket,
                ssl=_tls() if is_secure else None,
                server_hostname=host if is_secure else None,
                compression=None,
                max_size=most_bytes,
                create_connection=cast("Any", made),
                open_timeout=seconds,
                ping_interval=None,  # silence is watched for, whatever pings say
                close_timeout=1,
                user_agent_header=self._settings.user_agent,
                proxy=None,
                process_exception=lambda error: error,
            )
            return cast("MessageConnection", connection)
        except (OSError, EOFError, ValueError, WebSocketException) as error:  # a redirect elsewhere is a ValueError
            socket.close()
            raise UpstreamError("handshake-failed", str(error)[:500], is_transient=True) from error

    async def _read(self, connection: MessageConnection) -> None:
        loop = asyncio.get_running_loop()
        while True:
            messages = await connection.receive()
            self._heard_at = loop.time()
            for data in messages:
                await self._take(data)
                # Waiting for room in the queue is no silence of the relay's.
                self._heard_at = loop.time()

    async def _take(self, data: bytes | str) -> None:
        if isinstance(data, str):
            raise UpstreamError("frame-text", data[:200], is_transient=True)
        is_usual = data.startswith(_USUAL_HEADS)
        if is_usual:
            self._last.append(data)
        if is_usual or self._is_message(data):
            await self._queue.put(data)
            self.received += 1
        elif (gap := self._gap_of(data)) is not None:
            await self._queue.put(gap)

    def _is_message(self, data: bytes) -> bool:
        """Whether an unusual frame is for the queue, broken ones too, where they are counted.

        Raises:
            FutureCursorError, UpstreamError: it is an error, which ends the stream.
        """
        try:
            frame = decode_frame(data)
        except InvalidDataError:
            return True
        if frame.op == OP_ERROR:
            raise _stream_error(frame, self._cursor)
        is_message = frame.op == 1 and frame.t != "#info"
        if is_message:
            self._note_seq(frame)
        return is_message

    def _note_seq(self, frame: Frame) -> None:
        with contextlib.suppress(InvalidDataError):  # counted where messages are read
            self._cursor = max(read_seq(frame.body), self._cursor or 0)

    def _gap_of(self, data: bytes) -> Outdated | None:
        """What an info frame tells; others than that of an old cursor tell nothing that matters."""
        name = decode_frame(data).body.get("name")
        self._count(f"info-{str(name)[:100]}")
        return Outdated(self._cursor or 0, "outdated-cursor") if name == "OutdatedCursor" else None

    async def _watch(self, connection: MessageConnection) -> None:
        """Ends a connection over which nothing comes."""
        loop = asyncio.get_running_loop()
        while True:
            left = self._heard_at + self._settings.idle_seconds - loop.time()
            if left <= 0 and not self._queue.is_full:
                self._dropped_for = "idle"
                connection.transport.abort()
                return
            await asyncio.sleep(max(left, 0.1))

    def _note_ending(self, reason: str) -> None:
        self.ended_by = reason
        self._count(reason)

    def _count(self, reason: str) -> None:
        is_kept = reason in self.endings or len(self.endings) < _MOST_REASONS
        self.endings[reason if is_kept else _OTHER] += 1


def websocket_url(relay_url: str, endpoint: str = ENDPOINT) -> str:
    """The stream's URL of a relay that is named by its authority, of whichever scheme."""
    parts = urlsplit(relay_url)
    return f"{_SCHEMES[parts.scheme]}://{parts.netloc}/xrpc/{endpoint}"


def relay_host(relay_url: str) -> Host:
    """The host of a relay, for its other methods: they are at the authority of the stream's URL."""
    return parse_host("http" + relay_url.removeprefix("ws") if relay_url.startswith("ws") else relay_url)


def _stream_error(frame: Frame, cursor: int | None) -> ZeppelinError:
    name, message = str(frame.body.get("error"))[:100], str(frame.body.get("message"))[:500]
    if name == "FutureCursor":
        return FutureCursorError(
            f"the relay does not have our cursor {cursor} yet ({message}): it began anew, or is not the one that we"
            f" followed. `zeppelin firehose --cursor` sets where to go on"
        )
    return UpstreamError(f"stream-{name}", message, is_transient=True)


@cache
def _tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context()
