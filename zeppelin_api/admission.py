"""What a request must pass before the service spends anything on it: its size, its address's share, and room for it.

Looked at before the routes, so that a refusal costs microseconds. Refusals have the form of every other error.
"""

import math
import time
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from typing import Final

from starlette.types import Scope

from zeppelin_api.errors import ApiError, invalid_request, unavailable
from zeppelin_api.settings import ApiSettings
from zeppelin_api.shares import Shares

#: Of monitors, which ask often and cost little.
_UNCOUNTED: Final = frozenset({"/xrpc/_health", "/metrics", "/robots.txt", "/.well-known/did.json"})
#: A client of IPv6 has at least such a network to itself.
_IPV6_PREFIX_BITS: Final = 64


class Admission:
    """Refuses what is too long, comes too often, or finds no room; knows how many requests are worked on."""

    def __init__(self, settings: ApiSettings) -> None:
        self._max_url_bytes = settings.max_url_bytes
        self._max_body_bytes = settings.max_body_bytes
        self._max_requests = settings.max_concurrent_requests
        self._requests = 0
        self._share = settings.rate_limit_requests
        self._window_seconds = settings.rate_limit_window_seconds
        self._shares = Shares(self._window_seconds)

    def enter(self, scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
        """A request begins, which `leave` ends; gives the headers that tell its client its share.

        Raises:
            ApiError: it is refused, and has not begun.
        """
        self._check_size(scope)
        share = self._count(scope)
        if self._requests >= self._max_requests:
            raise unavailable("The service is busy", share)
        self._requests += 1
        return tuple((name.encode(), value.encode()) for name, value in share.items()) if share else ()

    def leave(self) -> None:
        """A request has ended."""
        self._requests -= 1

    def _check_size(self, scope: Scope) -> None:
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > self._max_url_bytes:
            raise ApiError("InvalidRequest", f"The URL is longer than {self._max_url_bytes} bytes", 414)
        for name, length in scope["headers"]:  # a body of unknown length is never read
            if name != b"content-length":
                continue
            if not length.isdigit():
                raise invalid_request("Content-Length is not a number")
            if int(length) > self._max_body_bytes:
                raise ApiError("PayloadTooLarge", f"The body is longer than {self._max_body_bytes} bytes", 413)

    def _count(self, scope: Scope) -> Mapping[str, str]:
        """The headers that tell a client its share; raises when it is used up."""
        if not self._share or scope["path"] in _UNCOUNTED:
            return {}
        window = self._shares.take(address_key(scope))
        seconds_left = self._shares.seconds_left(window)
        headers = {
            "ratelimit-limit": str(self._share),
            "ratelimit-remaining": str(max(0, self._share - window.requests)),
            "ratelimit-reset": str(math.ceil(time.time() + seconds_left)),
            "ratelimit-policy": f"{self._share};w={self._window_seconds}",
        }
        if window.requests > self._share:
            headers["Retry-After"] = str(math.ceil(seconds_left))
            raise ApiError("RateLimitExceeded", "Rate Limit Exceeded", 429, headers)
        return headers


def address_key(scope: Scope) -> str:
    """Whom a request counts for: its address, or the network of an IPv6 address; one key for what has none."""
    client = scope.get("client")
    if client is None:
        return "unknown"
    try:
        address = ip_address(client[0])
    except ValueError:  # a name, as test clients have
        return str(client[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)  # all addresses of IPv4 would share one network
    if isinstance(address, IPv6Address):
        return str(int(address) >> (address.max_prefixlen - _IPV6_PREFIX_BITS))
    return str(address)
