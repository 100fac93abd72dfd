"""What the official PDSes hold is in our warehouse: every record, byte for byte, and nothing more."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.backfill import Backfill
from tests.network.official import BY_FORMER_KEY, DELETED, SETUP_SECONDS, Network, Seed
from tests.network.truth import GivenRecord, RepositoryReader
from zeppelin_pipeline.atproto.cid import cid_of, cid_to_text
from zeppelin_pipeline.atproto.dag_cbor import encode, from_json
from zeppelin_pipeline.repos.audit import audit_repositories, read_records

pytestmark = [pytest.mark.network, pytest.mark.timeout(SETUP_SECONDS)]

REQUESTS_AT_ONCE = 8


@pytest.fixture(scope="module")
def warehouse(backfill: Backfill) -> Iterator[psycopg.Connection]:
    with psycopg.connect(backfill.settings.require_postgres_url(), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def stored(warehouse: psycopg.Connection) -> dict[str, bytes]:
    """Every record in the warehouse, by URI, as its block."""
    dids = dict(warehouse.execute("SELECT id, did FROM actor").fetchall())
    return {f"at://{dids[it.actor_id]}/{it.collection}/{it.rkey}": it.block for it in read_records(warehouse, dids)}


def test_the_warehouse_holds_each_record_that_list_records_gives_and_nothing_more(
    homes: dict[str, RepositoryReader], stored: dict[str, bytes], seed: Seed
):
    official = {uri: record.cid for did, host in homes.items() for uri, record in host.records(did).items()}
    assert len(official) > 2 * seed.bulk_posts
    assert {uri: cid_to_text(cid_of(block)) for uri, block in stored.items()} == official


def test_each_block_is_the_encoding_of_what_get_record_gives(
    homes: dict[str, RepositoryReader], stored: dict[str, bytes]
):
    def ask(uri: str) -> GivenRecord:
        return homes[uri.split("/")[2]].record(uri)

    with ThreadPoolExecutor(REQUESTS_AT_ONCE) as pool:
        for record in pool.map(ask, stored):
            block = stored[record.uri]
            assert record.cid == cid_to_text(cid_of(block))
            assert encode(from_json(record.value)) == block, record.uri


def test_each_repository_is_rebuilt_to_its_signed_root_at_the_hosts_latest_rev(
    homes: dict[str, RepositoryReader], warehouse: psycopg.Connection, seed: Seed
):
    ids = dict(warehouse.execute("SELECT did, id FROM actor").fetchall())
    audits = {audit.did: audit for audit in audit_repositories(warehouse, ids.values())}
    assert [audit for audit in audits.values() if not audit.is_exact] == []
    assert audits.keys() == homes.keys()
    # Of an imported repository the official host names a rev that no commit has, until the account writes.
    written = homes.keys() - {seed.accounts[BY_FORMER_KEY].did}
    assert {did: audits[did].rev for did in written} == {did: homes[did].latest_rev(did) for did in written}


def test_an_imported_repository_that_the_key_of_its_time_signed_is_held_and_says_so(
    homes: dict[str, RepositoryReader], warehouse: psycopg.Connection, seed: Seed
):
    rows = warehouse.execute(
        "SELECT did, state, records FROM repo JOIN actor ON id = actor_id WHERE reason = 'former-key'"
    ).fetchall()
    did = seed.accounts[BY_FORMER_KEY].did
    assert rows == [(did, "synchronized", len(homes[did].records(did)))]
    assert warehouse.execute("SELECT count(*) FROM quarantine").fetchone() == (0,)


def test_accounts_that_give_nothing_are_kept_with_their_state(warehouse: psycopg.Connection, seed: Seed):
    rows = warehouse.execute("SELECT did, state, status, records FROM repo JOIN actor ON id = actor_id").fetchall()
    states = {did: (state, status, records) for did, state, status, records in rows}
    expected_states = {
        seed.accounts["grace"].did: ("absent", "deactivated", 0),
        seed.accounts["ivan"].did: ("absent", "takendown", 0),
        seed.accounts[DELETED].did: ("absent", "not-found", 0),
        seed.accounts["frank"].did: ("synchronized", "active", 0),
    }
    assert {did: states.get(did) for did in expected_states} == expected_states
    assert states.keys() == {account.did for account in seed.accounts.values()}


def test_an_account_that_moved_is_taken_from_its_new_host_alone(
    warehouse: psycopg.Connection, backfill: Backfill, network: Network, seed: Seed
):
    moved = seed.accounts["olivia"]
    assert moved.moved_from == "alpha"
    row = warehouse.execute(
        "SELECT r.host, r.state, i.pds, i.handle FROM repo r JOIN identity i USING (actor_id)"
        " JOIN actor a ON a.id = r.actor_id WHERE a.did = %s",
        (moved.did,),
    ).fetchone()
    url = network.pds_urls["beta"]
    assert row == (url.removeprefix("http://"), "synchronized", url, "olivia.beta.test")
    [plan] = backfill.of("shard_plan")
    assert plan["listed_twice"] == 2


def test_records_that_break_their_lexicon_are_kept_with_a_reason_and_only_they_have_one(
    warehouse: psycopg.Connection, stored: dict[str, bytes], seed: Seed
):
    rejected = warehouse.execute(
        "SELECT a.did, c.nsid, r.raw FROM record r JOIN actor a ON a.id = r.actor_id"
        " JOIN collection c ON c.id = r.collection WHERE r.reason IS NOT NULL"
    ).fetchall()
    expected = [(uri.split("/")[2], uri.split("/")[3], stored[uri]) for uri in seed.invalid_uris]
    assert sorted(rejected) == sorted(expected)


def test_nothing_that_was_deleted_is_held(stored: dict[str, bytes], seed: Seed):
    assert seed.deleted_uris
    assert seed.deleted_uris.isdisjoint(stored)


def test_the_accounts_of_every_shard_close(homes: dict[str, RepositoryReader], backfill: Backfill, seed: Seed):
    loads = backfill.of("warehouse_tables")
    assert len(loads) >= 3
    assert backfill.checks
    assert all(backfill.checks.values()), backfill.checks
    official = sum(len(host.records(did)) for did, host in homes.items())
    assert sum(load["entries"] for load in loads) == official
    assert sum(load["quarantined"] for load in loads) == 0
