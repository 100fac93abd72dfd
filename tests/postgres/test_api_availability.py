"""The API while its warehouse is away, busy, slow or not made."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx2
import psycopg
import pytest

from tests.api_client import ApiClient, running_api
from tests.factories import WarehouseFactory
from zeppelin_api.app import create_app
from zeppelin_api.errors import FORESEEN, ApiError, translate
from zeppelin_api.settings import ApiSettings

HEALTH = "/xrpc/_health"
PROFILE = "/xrpc/app.bsky.actor.getProfile?actor=alice.test"
END_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'zeppelin-api'"


class Relay:
    """A way to the server that can be cut and mended: a port that forwards, or refuses."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    @property
    def url(self) -> str:
        account, _, _ = self._target.netloc.rpartition("@")
        return self._target._replace(netloc=f"{account}@127.0.0.1:{self.port}").geturl()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        self._writers.clear()
        await self._server.wait_closed()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target_reader, target_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._writers |= {writer, target_writer}
        await asyncio.gather(_pump(reader, target_writer), _pump(target_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return
    finally:
        writer.close()


@pytest.fixture
async def relay(postgres_url: str) -> AsyncGenerator[Relay]:
    relay = Relay(postgres_url)
    await relay.open()
    yield relay
    await relay.cut()


async def _eventually(check: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await check():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.1)


def _answers(api: ApiClient, path: str, status: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return (await api.http.get(path)).status_code == status

    return check


async def test_the_api_starts_without_its_warehouse_and_serves_when_it_comes(relay: Relay, warehouse: WarehouseFactory):
    warehouse.account("alice.test")
    await relay.cut()
    async with running_api(relay.url, pool_timeout_seconds=0.2) as api:
        health, profile = await api.http.get(HEALTH), await api.http.get(PROFILE)
        assert (health.status_code, profile.status_code) == (503, 503)
        assert health.headers["Retry-After"] == profile.headers["Retry-After"] == "2"
        assert set(health.json()) == {"version", "error"}
        assert profile.json()["error"] == "NotEnoughResources"

        await relay.open()
        await _eventually(_answers(api, HEALTH, 200))
        assert (await api.http.get(PROFILE)).json()["handle"] == "alice.test"


async def test_the_api_outlives_a_warehouse_that_goes_and_comes_back(relay: Relay, warehouse: WarehouseFactory):
    warehouse.account("alice.test")
    async with running_api(relay.url, pool_timeout_seconds=0.5) as api:
        await _eventually(_answers(api, PROFILE, 200))
        await relay.cut()
        await _eventually(_answers(api, PROFILE, 503))
        assert (await api.http.get(HEALTH)).status_code == 503

        await relay.open()
        await _eventually(_answers(api, PROFILE, 200))


async def test_a_database_without_tables_is_not_ready(empty_postgres_url: str):
    async with running_api(empty_postgres_url) as api:
        assert (await api.http.get(HEALTH)).status_code == 503
        assert (await api.http.get(PROFILE)).status_code == 503


@asynccontextmanager
async def _busy_api(postgres_url: str, **settings: Any) -> AsyncGenerator[httpx2.AsyncClient]:
    """An API whose only connection is taken."""
    app = create_app(ApiSettings(postgres_url=postgres_url, pool_max_connections=1, **settings))
    transport = httpx2.ASGITransport(app)
    async with (
        app.framework.router.lifespan_context(app.framework),
        httpx2.AsyncClient(transport=transport, base_url="http://api") as client,
        app.service.database.session(),
    ):
        yield client


async def test_a_request_that_gets_no_connection_in_time_is_told_to_come_again(postgres_url: str):
    async with _busy_api(postgres_url, pool_timeout_seconds=2) as client:
        answer = await client.get(PROFILE)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json()["error"] == "NotEnoughResources"


async def test_a_request_that_finds_too_many_waiting_is_refused_at_once(postgres_url: str):
    async with _busy_api(postgres_url, pool_timeout_seconds=5, pool_max_waiting=1) as client:
        waiting = asyncio.create_task(client.get(PROFILE))
        await asyncio.sleep(0.1)
        async with asyncio.timeout(1):
            refused = await client.get(PROFILE)
        waiting.cancel()

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")


async def test_a_statement_that_takes_too_long_is_given_up(warehouse: WarehouseFactory, postgres_url: str):
    with psycopg.connect(postgres_url) as other:
        other.execute("LOCK TABLE identity IN ACCESS EXCLUSIVE MODE")
        async with running_api(postgres_url, statement_timeout_seconds=0.2) as api:
            assert await api.error("app.bsky.actor.getProfile", actor="alice.test") == (504, "UpstreamTimeout")
            metrics = (await api.http.get("/metrics")).text

    assert 'zeppelin_api_answers_total{method="app.bsky.actor.getProfile",status="504"} 1.0' in metrics


async def test_a_request_that_waits_gets_the_connection_that_another_gives_back(
    warehouse: WarehouseFactory, postgres_url: str
):
    warehouse.account("alice.test")
    async with running_api(postgres_url, pool_max_connections=1, pool_timeout_seconds=20) as api:
        answers = await asyncio.gather(*(api.http.get(PROFILE) for _ in range(5)))

    assert [answer.status_code for answer in answers] == [200] * 5


async def test_a_connection_in_a_transaction_is_lent_to_nobody(postgres_url: str):
    app = create_app(ApiSettings(postgres_url=postgres_url, pool_max_connections=1))
    async with app.framework.router.lifespan_context(app.framework):
        async with app.service.database.session() as session:
            await session.connection.execute("BEGIN")
        async with app.service.database.session() as session:
            assert not session.connection.is_in_transaction()


async def test_a_connection_goes_back_to_the_pool_after_many_requests(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("zeppelin_api.db._LENDINGS", 2)
    app = create_app(ApiSettings(postgres_url=postgres_url, pool_max_connections=1))
    async with app.framework.router.lifespan_context(app.framework):
        lent: list[object] = []
        for _ in range(4):
            async with app.service.database.session() as session:
                lent.append(session.connection)

    assert [lent.index(each) for each in lent] == [0, 0, 2, 2]


async def test_the_api_cannot_write(postgres_url: str):
    app = create_app(ApiSettings(postgres_url=postgres_url))
    async with app.framework.router.lifespan_context(app.framework), app.service.database.session() as session:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await session.connection.execute("DELETE FROM repo")


async def test_a_connection_that_the_server_ends_within_a_request_is_no_fault_of_ours(
    warehouse: WarehouseFactory, postgres_url: str
):
    app = create_app(ApiSettings(postgres_url=postgres_url))

    async def read() -> None:
        async with app.framework.router.lifespan_context(app.framework), app.service.database.session() as session:
            warehouse.connection.execute(END_ALL)
            await asyncio.sleep(0.2)
            await session.connection.fetchval("SELECT 1")

    with pytest.raises(FORESEEN) as refused:
        await read()
    assert translate(refused.value).status == 503


async def test_what_the_driver_itself_cannot_make_of_an_answer_is_a_lost_connection(postgres_url: str):
    app = create_app(ApiSettings(postgres_url=postgres_url))

    async def read() -> None:
        async with app.framework.router.lifespan_context(app.framework), app.service.database.session():
            raise asyncpg.InternalClientError("got result for unknown protocol state")

    with pytest.raises(ApiError) as refused:
        await read()
    assert refused.value.status == 503


async def test_connections_that_the_server_ends_while_nobody_asks_are_no_faults_of_ours(
    warehouse: WarehouseFactory, postgres_url: str
):
    warehouse.account("alice.test")
    async with running_api(postgres_url, pool_max_connections=1) as api:
        for _ in range(10):
            await _eventually(_answers(api, PROFILE, 200))
            warehouse.connection.execute(END_ALL)
            assert (await api.http.get(PROFILE)).status_code in {200, 503}
