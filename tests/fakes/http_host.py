"""A host on loopback whose every answer a test decides: status, headers, body, and where the connection breaks."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import orjson

from zeppelin_pipeline.hosts.host import Host, parse_host


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `cut_after` bytes of the body the connection is reset; `declared_bytes` may lie about the length."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cut_after: int | None = None
    delay_seconds: float = 0.0


def json_reply(value: object, status: int = 200, **headers: str) -> Reply:
    """An answer in JSON; underscores in header names stand for hyphens."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(orjson.dumps(value), status, {"content-type": "application/json", **named})


def error_reply(status: int, name: str, message: str = "", **headers: str) -> Reply:
    """An XRPC error."""
    return json_reply({"error": name, "message": message}, status, **headers)


Answer = Callable[[Request], Reply | Awaitable[Reply]]


class HttpHost:
    """A running host: its address, what it was asked, and how it answers now."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.most_in_flight = 0
        self.port = 0
        self._in_flight = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def host(self) -> Host:
        return parse_host(f"http://127.0.0.1:{self.port}")

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._tasks)

    def count(self, path_end: str) -> int:
        return sum(request.path.endswith(path_end) for request in self.requests)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        parts = urlsplit(first.split(" ")[1])
        headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
        request = Request(parts.path, dict(parse_qsl(parts.query)), headers)
        self.requests.append(request)
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            reply = self.answer(request)
            if not isinstance(reply, Reply):
                reply = await reply
            await asyncio.sleep(reply.delay_seconds)
        finally:
            self._in_flight -= 1
        return await self._send(writer, reply)

    async def _send(self, writer: asyncio.StreamWriter, reply: Reply) -> bool:
        headers = {"content-length": str(len(reply.body)), **reply.headers}
        lines = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
        writer.write(f"HTTP/1.1 {reply.status} X\r\n{lines}\r\n".encode())
        writer.write(reply.body[: reply.cut_after])
        await writer.drain()
        return reply.cut_after is None


@asynccontextmanager
async def serving(answer: Answer, *, tls: ssl.SSLContext | None = None) -> AsyncGenerator[HttpHost]:
    """Serves on a free port of loopback while the context is open."""
    host = HttpHost(answer)
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0, ssl=tls)
    host.port = server.sockets[0].getsockname()[1]
    try:
        yield host
    finally:
        server.close()
        await host.close()
