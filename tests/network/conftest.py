"""The official network, seeded and backfilled once for all tests of this folder, and our API over the result."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any
from uuid import uuid4

import dagster as dg
import pytest

from tests.api_server import serving
from tests.backfill import QUIET, Backfill
from tests.network.expectations import Expectations
from tests.network.node import install_packages
from tests.network.official import DELETED, HIDDEN, Network, Seed, running_network, seed_network
from tests.network.settings import settings_for
from tests.network.truth import RepositoryReader, delete_account
from zeppelin_api.app import create_app
from zeppelin_api.settings import ApiSettings
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory, postgres_server: EmbeddedPostgres) -> Iterator[Network]:
    install_packages()
    name = f"plc_{uuid4().hex}"
    with running_network(tmp_path_factory.mktemp("official"), postgres_server.create_database(name)) as network:
        yield network
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def seed(network: Network) -> Seed:
    return seed_network(network)


@pytest.fixture(scope="session")
def backfill(
    network: Network,
    seed: Seed,
    postgres_server: EmbeddedPostgres,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Backfill]:
    name = f"official_{uuid4().hex}"
    postgres_url = postgres_server.create_database(name, template=migrated_template)
    settings = settings_for(network, postgres_url, tmp_path_factory.mktemp("home"))
    deleted = seed.accounts[DELETED]
    with dg.DagsterInstance.ephemeral(settings=QUIET) as instance:
        backfill = Backfill(settings, instance)
        backfill.take_in_identities()
        backfill.run(before_fetch=lambda: delete_account(network, deleted.host, deleted.did))
        yield backfill
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def hosts(network: Network) -> Iterator[dict[str, RepositoryReader]]:
    """The official PDSes by their names."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(closing(RepositoryReader(url))) for name, url in network.pds_urls.items()}


@pytest.fixture(scope="session")
def homes(backfill: Backfill, hosts: dict[str, RepositoryReader]) -> dict[str, RepositoryReader]:
    """Each DID that is active somewhere after the backfill, and its host."""
    del backfill
    return {did: host for host in hosts.values() for did, state in host.repositories().items() if state == "active"}


@pytest.fixture(scope="session")
def expected(seed: Seed) -> dict[str, Any]:
    return Expectations(seed, HIDDEN).document()


@pytest.fixture(scope="session")
def api_url(backfill: Backfill) -> Iterator[str]:
    settings = ApiSettings(postgres_url=backfill.settings.require_postgres_url())
    with serving(create_app(settings)) as url:
        yield url
