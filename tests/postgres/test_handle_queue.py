"""Handles verified from the queue, and who holds one that two accounts claim."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from zeppelin_pipeline.identity.documents import DidDocument
from zeppelin_pipeline.identity.handle_queue import QueueSettings, verify_due
from zeppelin_pipeline.identity.handles import HandleResolver, HandleSettings
from zeppelin_pipeline.identity.store import KnownIdentity, store_identities
from zeppelin_pipeline.warehouse.connection import read_key_space

ALICE, BOB, CAROL = ("did:plc:" + letter * 24 for letter in "abc")
NOW = datetime(2026, 11, 1, tzinfo=UTC)


class Names:
    """Who holds which name, in DNS and by HTTPS."""

    def __init__(self) -> None:
        self.dids: dict[str, str] = {}
        self.well_known: dict[str, str] = {}

    async def look_up(self, name: str) -> list[str]:
        did = self.dids.get(name.removeprefix("_atproto."))
        return [] if did is None else [f"did={did}"]

    async def get_url(self, url: str, max_bytes: int) -> bytes:
        return self.well_known.get(url.split("/")[2], "no DID").encode()


@pytest.fixture
def connection(postgres_url: str):
    with psycopg.connect(postgres_url, autocommit=True) as opened:
        yield opened


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def resolver(names: Names) -> HandleResolver:
    return HandleResolver(names.look_up, names.get_url, HandleSettings({}, domain_per_second=1e6))


def claim(connection: psycopg.Connection, did: str, handle: str, at: datetime = NOW) -> None:
    store_identities(connection, [KnownIdentity(DidDocument(did, handle=handle), at)], read_key_space(connection))


def states(connection: psycopg.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT did, handle_state FROM identity JOIN actor ON id = actor_id").fetchall())


async def test_handles_are_verified_or_not_and_looked_at_once_until_they_are_due(
    connection: psycopg.Connection, names: Names, resolver: HandleResolver
):
    claim(connection, ALICE, "alice.com")
    claim(connection, BOB, "bob.com")
    names.dids = {"alice.com": ALICE, "bob.com": CAROL}
    result = await verify_due(connection, resolver, now=lambda: NOW)
    assert states(connection) == {ALICE: "verified", BOB: "invalid"}
    assert (result.checked, result.due, result.states) == (2, 0, {"verified": 1, "invalid": 1})
    assert (await verify_due(connection, resolver, now=lambda: NOW)).checked == 0
    names.dids["bob.com"] = BOB
    later = await verify_due(connection, resolver, now=lambda: NOW + timedelta(hours=2))
    assert later.checked == 1
    assert states(connection)[BOB] == "verified"


async def test_who_held_a_handle_loses_it_to_the_account_that_its_domain_names_now(
    connection: psycopg.Connection, names: Names, resolver: HandleResolver
):
    claim(connection, ALICE, "shared.com")
    names.dids["shared.com"] = ALICE
    await verify_due(connection, resolver, now=lambda: NOW)
    claim(connection, BOB, "shared.com", NOW + timedelta(hours=1))
    assert states(connection) == {ALICE: "verified", BOB: "pending"}
    await verify_due(connection, resolver, now=lambda: NOW + timedelta(hours=1))
    assert states(connection) == {ALICE: "verified", BOB: "invalid"}
    names.dids["shared.com"] = BOB
    result = await verify_due(connection, resolver, now=lambda: NOW + timedelta(days=2))
    assert states(connection) == {ALICE: "invalid", BOB: "verified"}
    assert result.dispossessed == 1


async def test_a_handle_that_changes_while_it_is_asked_for_is_not_judged_by_the_answer(
    connection: psycopg.Connection, names: Names
):
    claim(connection, ALICE, "alice.com")

    async def look_up(name: str) -> list[str]:
        claim(connection, ALICE, "other.com", NOW + timedelta(hours=1))
        return [f"did={ALICE}"] if name == "_atproto.alice.com" else []

    resolver = HandleResolver(look_up, names.get_url, HandleSettings({}, domain_per_second=1e6))
    result = await verify_due(connection, resolver, QueueSettings(most=1), now=lambda: NOW + timedelta(hours=2))
    assert result.checked == 1
    assert states(connection) == {ALICE: "pending"}


async def test_a_host_with_many_handles_holds_up_no_other_domain(connection: psycopg.Connection, names: Names):
    for number in range(5):
        claim(connection, f"did:plc:{str(number + 2) * 24}", f"a{number}.many.com")
    claim(connection, BOB, "bob.com")
    names.dids = {"bob.com": BOB}
    settings = HandleSettings({}, domain_per_second=1.0, domain_wait_seconds=0.0)
    resolver = HandleResolver(names.look_up, names.get_url, settings)
    result = await verify_due(connection, resolver, now=lambda: NOW)
    assert (result.checked, result.deferred, result.due) == (2, 4, 0)
    assert result.states == {"verified": 1, "invalid": 1, "pending": 4}
    assert states(connection)[BOB] == "verified"
    due = "SELECT count(*) FROM identity WHERE handle_state = 'pending' AND handle_check_at < %s"
    assert connection.execute(due, (NOW + timedelta(seconds=2.5),)).fetchone() == (1,)
    assert connection.execute(due, (NOW + timedelta(seconds=6),)).fetchone() == (4,)


async def test_handles_that_were_put_off_are_looked_at_in_their_turn_by_whoever_comes_then(
    connection: psycopg.Connection, names: Names
):
    dids = {f"a{number}.many.com": f"did:plc:{str(number + 2) * 24}" for number in range(5)}
    for handle, did in dids.items():
        claim(connection, did, handle)
    names.well_known = dids
    settings = HandleSettings({}, domain_per_second=1.0, domain_wait_seconds=0.0)
    checked: list[int] = []
    for seconds in (0.0, 2.5, 6.0):  # each time a process that remembers nothing
        resolver = HandleResolver(names.look_up, names.get_url, settings)
        at = NOW + timedelta(seconds=seconds)
        checked.append((await verify_due(connection, resolver, now=lambda at=at: at)).checked)
    assert checked[:2] == [1, 1]
    at = NOW + timedelta(minutes=1)
    quick = HandleResolver(names.look_up, names.get_url, HandleSettings({}, domain_per_second=1e6))
    await verify_due(connection, quick, now=lambda: at)
    assert states(connection) == dict.fromkeys(dids.values(), "verified")
