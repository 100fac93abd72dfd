"""What a host that is followed directly says of accounts: heard of its own, and of nobody else's."""

from pathlib import Path
from typing import Any

import pytest

from tests.factories import WarehouseFactory
from tests.postgres.account_events import apply_files, put_into_files, tell
from zeppelin_pipeline.lake.store import Lake

OWN, OTHER = "https://own.example.com", "https://other.example.com"


@pytest.fixture
def dids(warehouse: WarehouseFactory) -> dict[str, str]:
    """An account of the host, two of another one, and one of whose document nothing is known."""
    accounts = {name: warehouse.account().did for name in ("own", "foreign", "deleted", "unknown")}
    places = {"own": f"{OWN}:443", "foreign": OTHER, "deleted": OTHER, "unknown": None}
    for name, did in accounts.items():
        warehouse.connection.execute(
            "UPDATE identity SET pds = %s WHERE actor_id = %s", (places[name], warehouse.keys.actor_id(did))
        )
    return accounts


def rows(warehouse: WarehouseFactory, query: str) -> dict[str, Any]:
    return dict(warehouse.connection.execute(query.encode()).fetchall())


def hidden(warehouse: WarehouseFactory) -> set[str]:
    return set(rows(warehouse, "SELECT did, status FROM repo JOIN actor ON id = actor_id WHERE status <> 'active'"))


def know_host(warehouse: WarehouseFactory) -> None:
    warehouse.connection.execute(
        "INSERT INTO pds_host (host, url, witnesses, state, last_seen_at) "
        "VALUES ('own.example.com', %s, '{}', 'online', now())",
        (OWN,),
    )


def what_is_said(dids: dict[str, str]) -> dict[str, str | None]:
    return {did: "deleted" if name == "deleted" else "deactivated" for name, did in dids.items()}


def assert_only_own_are_hidden(warehouse: WarehouseFactory, dids: dict[str, str]) -> None:
    """And those of others are asked about."""
    assert hidden(warehouse) == {dids["own"], dids["unknown"]}
    assert rows(warehouse, "SELECT reason, events FROM stream_rejected") == {"account-other-host": 2}
    asked = rows(warehouse, "SELECT did, reason FROM resync")
    assert asked == dict.fromkeys((dids["foreign"], dids["deleted"]), "account-other-host")


@pytest.mark.parametrize("url", [OWN, "wss://own.example.com"])
def test_a_host_hides_its_own_accounts_alone_and_those_of_others_are_asked_about(
    warehouse: WarehouseFactory, dids: dict[str, str], url: str
):
    know_host(warehouse)

    tell(warehouse, url, what_is_said(dids))

    assert_only_own_are_hidden(warehouse, dids)


def test_what_a_host_said_before_the_indexes_stood_hides_its_own_accounts_alone_too(
    warehouse: WarehouseFactory, dids: dict[str, str], tmp_path: Path
):
    know_host(warehouse)
    lake = Lake(str(tmp_path))

    put_into_files(warehouse, lake, OWN, what_is_said(dids))

    assert hidden(warehouse) == set()
    assert rows(warehouse, "SELECT reason, events FROM stream_rejected") == {}
    assert apply_files(warehouse, lake, OWN) == len(dids)
    assert_only_own_are_hidden(warehouse, dids)
    assert apply_files(warehouse, lake, OWN) == 0


def test_a_relay_is_heard_of_everybody(warehouse: WarehouseFactory, dids: dict[str, str]):
    tell(warehouse, "https://relay.example.com", dict.fromkeys(dids.values(), "deactivated"))

    assert hidden(warehouse) == set(dids.values())
    assert rows(warehouse, "SELECT reason, events FROM stream_rejected") == {}
