"""Identities as the API gives them: handles that hold, DID documents from the mirror."""

from datetime import UTC, datetime

import psycopg
import pytest

from tests.api_client import ApiClient, running_api
from tests.factories import WarehouseFactory
from tests.fakes.plc import did_key, did_of, key, operation, tombstone
from zeppelin_pipeline.atproto.plc import PlcOperation, did_document, document_data
from zeppelin_pipeline.identity.documents import DidDocument, read_document
from zeppelin_pipeline.identity.store import KnownIdentity, store_identities
from zeppelin_pipeline.warehouse.standing import Standing, set_standings

NOW = datetime(2026, 11, 1, tzinfo=UTC)
GENESIS = operation(handle="alice.test")
DID = did_of(GENESIS)


def mirror(url: str, warehouse: WarehouseFactory, head: PlcOperation, *, is_nullified: bool = False) -> None:
    """An operation that speaks for the account, and its identity."""
    warehouse.mention(DID)
    actor = warehouse.keys.actor_id(DID)
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO plc_head VALUES (%s, %s, %s, %s, %s)", (actor, NOW, NOW, is_nullified, head.block)
        )
        connection.execute(
            "INSERT INTO identity (actor_id, resolved_at, handle, handle_state) VALUES (%s, %s, %s, 'verified')",
            (actor, NOW, "alice.test"),
        )


async def test_a_did_is_resolved_from_the_mirror(api: ApiClient, postgres_url: str, warehouse: WarehouseFactory):
    mirror(postgres_url, warehouse, GENESIS)
    assert GENESIS.data is not None
    document = did_document(DID, GENESIS.data)
    assert await api.get("com.atproto.identity.resolveDid", did=DID) == {"didDoc": document}
    whole = {"did": DID, "handle": "alice.test", "didDoc": document}
    assert await api.get("com.atproto.identity.resolveIdentity", identifier=DID) == whole
    assert await api.get("com.atproto.identity.resolveIdentity", identifier="ALICE.test") == whole


async def test_the_directorys_own_paths_are_answered(api: ApiClient, postgres_url: str, warehouse: WarehouseFactory):
    mirror(postgres_url, warehouse, GENESIS)
    assert GENESIS.data is not None
    document = await api.http.get(f"/plc/{DID}")
    assert document.json() == did_document(DID, GENESIS.data)
    assert document.headers["content-type"] == "application/did+ld+json; charset=utf-8"
    assert (await api.http.get(f"/plc/{DID}/data")).json() == document_data(DID, GENESIS.data)
    assert (await api.http.get(f"/plc/{DID}/log/last")).json() == GENESIS.content()


async def test_an_account_that_was_given_up_is_told_from_an_unknown_one(
    api: ApiClient, postgres_url: str, warehouse: WarehouseFactory
):
    end = tombstone(GENESIS)
    mirror(postgres_url, warehouse, end)
    unknown = did_of(operation(handle="nobody.test"))
    assert await api.error("com.atproto.identity.resolveDid", did=DID) == (400, "DidDeactivated")
    assert await api.error("com.atproto.identity.resolveDid", did=unknown) == (400, "DidNotFound")
    assert await api.error("com.atproto.identity.resolveIdentity", identifier="nobody.test") == (400, "HandleNotFound")
    assert (await api.http.get(f"/plc/{DID}")).status_code == 410
    assert (await api.http.get(f"/plc/{DID}/log/last")).json() == end.content()
    answer = await api.http.get(f"/plc/{unknown}")
    assert (answer.status_code, answer.json()) == (404, {"message": f"DID not registered: {unknown}"})


async def test_the_mirror_speaks_for_no_log_that_it_could_not_verify(
    api: ApiClient, postgres_url: str, warehouse: WarehouseFactory
):
    mirror(postgres_url, warehouse, GENESIS)
    warehouse.insert(
        "plc_rejected",
        actor_id=warehouse.keys.actor_id(DID),
        cid="x",
        did=DID,
        created_at=NOW,
        reason="plc-signature",
        operation="{}",
    )
    assert (await api.http.get(f"/plc/{DID}")).status_code == 404
    assert await api.error("com.atproto.identity.resolveDid", did=DID) == (400, "DidNotFound")


