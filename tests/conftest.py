"""Fixtures that several kinds of tests share: the PostgreSQL server of a worker, and databases in it."""

import tempfile
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
from hypothesis import settings

from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from tests.api_client import ApiClient
    from tests.factories import WarehouseFactory
from zeppelin_pipeline.warehouse.migrations import migrate

TEMPLATE = "migrated"

# No test is timed: machines are busy, and kernels are compiled when they are first called.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """One running server for each pytest process (each worker of xdist has its own), removed at the end.

    Its folder is open to all users, unlike pytest's own temporary ones: as root the server runs under another account.
    """
    with tempfile.TemporaryDirectory(prefix="zeppelin-tests-") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder) / "postgres", settings={"max_connections": "100"}) as server:
            yield server


@pytest.fixture(scope="session")
def migrated_template(postgres_server: EmbeddedPostgres) -> str:
    """The name of a database to which all migrations were applied, to be copied and never connected to."""
    migrate(postgres_server.create_database(TEMPLATE))
    return TEMPLATE


@pytest.fixture
def postgres_url(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[str]:
    """The URL of a fresh database with the warehouse's schema and no rows, dropped after the test."""
    name = f"test_{uuid4().hex}"
    yield postgres_server.create_database(name, template=migrated_template)
    postgres_server.drop_database(name)


@pytest.fixture
def empty_postgres_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a fresh database with nothing in it, dropped after the test."""
    name = f"empty_{uuid4().hex}"
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)


@pytest.fixture
def connection(postgres_url: str) -> Iterator[psycopg.Connection]:
    """An open connection to the fresh database of `postgres_url`."""
    with psycopg.connect(postgres_url) as opened:
        yield opened


@pytest.fixture
def warehouse(postgres_url: str) -> "Iterator[WarehouseFactory]":
    """Makes accounts and records in the fresh database of `postgres_url`."""
    from tests.factories import WarehouseFactory  # noqa: PLC0415 - only tests that need it pay for it

    factory = WarehouseFactory(postgres_url)
    yield factory
    factory.close()


@pytest.fixture
async def api(postgres_url: str) -> "AsyncGenerator[ApiClient]":
    """A client of the API over the fresh database of `postgres_url`, with the default settings."""
    from tests.api_client import running_api  # noqa: PLC0415 - only tests that need it pay for it

    async with running_api(postgres_url) as client:
        yield client
