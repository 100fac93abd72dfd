"""Which addresses the process may connect to. Every connection to a name from outside goes through `GuardedTransport`.

A host's name is resolved once and the connection is made to the very address that was judged, so that a name that
resolves differently the second time gains nothing; redirects connect through the same door.
"""

import asyncio
import select
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final, TypeAlias, cast

import httpcore2
import httpx2

from zeppelin_pipeline.errors import UpstreamError

Address: TypeAlias = IPv4Address | IPv6Address
#: Resolves a name and a port to addresses; raises OSError.
Resolve: TypeAlias = Callable[[str, int], Awaitable[list[Address]]]

_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_NAT64_LOCAL: Final = IPv6Network("64:ff9b:1::/48")  # RFC 8215: for use inside one network
#: A name may have many addresses, of which the first ones may be dead; more than these are not tried.
_MOST_ATTEMPTS: Final = 3
#: getaddrinfo blocks its thread for as long as a dead name server likes: these threads are for it alone.
_RESOLVERS: Final = ThreadPoolExecutor(max_workers=32, thread_name_prefix="resolve")


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet: not loopback, private, link-local, multicast or reserved.

    An IPv6 address that stands for an IPv4 address (mapped, 6to4, Teredo, NAT64) is judged by that one too.
    """
    if isinstance(address, IPv6Address):
        embedded = _embedded(address)
        if any(not is_public(inner) for inner in embedded):
            return False
        if address.ipv4_mapped is not None or address in _NAT64:
            return True
        if address in _NAT64_LOCAL or address.is_site_local:
            return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified or address.is_link_local
    )


def _embedded(address: IPv6Address) -> list[IPv4Address]:
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        inner.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in inner if each is not None]


async def resolve(name: str, port: int) -> list[Address]:
    """The addresses of a name, as the system's resolver gives them; raises OSError when it has none."""
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(_RESOLVERS, lambda: socket.getaddrinfo(name, port, type=socket.SOCK_STREAM))
    addresses = [ip_address(str(entry[4][0])) for entry in found]
    return list(dict.fromkeys(addresses))


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Opens connections to public addresses only, unless private ones are allowed."""

    def __init__(self, *, allow_private: bool, resolve_name: Resolve = resolve) -> None:
        self._allow_private = allow_private
        self._resolve = resolve_name
        self._inner = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's own
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolves, judges and connects; tries the next address when one does not answer.

        Raises:
            UpstreamError: `address-refused`, none of the name's addresses is public.
            httpcore2.ConnectError, httpcore2.ConnectTimeout: as the plain backend.
        """
        addresses = await self._allowed(host, port, timeout)
        last_error: Exception | None = None
        for address in addresses[:_MOST_ATTEMPTS]:
            try:
                stream = await self._inner.connect_tcp(str(address), port, timeout, local_address, socket_options)
                return _KnownSocketStream(stream)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                last_error = error
        raise last_error or httpcore2.ConnectError(f"{host} has no address")

    async def connect_socket(
        self, host: str, port: int, seconds: float, receive_bytes: int | None = None
    ) -> socket.socket:
        """Resolves, judges and connects, for a protocol that is not HTTP; the caller closes the socket.

        Args:
            host: name.
            port: of it.
            seconds: for the name, and for the connection to each address.
            receive_bytes: of the socket's buffer; null leaves it to the system.

        Raises:
            UpstreamError: `address-refused`; `connect-failed`, which may pass.
        """
        try:
            addresses = await self._allowed(host, port, seconds)
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
            raise UpstreamError("connect-failed", str(error), is_transient=True) from error
        last_error: OSError | None = None
        for address in addresses[:_MOST_ATTEMPTS]:
            try:
                return await _connected(address, port, seconds, receive_bytes)
            except OSError as error:  # a timeout is one too
                last_error = error
        raise UpstreamError("connect-failed", f"{host}: {last_error or 'no address'}", is_transient=True)

    async def sleep(self, seconds: float) -> None:
        """Waits between the pool's own attempts, of which we ask none."""
        await asyncio.sleep(seconds)

    async def _allowed(self, host: str, port: int, seconds: float | None) -> list[Address]:
        try:
            async with asyncio.timeout(seconds):
                addresses = await self._resolve(host, port)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"no answer from the resolver for {host}") from error
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"{host} does not resolve: {error}") from error
        if self._allow_private:
            return addresses
        public = [address for address in addresses if is_public(address)]
        if addresses and not public:
            raise UpstreamError("address-refused", f"{host} is {addresses[0]}", is_transient=False)
        return public


async def _connected(address: Address, port: int, seconds: float, receive_bytes: int | None) -> socket.socket:
    family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
    connecting = socket.socket(family, socket.SOCK_STREAM)
    connecting.setblocking(False)
    if receive_bytes is not None:  # before it connects, as the window is told then
        connecting.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    try:
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().sock_connect(connecting, (str(address), port))
    except BaseException:
        connecting.close()
        raise
    return connecting


class _KnownSocketStream(httpcore2.AsyncNetworkStream):
    """A connection that looks up its socket once.

    At every request the pool asks each idle connection whether its peer has closed it, and the plain stream asks the
    system for both addresses each time: a quarter of a fetch's processor time, at 50 connections to a host.
    """

    def __init__(self, inner: httpcore2.AsyncNetworkStream) -> None:
        self._inner = inner
        self._socket: socket.socket = inner.get_extra_info("socket")

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - the interface's own
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the interface's own
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface's own
    ) -> httpcore2.AsyncNetworkStream:
        return _KnownSocketStream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return _is_readable(self._socket)
        return self._inner.get_extra_info(info)


def _is_readable(known: socket.socket) -> bool:
    """Whether bytes or the end wait to be read; a closed socket is said to be readable, as the pool expects."""
    if known.fileno() < 0:
        return True
    watch = select.poll()
    watch.register(known.fileno(), select.POLLIN)
    return bool(watch.poll(0))


class GuardedTransport(httpx2.AsyncHTTPTransport):
    """An HTTP transport whose every connection is made by a `GuardedBackend`. It knows no proxy and no environment."""

    def __init__(self, backend: GuardedBackend, *, tls: ssl.SSLContext, limits: httpx2.Limits) -> None:
        super().__init__(verify=tls, trust_env=False, limits=limits)
        # The transport has no argument for its backend; a test of the guard fails should the pool's name ever change.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=backend,
        )
