"""What the API refuses before it looks at it, and the headers that every answer carries. No database is there."""

import asyncio
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from tests.api_client import running_api
from zeppelin_api.admission import Admission, address_key
from zeppelin_api.front import Front
from zeppelin_api.metrics import RequestMetrics
from zeppelin_api.settings import ApiSettings

NO_DATABASE = "postgresql://127.0.0.1:1/nothing"
UNSERVED = "/xrpc/app.bsky.feed.getTimeline"


def _api(**settings: Any):
    return running_api(NO_DATABASE, pool_timeout_seconds=0.05, **settings)


async def test_an_address_learns_its_share_and_is_refused_beyond_it():
    async with _api(rate_limit_requests=2, rate_limit_window_seconds=60) as api:
        page = {"origin": "https://client.test"}
        first, second, third = [await api.http.get(UNSERVED, headers=page) for _ in range(3)]
        health = await api.http.get("/xrpc/_health")

    assert (first.status_code, first.headers["ratelimit-remaining"]) == (501, "1")
    assert (second.headers["ratelimit-limit"], second.headers["ratelimit-policy"]) == ("2", "2;w=60")
    assert (third.status_code, third.json()["error"]) == (429, "RateLimitExceeded")
    assert 0 < int(third.headers["retry-after"]) <= 60
    assert third.headers["access-control-allow-origin"] == "*"
    assert (health.status_code, "ratelimit-limit" in health.headers) == (503, False)


async def test_without_a_limit_nothing_is_counted():
    async with _api(rate_limit_requests=0) as api:
        assert "ratelimit-limit" not in (await api.http.get(UNSERVED)).headers


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("testclient", "testclient", True),
    ],
)
def test_an_ipv6_network_counts_as_one_address(one: str, other: str, is_same: bool):
    assert (address_key({"client": (one, 1)}) == address_key({"client": (other, 2)})) is is_same


async def test_long_urls_and_bodies_are_refused():
    async with _api(max_url_bytes=1024, max_body_bytes=10) as api:
        long_url = await api.http.get(UNSERVED, params={"uri": "a" * 1100})
        long_body = await api.http.post(UNSERVED, content=b"x" * 11)
        short_body = await api.http.post(UNSERVED, content=b"x" * 10)

    assert (long_url.status_code, long_url.json()["error"]) == (414, "InvalidRequest")
    assert (long_body.status_code, long_body.json()["error"]) == (413, "PayloadTooLarge")
    assert short_body.status_code == 501


async def test_who_finds_no_room_is_told_to_come_again():
    entered, left = asyncio.Event(), asyncio.Event()
    statuses: list[int] = []

    async def slow(_scope: Scope, _receive: Receive, _send: Send) -> None:
        entered.set()
        await left.wait()

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])
            assert dict(message["headers"])[b"retry-after"] == b"2"

    scope: Scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "client": None}
    admission = Admission(ApiSettings(postgres_url=NO_DATABASE, max_concurrent_requests=1))
    front = Front(slow, admission, RequestMetrics())
    first = asyncio.create_task(front(dict(scope), receive, send))
    await entered.wait()
    await front(dict(scope), receive, send)
    left.set()
    await first

    assert statuses == [503]


@pytest.fixture
async def headers_of() -> Any:
    async def fetch(path: str) -> Any:
        async with _api() as api:
            return (await api.http.get(path)).headers

    return fetch


async def test_answers_are_taken_for_nothing_but_data(headers_of: Any):
    for path in (UNSERVED, "/xrpc/_health", "/nowhere"):
        headers = await headers_of(path)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("path", ["/", "/profile/alice.test", "/profile/alice.test/post/3jzzzzzzzzzzz"])
async def test_pages_run_no_script_but_their_own(headers_of: Any, path: str):
    headers = await headers_of(path)
    assert headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]


async def test_what_the_pages_load_is_there():
    async with _api() as api:
        for path in ("/static/style.css", "/static/dom.js", "/static/status.js", "/static/reader.js", "/docs"):
            assert (await api.http.get(path)).status_code == 200, path


async def test_metrics_are_there_while_the_warehouse_is_away():
    async with _api() as api:
        await api.http.get(UNSERVED)
        await api.http.get("/xrpc/app.bsky.actor.getProfile", params={"actor": "alice.test"})
        text = (await api.http.get("/metrics")).text

    assert "zeppelin_api_warehouse_readable 0.0" in text
    assert 'zeppelin_api_answers_total{method="other",status="501"} 1.0' in text
    assert 'zeppelin_api_answers_total{method="app.bsky.actor.getProfile",status="503"} 1.0' in text
