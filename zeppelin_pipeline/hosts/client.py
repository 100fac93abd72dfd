"""How one host is spoken to: requests with limits on time and size, and answers or typed errors.

Nothing that comes in is decoded but plain JSON: a compressed answer is refused, as a small one can unpack to any size.
"""

import asyncio
import importlib.metadata
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import httpx2
import orjson

from zeppelin_pipeline.errors import UpstreamError
from zeppelin_pipeline.hosts.answers import check_answer, transport_error
from zeppelin_pipeline.hosts.guard import GuardedBackend, GuardedTransport
from zeppelin_pipeline.hosts.host import Host, parse_host
from zeppelin_pipeline.hosts.limits import HostLimiter, HostLimiters, RetryPolicy

DEFAULT_USER_AGENT: Final = f"Zeppelin/{importlib.metadata.version('zeppelin')} (AT Protocol indexer)"
MAX_JSON_BYTES: Final = 16_000_000
_MOST_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CHUNK_BYTES: Final = 65_536

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits on the time of one request, in seconds.

    Attributes:
        connect: name resolution and connection, for each address tried.
        read: silence between two pieces of an answer.
        whole: the request from sending to its last byte; a download may have its own.
    """

    connect: float = 10.0
    read: float = 30.0
    whole: float = 60.0


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What all hosts' clients share.

    Attributes:
        allow_private: whether loopback and private addresses may be connected to, for a test network only.
        max_in_flight: requests at once to one host.
    """

    allow_private: bool = False
    max_in_flight: int = 50
    user_agent: str = DEFAULT_USER_AGENT
    timeouts: Timeouts = field(default_factory=Timeouts)
    retry: RetryPolicy = field(default_factory=RetryPolicy)


