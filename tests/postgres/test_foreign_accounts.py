"""What a host that is followed directly says of accounts: heard of its own, and of nobody else's."""

from typing import Any

import pytest

from tests.factories import WarehouseFactory
from tests.postgres.account_events import tell

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


@pytest.mark.parametrize("url", [OWN, "wss://own.example.com"])
def test_a_host_hides_its_own_accounts_alone_and_those_of_others_are_asked_about(
    warehouse: WarehouseFactory, dids: dict[str, str], url: str
):
    warehouse.connection.execute(
        "INSERT INTO pds_host (host, url, witnesses, state, last_seen_at) "
        "VALUES ('own.example.com', %s, '{}', 'online', now())",
        (OWN,),
    )

    tell(warehouse, url, {did: "deleted" if name == "deleted" else "deactivated" for name, did in dids.items()})

    assert hidden(warehouse) == {dids["own"], dids["unknown"]}
    assert rows(warehouse, "SELECT reason, events FROM stream_rejected") == {"account-other-host": 2}
    asked = rows(warehouse, "SELECT did, reason FROM resync")
    assert asked == dict.fromkeys((dids["foreign"], dids["deleted"]), "account-other-host")


def test_a_relay_is_heard_of_everybody(warehouse: WarehouseFactory, dids: dict[str, str]):
    tell(warehouse, "https://relay.example.com", dict.fromkeys(dids.values(), "deactivated"))

    assert hidden(warehouse) == set(dids.values())
    assert rows(warehouse, "SELECT reason, events FROM stream_rejected") == {}
