"""What an answer that is none means: the one mapping from HTTP, XRPC and transport failures to `UpstreamError`.

not-found, takendown, suspended, deactivated   the account's state, said by its host; final for now
rate-limited                                   429; transient
http-503, http-404, …                          any other status; 5xx, 408 and 425 are transient
connect, timeout, reset                        no connection, too slow, broken off; transient
upstream-malformed                             an answer that breaks HTTP's or the method's rules; transient
address-refused, http-redirects, bad-url       nothing that trying again could mend
"""

from typing import Final, cast

import httpx2
import orjson

from zeppelin_pipeline.errors import UpstreamError

#: The accounts' states, by XRPC error name (lexicon com.atproto.sync.getRepo).
ACCOUNT_REASONS: Final = {
    "RepoNotFound": "not-found",
    "RepoTakendown": "takendown",
    "RepoSuspended": "suspended",
    "RepoDeactivated": "deactivated",
}
_TRANSIENT_STATUSES: Final = frozenset({408, 425, 429})
_MAX_ERROR_BYTES: Final = 65_536
_LONGEST_DETAIL: Final = 300


async def check_answer(response: httpx2.Response, retry_after_seconds: float | None) -> None:
    """Lets a 200 in plain encoding pass, and raises for everything else.

    Raises:
        UpstreamError: see this module's table.
    """
    status = response.status_code
    encoding = response.headers.get("content-encoding", "identity")
    if status == 200 and encoding == "identity":
        return
    if status == 200:
        raise UpstreamError("upstream-malformed", f"content-encoding {encoding[:40]!r}", is_transient=False)
    name, message = _xrpc_error(await _read_error_body(response))
    detail = f"{status} {name} {message}".strip()[:_LONGEST_DETAIL]
    if 400 <= status < 500 and name in ACCOUNT_REASONS:
        raise UpstreamError(ACCOUNT_REASONS[name], detail, is_transient=False)
    is_transient = status >= 500 or status in _TRANSIENT_STATUSES
    reason = "rate-limited" if status == 429 else f"http-{status}"
    raise UpstreamError(reason, detail, is_transient=is_transient, retry_after_seconds=retry_after_seconds)


def transport_error(error: httpx2.HTTPError | httpx2.InvalidURL | TimeoutError) -> UpstreamError:
    """The typed error for a request that got no whole answer."""
    detail = f"{type(error).__name__} {error}".strip()[:_LONGEST_DETAIL]
    match error:
        case TimeoutError() | httpx2.TimeoutException():
            return UpstreamError("timeout", detail, is_transient=True)
        case httpx2.ConnectError():
            return UpstreamError("connect", detail, is_transient=True)
        case httpx2.NetworkError() | httpx2.RemoteProtocolError():
            return UpstreamError("reset", detail, is_transient=True)
        case _:
            return UpstreamError("bad-url", detail, is_transient=False)


async def _read_error_body(response: httpx2.Response) -> bytes:
    body = b""
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > _MAX_ERROR_BYTES:
            return b""
    return body


def _xrpc_error(body: bytes) -> tuple[str, str]:
    """The name and message of an XRPC error; empty for a body that is none (a proxy's page)."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "", ""
    if not isinstance(value, dict):
        return "", ""
    fields = cast("dict[str, object]", value)
    name, message = fields.get("error"), fields.get("message")
    return (name if isinstance(name, str) else "", message if isinstance(message, str) else "")
