"""A labeler: signed labels on a stream of its own, and wrong ones on demand. Which account it is, its opener says."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.atproto.frames import encode_frame
from zeppelin_pipeline.atproto.labels import sign_label
from zeppelin_pipeline.atproto.syntax import format_datetime
from zeppelin_pipeline.devnet.firehose import Firehose
from zeppelin_pipeline.devnet.model import LiveConfig
from zeppelin_pipeline.devnet.operations import LabelerService
from zeppelin_pipeline.devnet.serving import listening_socket, make_server, socket_url

SUBSCRIBE_PATH = "/xrpc/com.atproto.label.subscribeLabels"


class DevnetLabeler:
    """A labeler's voice.

    Attributes:
        did: the account.
        key: that signs.
        url: of its service, once it is served.
    """

    def __init__(self, did: str, key: PrivateKey | None = None, url: str = "") -> None:
        self.did = did
        self.key = key or PrivateKey.generate("k256")
        self.url = url
        self._firehose = Firehose(LiveConfig())

    @property
    def last_seq(self) -> int:
        """The number of its newest message."""
        return self._firehose.last_seq

    @property
    def service(self) -> LabelerService:
        """What the account's operations say of it."""
        return LabelerService(self.key.public_key.to_did_key(), self.url)

    @property
    def app(self) -> Starlette:
        """The stream, to be served."""
        return Starlette(routes=[WebSocketRoute(SUBSCRIBE_PATH, self._firehose.serve)])

    def label(self, subject: str, val: str, *, key: PrivateKey | None = None, **fields: Any) -> dict[str, Any]:
        """A label; signed by another key, or with any field, it is as wrong as one likes."""
        now = format_datetime(time.time_ns() // 1_000_000 * 1_000)
        return sign_label({"src": self.did, "uri": subject, "val": val, "cts": now, **fields}, key or self.key)

    def publish(self, labels: Sequence[dict[str, Any]]) -> int:
        """One message with labels; its number."""
        return self._firehose.publish(lambda seq: encode_frame(1, "#labels", {"seq": seq, "labels": list(labels)}))

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncGenerator[None]:
        """Serve the stream on loopback; port 0 lets the system choose. Before and after it is down."""
        listener = listening_socket(port)
        self.url = socket_url(listener)
        server = make_server(self.app)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await server.is_serving.wait()
        try:
            yield
        finally:
            server.should_exit = True
            with contextlib.suppress(asyncio.CancelledError):
                await task
