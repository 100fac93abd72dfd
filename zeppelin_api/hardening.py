"""Headers that every answer carries, so that browsers take it for nothing but what it is."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_EVERYWHERE: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"cross-origin-resource-policy", b"cross-origin"),  # other origins' pages draw from this API
)
#: For what is no page: nothing may run in it, and nothing frames it.
_DATA_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; sandbox"
#: Our pages have scripts and styles in files of their own; images and videos are wherever the settings say.
PAGE_POLICY: Final = (
    "default-src 'self'; img-src 'self' https: http: data:; media-src 'self' https: http:; "
    "object-src 'none'; base-uri 'none'; frame-ancestors 'self'"
)
#: The documentation's page starts itself by a script within it.
DOCUMENTATION_POLICY: Final = f"{PAGE_POLICY}; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"
_DOCUMENTATION: Final = frozenset({"/docs", "/docs/oauth2-redirect"})
_POLICY: Final = b"content-security-policy"


class Hardening:
    """Adds the headers; an answer that brings a policy of its own keeps it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request through, and add to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        policy = (DOCUMENTATION_POLICY if scope["path"] in _DOCUMENTATION else _DATA_POLICY).encode()

        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], *_EVERYWHERE]
                if all(name != _POLICY for name, _ in headers):
                    headers.append((_POLICY, policy))
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, send_hardened)
