"""A host's client: what each bad answer means, limits on size and time, redirects, retries."""

import asyncio
import gzip
from pathlib import Path
from typing import Any

import httpcore2
import pytest

from tests.fakes.http_host import Answer, HttpHost, Reply, Request, error_reply, json_reply, serving
from zeppelin_pipeline.errors import InvalidDataError, UpstreamError
from zeppelin_pipeline.hosts.client import ClientSettings, HostClients, Timeouts
from zeppelin_pipeline.hosts.guard import GuardedBackend
from zeppelin_pipeline.hosts.host import Host
from zeppelin_pipeline.hosts.limits import RetryPolicy

ONCE = ClientSettings(allow_private=True, retry=RetryPolicy(attempts=1, rate_limited_attempts=1))
QUICK = ClientSettings(allow_private=True, retry=RetryPolicy(attempts=3, base_seconds=0.001))


async def _reason(answer: Answer, settings: ClientSettings = ONCE, *, max_bytes: int = 1000) -> UpstreamError:
    async with serving(answer) as host, HostClients(settings) as clients:
        with pytest.raises(UpstreamError) as caught:
            await clients.client(host.host).query("com.example.method", max_bytes=max_bytes)
        return caught.value


@pytest.mark.parametrize(
    ("reply", "reason", "is_transient"),
    [
        (error_reply(400, "RepoNotFound"), "not-found", False),
        (error_reply(400, "RepoTakendown"), "takendown", False),
        (error_reply(400, "RepoSuspended"), "suspended", False),
        (error_reply(400, "RepoDeactivated"), "deactivated", False),
        (error_reply(502, "RepoNotFound"), "http-502", True),
        (error_reply(400, "InvalidRequest", "no"), "http-400", False),
        (error_reply(429, "RateLimitExceeded"), "rate-limited", True),
        (Reply(b"<html>", 503), "http-503", True),
        (Reply(b"<html>", 500), "http-500", True),
        (Reply(b"", 408), "http-408", True),
        (Reply(b"<html>", 404), "http-404", False),
        (Reply(b"[1]", 404), "http-404", False),
        (Reply(b"x" * 100_000, 404), "http-404", False),
        (Reply(b"{}", 206), "http-206", False),
        (Reply(b"not json"), "upstream-malformed", True),
        (Reply(b"[" * 900), "upstream-malformed", True),
        (Reply(b"{}" + b" " * 1000), "too-large", False),
        (Reply(b"{}", headers={"content-encoding": "gzip"}), "upstream-malformed", False),
        (Reply(b"{}", cut_after=1), "reset", True),
        (Reply(b"{}", headers={"content-length": "x"}), "reset", True),
    ],
)
async def test_each_bad_answer_has_its_reason(reply: Reply, reason: str, is_transient: bool) -> None:
    error = await _reason(lambda _: reply)
    assert (error.reason, error.is_transient) == (reason, is_transient)


async def test_a_compressed_bomb_is_not_unpacked() -> None:
    bomb = Reply(gzip.compress(b"x" * 50_000_000), headers={"content-encoding": "gzip"})
    error = await _reason(lambda _: bomb, max_bytes=100_000_000)
    assert error.reason == "upstream-malformed"


async def test_the_errors_own_words_and_the_wait_are_kept() -> None:
    error = await _reason(lambda _: error_reply(429, "RateLimitExceeded", "slow down", retry_after="0"))
    assert "slow down" in error.detail
    assert error.retry_after_seconds == 0


async def test_nobody_listening_is_a_failed_connection() -> None:
    async with serving(lambda _: Reply()) as host:
        port = host.port
    async with HostClients(ONCE) as clients:
        with pytest.raises(UpstreamError) as caught:
            await clients.client(Host("x", f"http://127.0.0.1:{port}")).get_bytes("/")
    assert caught.value.reason == "connect"


@pytest.mark.parametrize("timeouts", [Timeouts(read=0.05), Timeouts(whole=0.05)])
async def test_a_host_that_does_not_answer_is_left(timeouts: Timeouts) -> None:
    settings = ClientSettings(allow_private=True, timeouts=timeouts, retry=RetryPolicy(attempts=1))
    error = await _reason(lambda _: Reply(b"{}", delay_seconds=5), settings)
    assert error.reason == "timeout"


async def test_a_passing_failure_is_tried_again_and_a_lasting_one_is_not() -> None:
    replies = [Reply(b"", 503), Reply(b"{", cut_after=0), json_reply({"n": 1}), Reply(b"", 404)]
    async with serving(lambda _: replies.pop(0)) as host, HostClients(QUICK) as clients:
        client = clients.client(host.host)
        assert await client.query("com.example.method") == {"n": 1}
        with pytest.raises(UpstreamError, match="http-404"):
            await client.query("com.example.method")
        assert len(host.requests) == 4


async def test_retries_end() -> None:
    async with serving(lambda _: Reply(b"", 503)) as host, HostClients(QUICK) as clients:
        with pytest.raises(UpstreamError, match="http-503"):
            await clients.client(host.host).get_bytes("/")
        assert len(host.requests) == 3


async def test_being_rate_limited_uses_up_no_ordinary_attempt() -> None:
    settings = ClientSettings(
        allow_private=True, retry=RetryPolicy(attempts=2, base_seconds=0.001, rate_limited_attempts=5)
    )
    replies = [*[error_reply(429, "RateLimitExceeded", retry_after="0")] * 4, json_reply({})]
    async with serving(lambda _: replies.pop(0)) as host, HostClients(settings) as clients:
        assert await clients.client(host.host).query("com.example.method") == {}


