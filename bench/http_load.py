"""A client that costs little: requests over kept connections, one at a time on each, and what they took.

Answers are read whole and not decoded. Requests are made before the clock starts.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self, cast
from urllib.parse import urlsplit

import httptools
import numpy as np

TIMEOUT_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: of HTTP.
        retry_after: the header, when there is one.
        body: as it came.
    """

    status: int
    retry_after: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Load:
    """Requests made by some clients at once.

    Attributes:
        wall_seconds: from the first request to the last answer.
        seconds: that each request took, in the order in which they ended.
        failed: answers other than 200, and connections that broke.
    """

    wall_seconds: float
    seconds: tuple[float, ...]
    failed: int

    @property
    def requests(self) -> int:
        """How many were answered."""
        return len(self.seconds)

    def millis(self, percentile: float) -> float:
        """The time that so many of a hundred requests did not exceed."""
        return float(np.percentile(self.seconds, percentile)) * 1000


class Connection(asyncio.Protocol):
    """One kept connection; `get` may be called again when it has answered."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._begin()

    @classmethod
    async def open(cls, url: str) -> Self:
        """A connection to the server of a URL; raises OSError when it takes none."""
        address = urlsplit(url)
        host, port = address.hostname or "", address.port or 80
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    async def get(self, request: bytes) -> Answer:
        """The answer to a request; raises ConnectionError or TimeoutError when there is none."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError("closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await self._answer

    def close(self) -> None:
        """It is not used again."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of no class of asyncio's

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(str(exc)))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        if name.lower() == b"retry-after":
            self._retry_after = value.decode()

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._parts.append(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        answer = Answer(self._parser.get_status_code(), self._retry_after, b"".join(self._parts))
        self._begin()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._retry_after: str | None = None


def request_for(url: str, path: str) -> bytes:
    """A GET of that path at a server."""
    return f"GET {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nAccept: application/json\r\n\r\n".encode()


async def answers_to(url: str, paths: Sequence[str], clients: int) -> list[Answer]:
    """The answers to some paths, in their order."""
    found: list[Answer | None] = [None] * len(paths)
    waiting = iter(enumerate(paths))

    async def ask() -> None:
        connection = await Connection.open(url)
        for number, path in waiting:
            found[number] = await connection.get(request_for(url, path))
        connection.close()

    await asyncio.gather(*(ask() for _ in range(clients)))
    return [answer for answer in found if answer is not None]


async def load(url: str, paths: Sequence[str], clients: int, seconds: float) -> Load:
    """Some clients, each going through the paths from another one on, for so long."""
    requests = [request_for(url, path) for path in paths]
    taken: list[float] = []
    failed = 0
    connections = [await Connection.open(url) for _ in range(clients)]
    started = time.perf_counter()
    closes_at = started + seconds

    async def run(connection: Connection, at: int) -> None:
        nonlocal failed
        begun = time.perf_counter()
        while begun < closes_at:
            answer = await connection.get(requests[at % len(requests)])
            ended = time.perf_counter()
            taken.append(ended - begun)
            failed += answer.status != 200
            at, begun = at + 1, ended

    spread = max(1, len(requests) // clients)
    await asyncio.gather(*(run(connection, number * spread) for number, connection in enumerate(connections)))
    wall = time.perf_counter() - started
    for connection in connections:
        connection.close()
    return Load(wall, tuple(taken), failed)
