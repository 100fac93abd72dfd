"""A deletion that is told of an account whose repository waits already, and one that is taken back."""

from datetime import timedelta

from tests.factories import WarehouseFactory
from tests.postgres.account_events import tell
from zeppelin_pipeline.firehose.application import queue_resyncs

RELAY = "https://relay.example.com"


def waiting(warehouse: WarehouseFactory) -> list[tuple[str, bool]]:
    """Why repositories wait, and whether their time comes within a minute."""
    query = "SELECT reason, due_at < now() + interval '1 minute' FROM resync"
    return warehouse.connection.execute(query).fetchall()


def test_a_deletion_is_looked_into_at_once_whatever_the_repository_waited_for(warehouse: WarehouseFactory):
    did = warehouse.account().did
    queue_resyncs(warehouse.connection, warehouse.keys, {did: "desynchronized"})
    warehouse.connection.execute("UPDATE resync SET due_at = due_at + %s", (timedelta(hours=6),))
    queue_resyncs(warehouse.connection, warehouse.keys, {did: "gap"})
    assert waiting(warehouse) == [("desynchronized", False)]

    tell(warehouse, RELAY, {did: "deleted"})

    assert waiting(warehouse) == [("account-deleted", True)]


def test_an_account_that_is_said_to_be_active_again_is_not_removed_for_what_was_said_before(
    warehouse: WarehouseFactory,
):
    did = warehouse.account().did
    tell(warehouse, RELAY, {did: "deleted"})

    tell(warehouse, RELAY, {did: None})

    assert waiting(warehouse) == [("account-active", True)]