async def test_we_say_who_we_are_and_ask_for_no_compression() -> None:
    async with serving(lambda _: json_reply({})) as host, HostClients(ONCE) as clients:
        await clients.client(host.host).query("com.example.method", {"limit": 5})
        request = host.requests[0]
    assert request.headers["user-agent"].startswith("Zeppelin/")
    assert request.headers["accept-encoding"] == "identity"
    assert (request.path, request.query) == ("/xrpc/com.example.method", {"limit": "5"})


async def test_a_redirect_is_followed_within_bounds() -> None:
    def answer(request: Request) -> Reply:
        if request.path == "/end":
            return json_reply({"n": 2})
        return Reply(b"x" * 100, 302, {"location": "/end" if request.path.startswith("/xrpc") else "/again"})

    async with serving(answer) as host, HostClients(ONCE) as clients:
        client = clients.client(host.host)
        assert await client.query("com.example.method") == {"n": 2}
        with pytest.raises(UpstreamError, match="http-redirects"):
            await client.get_bytes("/again")
        assert host.count("/again") == 4


class OpenToOne(GuardedBackend):
    """A guard that lets one host on loopback pass for a public one."""

    def __init__(self, name: str) -> None:
        super().__init__(allow_private=False)
        self._name = name
        self._open = GuardedBackend(allow_private=True)

    async def connect_tcp(self, host: str, port: int, *rest: Any, **named: Any) -> httpcore2.AsyncNetworkStream:
        chosen = self._open if host == self._name else super()
        return await chosen.connect_tcp(host, port, *rest, **named)


@pytest.mark.parametrize("target", ["127.0.0.2", "localhost", "169.254.169.254", "[::1]", "2130706433"])
async def test_a_redirect_to_a_private_address_is_refused(target: str) -> None:
    async with serving(lambda _: Reply(b"secret")) as inside:
        redirect = Reply(b"", 302, {"location": f"http://{target}:{inside.port}/secret"})
        async with (
            serving(lambda _: redirect) as outside,
            HostClients(ClientSettings(retry=ONCE.retry), backend=OpenToOne("127.0.0.1")) as clients,
        ):
            with pytest.raises(UpstreamError, match="address-refused"):
                await clients.client(outside.host).get_bytes("/")
            assert outside.count("/") == 1
        assert inside.requests == []


async def test_a_redirect_to_another_scheme_is_refused() -> None:
    error = await _reason(lambda _: Reply(b"", 302, {"location": "file:///etc/passwd"}))
    assert error.reason == "http-redirects"


async def test_no_more_than_the_limit_is_in_flight() -> None:
    settings = ClientSettings(allow_private=True, max_in_flight=5)
    async with serving(lambda _: Reply(b"{}", delay_seconds=0.01)) as host, HostClients(settings) as clients:
        client = clients.client(host.host)
        await asyncio.gather(*(client.query("com.example.method") for _ in range(25)))
        assert host.most_in_flight == 5


async def test_a_connection_that_the_host_closed_is_not_used_again() -> None:
    async with serving(lambda _: json_reply({})) as host, HostClients(ONCE) as clients:
        client = clients.client(host.host)
        await client.query("com.example.method")
        for _ in range(3):
            await host.close()
            await asyncio.sleep(0.01)
            await client.query("com.example.method")
        assert len(host.requests) == 4


async def test_a_url_is_fetched_through_its_hosts_client() -> None:
    async with serving(lambda request: Reply(request.query["a"].encode())) as host, HostClients(ONCE) as clients:
        assert await clients.get_url(f"{host.host.url}/x?a=1%202") == b"1 2"
        assert clients.client(host.host) is clients.client(host.host)
        with pytest.raises(InvalidDataError):
            await clients.get_url("https://user@example.com/")


async def test_one_parked_host_holds_up_no_other() -> None:
    async with serving(lambda _: json_reply({})) as sick, serving(lambda _: json_reply({})) as well:
        async with HostClients(ONCE) as clients:
            clients.client(sick.host).limiter.park(60)
            waiting = asyncio.create_task(clients.client(sick.host).query("com.example.method"))
            assert await _query(well, clients) == {}
            assert not waiting.done()
            waiting.cancel()
        assert sick.requests == []


async def _query(host: HttpHost, clients: HostClients) -> object:
    return await asyncio.wait_for(clients.client(host.host).query("com.example.method"), 5)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_hosts_that_are_asked_once_leave_no_connection_open() -> None:
    async with (
        serving(lambda _: json_reply({})) as kept,
        serving(lambda _: json_reply({})) as passing,
        HostClients(ONCE) as clients,
    ):
        clients.keep(f"{kept.host.url}/any/path")
        open_before = open_files()
        for _ in range(3):
            await clients.get_url(f"{passing.host.url}/x")
        await asyncio.sleep(0.05)
        assert open_files() == open_before
        await clients.get_url(f"{kept.host.url}/x")
        assert open_files() > open_before


async def test_passing_clients_leave_no_connection_and_know_how_long_a_host_is_left_alone() -> None:
    def answer(_: Request) -> Reply:
        return error_reply(429, "RateLimitExceeded", retry_after="30")

    async with serving(answer) as host, HostClients(ONCE) as clients:
        async with clients.passing_clients() as passing:
            with pytest.raises(UpstreamError, match="rate-limited"):
                await passing.client(host.host).query("com.example.method")
            assert host.connections == 1
        async with asyncio.timeout(10):
            while host.connections:  # noqa: ASYNC110 - the other side is waited for
                await asyncio.sleep(0.01)
        assert clients.client(host.host).limiter.parked_seconds > 20
