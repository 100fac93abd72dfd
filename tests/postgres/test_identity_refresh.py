"""Accounts resolved anew after an #identity event, and what is stored of them."""

from datetime import UTC, datetime, timedelta

import orjson
import psycopg
import pytest

from tests.postgres.test_load import one
from zeppelin_pipeline.errors import UpstreamError
from zeppelin_pipeline.identity.documents import DidDocument
from zeppelin_pipeline.identity.refresh import refresh_due
from zeppelin_pipeline.identity.resolver import DidResolver
from zeppelin_pipeline.identity.store import KnownIdentity, refresh_identity, store_identities
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.keys import KeySpace

ALICE = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
BOB = "did:web:bob.example.com"
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


class FakeDirectory:
    """Documents by DID; an account without one is gone, one named in `down` cannot be asked."""

    def __init__(self) -> None:
        self.handles: dict[str, str] = {}
        self.down: set[str] = set()

    async def get_url(self, url: str, max_bytes: int) -> bytes:
        did = BOB if "bob.example.com" in url else url.rpartition("/")[2]
        if did in self.down:
            raise UpstreamError("timeout", "silent", is_transient=True)
        if did not in self.handles:
            raise UpstreamError("http-404", f"DID not registered: {did}", is_transient=False)
        return orjson.dumps({"id": did, "alsoKnownAs": [f"at://{self.handles[did]}"]})


@pytest.fixture
def connection(postgres_url: str):
    with psycopg.connect(postgres_url, autocommit=True) as opened:
        yield opened


@pytest.fixture
def keys(connection: psycopg.Connection) -> KeySpace:
    return read_key_space(connection)


@pytest.fixture
def directory() -> FakeDirectory:
    return FakeDirectory()


@pytest.fixture
def resolver(directory: FakeDirectory) -> DidResolver:
    return DidResolver(directory.get_url, "https://plc.example.com")


def known(did: str, at: datetime, handle: str | None) -> KnownIdentity:
    return KnownIdentity(DidDocument(did, handle=handle, label_key="zLabel", labeler="https://labels.test"), at)


def handle_of(connection: psycopg.Connection, did: str) -> tuple[str | None, str]:
    return one(
        connection,
        f"SELECT handle, handle_state FROM identity JOIN actor ON id = actor_id WHERE did = '{did}'",
    )


async def test_an_account_is_resolved_anew_once_for_all_events_of_it(
    connection: psycopg.Connection, directory: FakeDirectory, resolver: DidResolver
):
    directory.handles = {ALICE: "alice.test", BOB: "bob.test"}
    refresh_identity(connection, ALICE, BOB)
    refresh_identity(connection, ALICE)
    result = await refresh_due(connection, resolver)
    assert (result.refreshed, result.waiting) == (2, 0)
    assert handle_of(connection, ALICE) == ("alice.test", "pending")
    assert handle_of(connection, BOB) == ("bob.test", "pending")


async def test_a_request_is_as_durable_as_the_event_that_it_comes_with(
    connection: psycopg.Connection, resolver: DidResolver
):
    with connection.transaction(force_rollback=True):
        refresh_identity(connection, ALICE)
    assert (await refresh_due(connection, resolver)).gone == 0


async def test_a_directory_that_is_down_leaves_the_account_in_the_queue_and_what_is_held_as_it_is(
    connection: psycopg.Connection, keys: KeySpace, directory: FakeDirectory, resolver: DidResolver
):
    store_identities(connection, [known(ALICE, NOON, "old.test")], keys)
    directory.down, directory.handles = {ALICE}, {BOB: "bob.test"}
    refresh_identity(connection, ALICE, BOB)
    result = await refresh_due(connection, resolver)
    assert (result.refreshed, dict(result.failed), result.waiting) == (1, {"timeout": 1}, 1)
    assert handle_of(connection, ALICE)[0] == "old.test"
    assert (await refresh_due(connection, resolver)).failed == {}
    connection.execute("UPDATE identity_refresh SET next_try_at = now()")
    directory.down, directory.handles[ALICE] = set(), "new.test"
    assert (await refresh_due(connection, resolver)).refreshed == 1
    assert handle_of(connection, ALICE)[0] == "new.test"


async def test_whoever_cannot_be_asked_for_days_is_asked_no_more_until_an_event_tells_of_it(
    connection: psycopg.Connection, directory: FakeDirectory, resolver: DidResolver
):
    directory.down = {BOB}
    refresh_identity(connection, BOB)
    asked = 0
    while one(connection, "SELECT count(*) FROM identity_refresh") == (1,):
        result = await refresh_due(connection, DidResolver(directory.get_url, "https://plc.example.com"))
        asked += result.failed.total() + result.refused.total()
        connection.execute("UPDATE identity_refresh SET next_try_at = now()")
        assert asked < 100
    assert asked == 51
    refresh_identity(connection, BOB)
    directory.down, directory.handles = set(), {BOB: "bob.test"}
    assert (await refresh_due(connection, resolver)).refreshed == 1


async def test_an_account_that_is_gone_keeps_no_handle_and_no_key(
    connection: psycopg.Connection, keys: KeySpace, resolver: DidResolver
):
    store_identities(connection, [known(ALICE, NOON, "alice.test")], keys)
    refresh_identity(connection, ALICE)
    assert (await refresh_due(connection, resolver)).gone == 1
    assert one(connection, "SELECT handle, pds, signing_key, labeler FROM identity") == (None, None, None, None)


def test_an_older_document_never_replaces_a_newer_one(connection: psycopg.Connection, keys: KeySpace):
    store_identities(connection, [known(ALICE, NOON, "new.test")], keys)
    store_identities(connection, [known(ALICE, NOON - timedelta(seconds=1), "old.test")], keys)
    assert handle_of(connection, ALICE)[0] == "new.test"
    assert one(connection, "SELECT label_key, labeler FROM identity") == ("zLabel", "https://labels.test")


def test_a_verified_handle_stays_verified_until_it_changes(connection: psycopg.Connection, keys: KeySpace):
    store_identities(connection, [known(ALICE, NOON, "alice.test")], keys)
    connection.execute(
        "UPDATE identity SET handle_state = 'verified', verified_at = now(), handle_check_at = 'infinity'"
    )
    store_identities(connection, [known(ALICE, NOON + timedelta(1), "alice.test")], keys)
    assert one(connection, "SELECT handle_state, handle_check_at = 'infinity' FROM identity") == ("verified", True)
    store_identities(connection, [known(ALICE, NOON + timedelta(2), "alice.test")], keys, is_recheck=True)
    assert one(connection, "SELECT handle_state, handle_check_at = 'infinity' FROM identity") == ("verified", False)
    store_identities(connection, [known(ALICE, NOON + timedelta(3), "other.test")], keys)
    assert one(connection, "SELECT handle_state, verified_at FROM identity") == ("pending", None)
