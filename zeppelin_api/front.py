"""What every request passes first and every answer last: it is counted and timed, and gets its headers.

Plain ASGI around the framework, not within it, and one wrapper around sending for all of it: what each layer adds to a
request is more than what many methods do. What headers there are is in `hardening.py`, what is counted in `metrics.py`.
"""

from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zeppelin_api.hardening import EVERYWHERE, POLICY, policy_of
from zeppelin_api.metrics import RequestMetrics, method_of

#: For how long browsers may keep the answer to a preflight request.
_PREFLIGHT_SECONDS: Final = 86_400
_ORIGIN: Final = b"origin"
_FROM_NOWHERE: Final = (*EVERYWHERE, (b"vary", b"Origin"))
#: Pages of every origin may read every answer, with all its headers.
_FROM_ANYWHERE: Final = (
    *_FROM_NOWHERE,
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"*"),
)


class Front:
    """Counts each request of an application, and adds headers to its answer; one with a policy of its own keeps it."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics
        self._preflights = CORSMiddleware(
            app, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"], max_age=_PREFLIGHT_SECONDS
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        app, further = self._app, _FROM_ANYWHERE if _ORIGIN in dict(scope["headers"]) else _FROM_NOWHERE
        if scope["method"] == "OPTIONS":
            app, further = self._preflights, EVERYWHERE
        inner, status = scope, 500
        if scope["method"] == "HEAD":
            inner = {**scope, "method": "GET"}  # the server leaves out the body

        async def send_noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = headers = [*message["headers"], *further]
                if all(name != POLICY for name, _ in headers):
                    headers.append((POLICY, policy_of(scope["path"])))
            await send(message)

        begun = self._metrics.begin()
        try:
            await app(inner, receive, send_noting)
        finally:
            self._metrics.end(begun, method_of(inner), status)
