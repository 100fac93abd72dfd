"""Our own servers beside the official ones: an ASGI application on loopback, in a thread of its own. No tests here."""

import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from zeppelin_api.app import create_app
from zeppelin_api.settings import ApiSettings


def api_over(postgres_url: str) -> Callable[[int], ASGIApp]:
    """Makes our API over a warehouse."""

    def make(port: int) -> ASGIApp:
        did = f"did:web:localhost%3A{port}"
        return create_app(ApiSettings.model_validate({"postgres_url": postgres_url, "did": did}))

    return make


@contextmanager
def serving(make_app: Callable[[int], ASGIApp]) -> Generator[str]:
    """Serves the application that is made for a port; gives its URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(make_app(port), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name=f"port {port}")
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(20)
