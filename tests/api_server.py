"""An application behind a socket, as clients and tools of other processes and threads reach it."""

import asyncio
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

STOP_SECONDS = 20.0


@contextmanager
def serving(app: ASGIApp, *, ws: type[asyncio.Protocol] | None = None) -> Generator[str]:
    """An application in a thread of this process, on a port of its own: its URL. `ws` speaks WebSockets for it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws=ws or "auto"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server")
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(STOP_SECONDS)