class HostClient:
    """One host's client: its connections, its limiter, its time limits."""

    def __init__(self, host: Host, http: httpx2.AsyncClient, limiter: HostLimiter, settings: ClientSettings) -> None:
        self.host = host
        self.limiter = limiter
        self._http = http
        self._settings = settings

    async def query(
        self, nsid: str, parameters: Mapping[str, str | int] | None = None, *, max_bytes: int = MAX_JSON_BYTES
    ) -> Any:
        """Calls an XRPC query that answers JSON; `get_json` says which errors it raises."""
        return await self.get_json(f"/xrpc/{nsid}", parameters, max_bytes=max_bytes)

    async def query_once(self, nsid: str, parameters: Mapping[str, str | int] | None = None) -> Any:
        """Calls an XRPC query without trying again, for callers that judge the answer within their own `retrying`."""
        return _parse_json(await self._read_whole(f"/xrpc/{nsid}", parameters, MAX_JSON_BYTES))

    async def get_json(
        self, path: str, parameters: Mapping[str, str | int] | None = None, *, max_bytes: int = MAX_JSON_BYTES
    ) -> Any:
        """Gets a path of the host and parses it, trying again when the failure may pass.

        Raises:
            UpstreamError: as `get_bytes`, and `upstream-malformed` for what is no JSON.
        """

        async def attempt() -> Any:
            return _parse_json(await self._read_whole(path, parameters, max_bytes))

        return await self.retrying(attempt)

    async def get_bytes(
        self, path: str, parameters: Mapping[str, str | int] | None = None, *, max_bytes: int = MAX_JSON_BYTES
    ) -> bytes:
        """Gets a path of the host, trying again when the failure may pass.

        Raises:
            UpstreamError: the last failure; reasons in `hosts.answers`, and `too-large`.
        """
        return await self.retrying(lambda: self._read_whole(path, parameters, max_bytes))

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        parameters: Mapping[str, str | int] | None = None,
        *,
        max_bytes: int,
        whole_seconds: float | None = None,
    ) -> AsyncGenerator[AsyncIterator[bytes]]:
        """Opens an answer for reading by chunks, once; the slot of the host's limiter is held until it is closed.

        Args:
            path: below the host's URL, with its leading slash.
            parameters: of the query.
            max_bytes: of the body; more raises.
            whole_seconds: limit of the whole request; null takes the settings'.

        Raises:
            UpstreamError: reasons in `hosts.answers`, and `too-large`; also from the body of the `with`.
        """
        async with self.limiter.slot():
            try:
                async with asyncio.timeout(whole_seconds or self._settings.timeouts.whole):
                    response = await self._send(path, parameters)
                    try:
                        yield _capped(response, max_bytes)
                    finally:
                        await response.aclose()
            except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
                raise transport_error(error) from error

    async def retrying(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Runs an operation, again with back-off while it fails in a way that may pass, within the policy's bound."""
        policy = self._settings.retry
        failures = rate_limited = 0
        while True:
            try:
                return await operation()
            except UpstreamError as error:
                if error.reason == "rate-limited":
                    rate_limited += 1
                else:
                    failures += 1
                is_last = failures >= policy.attempts or rate_limited >= policy.rate_limited_attempts
                if is_last or not error.is_transient:
                    raise
            await asyncio.sleep(policy.delay_seconds(failures + rate_limited))

    async def _read_whole(self, path: str, parameters: Mapping[str, str | int] | None, max_bytes: int) -> bytes:
        async with self.stream(path, parameters, max_bytes=max_bytes) as chunks:
            return b"".join([chunk async for chunk in chunks])

    async def _send(self, path: str, parameters: Mapping[str, str | int] | None) -> httpx2.Response:
        """Sends and follows redirects by hand: the library would read a redirect's body whole, whatever its size."""
        request = self._http.build_request("GET", self.host.url + path, params=dict(parameters) if parameters else None)
        for _ in range(_MOST_REDIRECTS + 1):
            response = await self._http.send(request, stream=True)
            try:
                retry_after_seconds = self.limiter.observe(response.status_code, response.headers)
                if response.status_code not in _REDIRECTS or response.next_request is None:
                    await check_answer(response, retry_after_seconds)
                    return response
                _check_redirect(request.url, response.next_request.url)
            except BaseException:
                await response.aclose()
                raise
            await response.aclose()
            request = response.next_request
        raise UpstreamError("http-redirects", f"more than {_MOST_REDIRECTS}", is_transient=False)


class HostClients:
    """The clients of all hosts of a process, one each, so that a host's limits hold whoever asks. An async `with`."""

    def __init__(
        self,
        settings: ClientSettings | None = None,
        *,
        backend: GuardedBackend | None = None,
        limiters: HostLimiters | None = None,
    ) -> None:
        self.settings = settings or ClientSettings()
        self._limiters = limiters or HostLimiters(self.settings.max_in_flight)
        self._backend = backend or GuardedBackend(allow_private=self.settings.allow_private)
        self._clients: dict[str, HostClient] = {}
        self._pools: list[httpx2.AsyncClient] = []

    def client(self, host: Host) -> HostClient:
        """The host's client, made at its first use."""
        known = self._clients.get(host.url)
        if known is None:
            pool = self._open_pool()
            self._pools.append(pool)
            known = self._clients[host.url] = self._make(host, pool, self._limiters.of(host.url))
        return known

    def keep(self, url: str) -> None:
        """Keeps the connections to a URL's host, for one that `get_url` asks all the time.

        Raises:
            InvalidDataError: the URL's host is none (`parse_host`).
        """
        self.client(_host_of(url))

    def passing_clients(self) -> "HostClients":
        """Clients for some hosts of very many, whose connections are closed with them; the hosts' limits are these."""
        return HostClients(self.settings, backend=self._backend, limiters=self._limiters)

    @asynccontextmanager
    async def passing_client(self, host: Host) -> AsyncGenerator[HostClient]:
        """A client for a host that is asked once or twice: the one that is there, else one for the block only.

        Thousands of hosts are probed and resolved in one run: a connection kept open for each would use up the files
        that a process may have open.
        """
        known = self._clients.get(host.url)
        if known is not None:
            yield known
            return
        async with self._open_pool() as pool:
            yield self._make(host, pool, HostLimiter(self.settings.max_in_flight))

    async def get_url(self, url: str, max_bytes: int = MAX_JSON_BYTES) -> bytes:
        """Gets a URL from outside, through its host's client when there is one.

        Raises:
            InvalidDataError: the URL's host is none (`parse_host`).
            UpstreamError: as `HostClient.get_bytes`.
        """
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        async with self.passing_client(_host_of(url)) as client:
            return await client.get_bytes(path, max_bytes=max_bytes)

    async def aclose(self) -> None:
        """Closes every connection."""
        pools, self._pools = self._pools, []
        self._clients.clear()
        for pool in pools:
            await pool.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def _make(self, host: Host, pool: httpx2.AsyncClient, limiter: HostLimiter) -> HostClient:
        return HostClient(host, pool, limiter, self.settings)

    def _open_pool(self) -> httpx2.AsyncClient:
        # A pool for each host: the library looks through all connections of a pool at every request.
        in_flight = self.settings.max_in_flight
        limits = httpx2.Limits(max_connections=in_flight, max_keepalive_connections=in_flight, keepalive_expiry=15.0)
        timeouts = self.settings.timeouts
        return httpx2.AsyncClient(
            transport=GuardedTransport(self._backend, tls=_tls(), limits=limits),
            timeout=httpx2.Timeout(timeouts.read, connect=timeouts.connect),
            headers={"user-agent": self.settings.user_agent, "accept-encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        )


@cache
def _tls() -> ssl.SSLContext:
    """The certificates that are trusted; shared, as reading them takes a tenth of a second."""
    return httpx2.create_ssl_context()


def _host_of(url: str) -> Host:
    parts = urlsplit(url)
    return parse_host(f"{parts.scheme}://{parts.netloc}")


def _check_redirect(source: httpx2.URL, target: httpx2.URL) -> None:
    if target.scheme not in {"https", source.scheme}:
        raise UpstreamError("http-redirects", f"from {source.scheme} to {target.scheme}", is_transient=False)


async def _capped(response: httpx2.Response, max_bytes: int) -> AsyncGenerator[bytes]:
    received = 0
    async for chunk in response.aiter_raw(_CHUNK_BYTES):
        received += len(chunk)
        if received > max_bytes:
            raise UpstreamError("too-large", f"more than {max_bytes} bytes", is_transient=False)
        yield chunk


def _parse_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UpstreamError("upstream-malformed", f"no JSON: {error}", is_transient=True) from error
