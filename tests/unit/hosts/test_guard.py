"""The door that every connection goes through: public addresses only, judged at the moment of connecting."""

import ssl
from ipaddress import ip_address
from pathlib import Path

import httpx2
import pytest

from tests.fakes.certificates import make_tls
from tests.fakes.http_host import Reply, serving
from zeppelin_pipeline.errors import UpstreamError
from zeppelin_pipeline.hosts.client import ClientSettings, HostClients
from zeppelin_pipeline.hosts.guard import Address, GuardedBackend, GuardedTransport, is_public
from zeppelin_pipeline.hosts.host import Host
from zeppelin_pipeline.hosts.limits import RetryPolicy

ONCE = RetryPolicy(attempts=1)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",  # noqa: S104 - nothing binds to it
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "203.0.113.9",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:0:7f00:1::",
        "fc00::1",
        "fd12::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
    ],
)
def test_an_address_that_is_not_public_is_known(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_a_public_address_is_known(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:1", "10.1.2.3", "169.254.169.254", "[::1]:1", "[::ffff:127.0.0.1]:1", "localhost:1", "2130706433"],
)
async def test_a_private_host_is_refused_before_anything_is_sent(host: str) -> None:
    async with HostClients(ClientSettings(retry=ONCE)) as clients:
        with pytest.raises(UpstreamError) as caught:
            await clients.client(Host(host, f"http://{host}")).get_bytes("/")
    assert caught.value.reason == "address-refused"
    assert not caught.value.is_transient


async def _ask_through(backend: GuardedBackend, url: str, tls: ssl.SSLContext | None = None) -> httpx2.Response:
    transport = GuardedTransport(backend, tls=tls or httpx2.create_ssl_context(), limits=httpx2.Limits())
    async with httpx2.AsyncClient(transport=transport) as http:
        return await http.get(url)


async def test_a_name_that_resolves_to_loopback_is_refused() -> None:
    async def resolve_name(_name: str, _port: int) -> list[Address]:
        return [ip_address("127.0.0.1"), ip_address("::1")]

    async with serving(lambda _: Reply(b"secret")) as inside:
        backend = GuardedBackend(allow_private=False, resolve_name=resolve_name)
        with pytest.raises(UpstreamError, match="address-refused"):
            await _ask_through(backend, f"http://innocent.example:{inside.port}/")
        assert inside.requests == []


async def test_a_name_is_resolved_once_and_connected_to_as_judged() -> None:
    answers = [[ip_address("127.0.0.1")], [ip_address("10.9.9.9")]]

    async def resolve_name(_name: str, _port: int) -> list[Address]:
        return answers.pop(0)

    async with serving(lambda _: Reply(b"ok")) as inside:
        backend = GuardedBackend(allow_private=True, resolve_name=resolve_name)
        response = await _ask_through(backend, f"http://rebinding.example:{inside.port}/")
    assert response.content == b"ok"
    assert len(answers) == 1
    assert inside.requests[0].headers["host"].startswith("rebinding.example")


async def test_the_certificate_is_that_of_the_name_though_the_address_is_connected_to(tmp_path: Path) -> None:
    async def resolve_name(_name: str, _port: int) -> list[Address]:
        return [ip_address("127.0.0.1")]

    server, client = make_tls(tmp_path, "pds.example")
    backend = GuardedBackend(allow_private=True, resolve_name=resolve_name)
    async with serving(lambda _: Reply(b"ok"), tls=server) as inside:
        assert (await _ask_through(backend, f"https://pds.example:{inside.port}/", client)).content == b"ok"
        with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await _ask_through(backend, f"https://other.example:{inside.port}/", client)
        assert len(inside.requests) == 1


async def test_a_dead_address_is_passed_over_for_the_next() -> None:
    async def resolve_name(_name: str, _port: int) -> list[Address]:
        return [ip_address("127.0.0.2"), ip_address("127.0.0.1")]

    async with serving(lambda _: Reply(b"ok")) as inside:
        backend = GuardedBackend(allow_private=True, resolve_name=resolve_name)
        assert (await _ask_through(backend, f"http://two.example:{inside.port}/")).content == b"ok"


async def test_a_name_with_private_addresses_only_is_told_with_its_first() -> None:
    async def resolve_name(_name: str, _port: int) -> list[Address]:
        return [ip_address("10.0.0.1"), ip_address("127.0.0.1")]

    backend = GuardedBackend(allow_private=False, resolve_name=resolve_name)
    with pytest.raises(UpstreamError, match=r"mixed.example is 10\.0\.0\.1"):
        await backend.connect_tcp("mixed.example", 1)


async def test_a_name_that_does_not_resolve_is_a_failed_connection() -> None:
    async with HostClients(ClientSettings(retry=ONCE)) as clients:
        with pytest.raises(UpstreamError) as caught:
            await clients.client(Host("no.invalid", "https://no.invalid")).get_bytes("/")
    assert caught.value.reason == "connect"
    assert caught.value.is_transient


async def test_of_a_mixed_name_only_the_public_addresses_are_left() -> None:
    async def resolve_name(_name: str, _port: int) -> list[Address]:
        return [ip_address("10.0.0.1"), ip_address("1.1.1.1"), ip_address("::1")]

    backend = GuardedBackend(allow_private=False, resolve_name=resolve_name)
    assert await backend._allowed("mixed.example", 443, None) == [ip_address("1.1.1.1")]
