"""HTTP that can misbehave: uvicorn on a loopback socket, with connections that can be reset from within an answer.

And WebSockets that take many messages at once.
"""

import asyncio
import socket
import struct
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from zeppelin_pipeline.errors import ConfigurationError

_TRANSPORT = "devnet.transport"
#: The extension of a WebSocket's scope that sends messages at once.
SEND_MESSAGES = "devnet.send_messages"
_ABNORMAL_CLOSURE = 1006
_LINGER_NOTHING = struct.pack("ii", 1, 0)


class ResettableProtocol(HttpToolsProtocol):
    """HTTP/1.1 that hands its transport to the application, so that an answer can break off."""

    def on_message_begin(self) -> None:
        """Put the transport in the request's scope."""
        super().on_message_begin()
        self.scope["extensions"] = {_TRANSPORT: {"transport": self.transport}}


class MessagesProtocol(WebSocketsSansIOProtocol):
    """A WebSocket that sends many binary messages by one write."""

    async def run_asgi(self) -> None:
        """Hand the application what sends."""
        self.scope["extensions"] = {SEND_MESSAGES: {"send": self.send_messages}}
        await super().run_asgi()

    async def send_messages(self, messages: Sequence[bytes]) -> None:
        """Send messages once those before are underway; WebSocketDisconnect when the other side has gone."""
        await self.writable.wait()
        if self.close_sent or self.transport.is_closing():
            raise WebSocketDisconnect(_ABNORMAL_CLOSURE)
        self.transport.write(b"".join(piece for each in messages for piece in (message_head(len(each)), each)))


async def send_messages(websocket: WebSocket, messages: Sequence[bytes]) -> None:
    """Send binary messages at once, at a twentieth of what each alone costs; WebSocketDisconnect as `send_bytes`."""
    await websocket.scope["extensions"][SEND_MESSAGES]["send"](messages)


def message_head(size: int) -> bytes:
    """What a server sends before a binary message of a size (RFC 6455)."""
    if size < 126:
        return bytes((0x82, size))
    return b"\x82\x7e" + size.to_bytes(2, "big") if size < 1 << 16 else b"\x82\x7f" + size.to_bytes(8, "big")


class LoopbackServer(uvicorn.Server):
    """A server among several of one process: signals are the process's own affair.

    Attributes:
        is_serving: set once it answers.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_serving = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self.is_serving.set()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield


def reset_connection(scope: Scope) -> None:
    """End the connection with a TCP reset, whatever has been sent."""
    transport: asyncio.Transport = scope["extensions"][_TRANSPORT]["transport"]
    peer: socket.socket | None = transport.get_extra_info("socket")
    if peer is not None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOTHING)
    transport.abort()


class DroppedResponse(Response):
    """No answer at all: the connection is reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI's signature
        """Reset."""
        reset_connection(scope)


class BrokenResponse(Response):
    """An answer that promises its whole body, sends the first half, and resets the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI's signature
        """Send half, and reset."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body = bytes(self.body)
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        await asyncio.sleep(0.05)  # a reset drops what the client has not read: let it read the half
        reset_connection(scope)


class DrippingResponse(Response):
    """An answer whose body takes `seconds` to arrive, in pieces of equal size."""

    pieces = 16

    def __init__(self, whole: Response, seconds: float) -> None:
        super().__init__(whole.body, whole.status_code)
        self.raw_headers = whole.raw_headers
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI's signature
        """Send piece by piece."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body = bytes(self.body)
        step = max(len(body) // self.pieces, 1)
        for start in range(0, len(body), step):
            await send({"type": "http.response.body", "body": body[start : start + step], "more_body": True})
            await asyncio.sleep(self.seconds / self.pieces)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def listening_socket(port: int) -> socket.socket:
    """A socket that listens on 127.0.0.1; port 0 lets the system choose. ConfigurationError when the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(f"port {port} of 127.0.0.1 cannot be had: {error}") from error
    listener.listen(2048)
    return listener


def socket_url(listener: socket.socket) -> str:
    """The URL of what listens there."""
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def make_server(app: ASGIApp) -> LoopbackServer:
    """A server for an application: quiet, quick to stop, WebSockets without compression."""
    options: dict[str, Any] = {
        "http": ResettableProtocol,
        "ws": MessagesProtocol,
        "ws_per_message_deflate": False,
        "lifespan": "off",
        "log_config": None,
        "log_level": "critical",
        "access_log": False,
        "timeout_graceful_shutdown": 1,
    }
    return LoopbackServer(uvicorn.Config(app, **options))
