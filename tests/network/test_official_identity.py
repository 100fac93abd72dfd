"""The official PLC directory's export in our mirror, and what our API says of its accounts."""

from collections.abc import Iterator

import httpx2
import psycopg
import pytest

from tests.backfill import Backfill
from tests.network.official import HIDDEN, SETUP_SECONDS, Network, Seed
from zeppelin_pipeline.identity.documents import parse_document

pytestmark = [pytest.mark.network, pytest.mark.timeout(SETUP_SECONDS)]


@pytest.fixture(scope="module")
def directory(network: Network) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=network.plc_url, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def ours(api_url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=api_url, trust_env=False) as client:
        yield client


def test_every_operation_of_the_directory_verifies_and_is_mirrored(
    backfill: Backfill, directory: httpx2.Client, seed: Seed
):
    [window] = backfill.of("plc_operations")
    exported = [line for line in directory.get("/export", params={"count": 1000}).text.split("\n") if line]
    assert len(exported) > len(seed.accounts)
    assert (window["dagster/row_count"], window["rejected"]) == (len(exported), 0)
    with psycopg.connect(backfill.settings.require_postgres_url()) as connection:
        assert connection.execute("SELECT count(*) FROM plc_rejected").fetchone() == (0,)
        held = {did for (did,) in connection.execute("SELECT did FROM plc_head JOIN actor ON id = actor_id")}
    assert held >= {account.did for account in seed.accounts.values()}


def test_the_mirror_answers_as_the_directory_does(directory: httpx2.Client, ours: httpx2.Client, seed: Seed):
    for account in seed.accounts.values():
        # The documents of this version of the directory are of an older form; they say the same.
        given = [client.get(f"{prefix}/{account.did}").text for client, prefix in ((directory, ""), (ours, "/plc"))]
        assert parse_document(given[0], account.did) == parse_document(given[1], account.did)
        for path in (f"/{account.did}/data", f"/{account.did}/log/last"):
            official, mirrored = directory.get(path), ours.get(f"/plc{path}")
            assert mirrored.status_code == official.status_code, path
            assert mirrored.json() == official.json(), path


def test_accounts_that_moved_leave_the_key_that_signed_before(backfill: Backfill, seed: Seed):
    moved = {account.did for account in seed.accounts.values() if account.moved_from}
    with psycopg.connect(backfill.settings.require_postgres_url()) as connection:
        former = {did for (did,) in connection.execute("SELECT did FROM former_key JOIN actor ON id = actor_id")}
    assert moved
    assert former >= moved


def test_identities_are_resolved_with_the_handle_that_holds(ours: httpx2.Client, seed: Seed):
    for name, account in seed.accounts.items():
        if name in HIDDEN:
            continue
        for identifier in (account.did, account.handle):
            answer = ours.get("/xrpc/com.atproto.identity.resolveIdentity", params={"identifier": identifier}).json()
            assert (answer["did"], answer["handle"]) == (account.did, account.handle)
            assert answer["didDoc"]["alsoKnownAs"] == [f"at://{account.handle}"]
