"""The devnet's records by the pipeline's own reading: all are valid, but those that a fault spoilt."""

import pytest

from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.devnet.damage import damage_records, invalid_places
from zeppelin_pipeline.devnet.faults import FaultKind
from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.devnet.repositories import RepositoryMaker, make_repository_maker
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.records.registry import FAMILIES


@pytest.fixture(scope="module")
def maker() -> RepositoryMaker:
    return make_repository_maker(DevnetConfig(repos=60, seed=21, mean_records=120.0, odd_share=0.05))


def refusal(did: str, key: bytes, block: bytes) -> str | None:
    """Why the pipeline does not take an account's record; None when it does, or has no family for it."""
    collection, _, rkey = key.decode().partition("/")
    family = FAMILIES.get(collection)
    if family is None:
        return None
    record = dag_cbor.decode(block)
    try:
        family.read(record, block)
        if family.check_place is not None:
            family.check_place(record, did, rkey)
    except InvalidDataError as error:
        return f"{key.decode()}: {error}"
    return None


def test_every_seeded_record_is_valid(maker: RepositoryMaker):
    refusals = [
        reason
        for account in maker.population.accounts
        for key, block in maker.records(account)
        if (reason := refusal(account.did, key, block)) is not None
    ]
    assert refusals == []


def test_just_the_spoilt_records_are_refused(maker: RepositoryMaker):
    for account in maker.population.accounts[:10]:
        good = maker.records(account)
        spoilt = damage_records(good, FaultKind.INVALID_RECORD, account.did)
        refused = {place for place, (key, block) in enumerate(spoilt) if refusal(account.did, key, block) is not None}
        assert refused == invalid_places(good)
