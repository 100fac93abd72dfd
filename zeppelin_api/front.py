"""What every request passes first and every answer last: it is counted, timed and admitted, and gets its headers.

Plain ASGI around the framework, not within it, and one wrapper around sending for all of it: what each layer adds to a
request is more than what many methods do. What headers there are is in `hardening.py`, what is counted in `metrics.py`,
whom there is no room for in `admission.py`.
"""

from collections.abc import Awaitable
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zeppelin_api.admission import Admission
from zeppelin_api.errors import ApiError, error_response
from zeppelin_api.hardening import EVERYWHERE, POLICY, policy_of
from zeppelin_api.metrics import RequestMetrics, route_of

#: For how long browsers may keep the answer to a preflight request.
_PREFLIGHT_SECONDS: Final = 86_400
_ORIGIN: Final = b"origin"
#: What a preflight request has beside an origin.
_ASKED_METHOD: Final = b"access-control-request-method"
_FROM_NOWHERE: Final = (*EVERYWHERE, (b"vary", b"Origin"))
#: Pages of every origin may read every answer, with all its headers.
_FROM_ANYWHERE: Final = (
    *_FROM_NOWHERE,
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"*"),
)


class _Answer:
    """Sends what an application answers, and notes its status; one with a policy of its own keeps it.

    Attributes:
        headers: that it has beside its own.
        status: of the answer; 500 until there is one.
    """

    __slots__ = ("_path", "_send", "headers", "status")

    def __init__(self, send: Send, path: str, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self._send = send
        self._path = path
        self.headers = headers
        self.status = 500

    def __call__(self, message: Message) -> Awaitable[None]:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = headers = [*message["headers"], *self.headers]
            if POLICY not in dict(headers):
                headers.append((POLICY, policy_of(self._path)))
        return self._send(message)


class Front:
    """Counts each request of an application and admits it, and adds headers to its answer."""

    def __init__(self, app: ASGIApp, admission: Admission, metrics: RequestMetrics) -> None:
        self._app = app
        self._admission = admission
        self._metrics = metrics
        self._preflights = CORSMiddleware(
            app, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"], max_age=_PREFLIGHT_SECONDS
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}  # the server leaves out the body
        given = dict(scope["headers"])
        answer = _Answer(send, scope["path"], _FROM_ANYWHERE if _ORIGIN in given else _FROM_NOWHERE)
        begun = self._metrics.begin()
        try:
            if scope["method"] == "OPTIONS" and _ORIGIN in given and _ASKED_METHOD in given:
                answer.headers = EVERYWHERE
                await self._preflights(scope, receive, answer)
            else:
                await self._admit(scope, receive, answer)
        finally:
            self._metrics.end(begun, route_of(scope), answer.status)

    async def _admit(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        try:
            answer.headers += self._admission.enter(scope)
        except ApiError as error:
            await error_response(error)(scope, receive, answer)
            return
        try:
            await self._app(scope, receive, answer)
        finally:
            self._admission.leave()