async def test_an_operation_about_to_be_taken_back_is_not_served(
    api: ApiClient, postgres_url: str, warehouse: WarehouseFactory
):
    theft = operation(GENESIS, signing=key("mallory"))
    mirror(postgres_url, warehouse, theft, is_nullified=True)
    answer = await api.http.get(f"/plc/{DID}/data")
    assert answer.status_code == 404
    assert did_key(key("mallory")) not in answer.text


@pytest.mark.parametrize("state", ["pending", "invalid"])
async def test_a_handle_that_does_not_hold_is_neither_found_nor_shown(
    api: ApiClient, warehouse: WarehouseFactory, state: str
):
    account = warehouse.account("claimed.test", handle_state=state)
    assert await api.error("com.atproto.identity.resolveHandle", handle="claimed.test") == (400, "HandleNotFound")
    assert await api.error("app.bsky.actor.getProfile", actor="claimed.test") == (400, "InvalidRequest")
    assert (await api.get("app.bsky.actor.getProfile", actor=account.did))["handle"] == "handle.invalid"


async def test_the_account_that_its_domain_names_has_the_handle(api: ApiClient, warehouse: WarehouseFactory):
    warehouse.account("shared.test", handle_state="pending")
    holder = warehouse.account("shared.test")
    warehouse.account("shared.test", handle_state="invalid")
    assert await api.get("com.atproto.identity.resolveHandle", handle="shared.test") == {"did": holder.did}


async def test_pending_handles_count_where_the_operator_says_so(postgres_url: str, warehouse: WarehouseFactory):
    pending = warehouse.account("new.test", handle_state="pending")
    invalid = warehouse.account("false.test", handle_state="invalid")
    async with running_api(postgres_url, accept_pending_handles=True) as api:
        assert await api.get("com.atproto.identity.resolveHandle", handle="new.test") == {"did": pending.did}
        assert (await api.get("app.bsky.actor.getProfile", actor=pending.did))["handle"] == "new.test"
        assert (await api.get("app.bsky.actor.getProfile", actor=invalid.did))["handle"] == "handle.invalid"


async def test_a_did_web_is_told_by_what_its_host_said_last(
    api: ApiClient, postgres_url: str, warehouse: WarehouseFactory
):
    did, signing = "did:web:example.com", did_key(key("web")).removeprefix("did:key:")
    unknown = "did:web:nobody.example.com"
    known = DidDocument(did, "example.com", "https://pds.test", signing, labeler="https://labels.test")
    with psycopg.connect(postgres_url) as connection:
        store_identities(
            connection, [KnownIdentity(known, NOW), KnownIdentity(DidDocument(unknown), NOW)], warehouse.keys
        )
        connection.execute("UPDATE identity SET handle_state = 'verified' WHERE handle IS NOT NULL")
    document = (await api.get("com.atproto.identity.resolveDid", did=did))["didDoc"]
    assert read_document(document, did) == known
    for identifier in (did, "example.com"):
        whole = await api.get("com.atproto.identity.resolveIdentity", identifier=identifier)
        assert whole == {"did": did, "handle": "example.com", "didDoc": document}
    assert await api.get("com.atproto.identity.resolveHandle", handle="example.com") == {"did": did}
    for missing in (unknown, "did:web:never.example.com"):
        assert await api.error("com.atproto.identity.resolveDid", did=missing) == (400, "DidNotFound")
    assert (await api.http.get(f"/plc/{did}")).status_code == 404


async def test_the_profile_of_a_did_web_account_is_shown(
    api: ApiClient, postgres_url: str, warehouse: WarehouseFactory
):
    did = "did:web:example.com"
    with psycopg.connect(postgres_url) as connection:
        known = KnownIdentity(DidDocument(did, "example.com", "https://pds.test"), NOW)
        store_identities(connection, [known], warehouse.keys)
        set_standings(connection, warehouse.keys, [Standing(did, "active", NOW)])
        connection.execute("UPDATE identity SET handle_state = 'verified'")
    profile = await api.get("app.bsky.actor.getProfile", actor=did)
    assert (profile["did"], profile["handle"]) == (did, "example.com")
    assert await api.get("app.bsky.actor.getProfile", actor="example.com") == profile
