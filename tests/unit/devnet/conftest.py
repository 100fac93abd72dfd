"""One small network, planned once for all tests of the devnet."""

import pytest

from zeppelin_pipeline.devnet.damage import KeyedBlock
from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.devnet.repositories import RepositoryMaker, make_repository_maker

CONFIG = DevnetConfig(repos=80, hosts=3, seed=7, mean_records=150.0, odd_share=0.02, inactive_share=0.05)


@pytest.fixture(scope="session")
def maker() -> RepositoryMaker:
    return make_repository_maker(CONFIG)


@pytest.fixture(scope="session")
def records(maker: RepositoryMaker) -> dict[str, list[KeyedBlock]]:
    """All records of the network, by DID."""
    return {account.did: maker.records(account) for account in maker.population.accounts}
