"""What is told of a repository while it is fetched again: the queue keeps what the fetch cannot have seen."""

from collections.abc import AsyncGenerator, Callable

import pytest

from tests.factories import WarehouseFactory
from tests.fakes.http_host import Reply, Request
from tests.fakes.pds import FakePds, make_account, running_pds
from tests.postgres.account_events import tell
from zeppelin_pipeline.firehose.application import queue_resyncs
from zeppelin_pipeline.firehose.resync import LANES, Lane, ResyncResult, resync_round
from zeppelin_pipeline.hosts.client import ClientSettings, HostClients
from zeppelin_pipeline.hosts.limits import RetryPolicy

RELAY = "https://relay.example.com"
ONCE = ClientSettings(allow_private=True, retry=RetryPolicy(attempts=1))


class Queue:
    """The queue of a warehouse with an account in it, and another; their host does something while it is asked."""

    def __init__(self, warehouse: WarehouseFactory, pds: FakePds, did: str, other: str) -> None:
        self.did, self.other = did, other
        self._warehouse = warehouse
        self._pds = pds

    def tell(self, status: str | None) -> None:
        tell(self._warehouse, RELAY, {self.did: status})

    def add(self, reason: str) -> None:
        """As a gap's comparison or a refused commit does, due at once."""
        queue_resyncs(self._warehouse.connection, self._warehouse.keys, {self.did: reason})
        self._warehouse.connection.execute("UPDATE resync SET due_at = now()")

    def clear(self) -> None:
        self._warehouse.connection.execute("DELETE FROM resync")

    def remove_account(self) -> None:
        """The host knows it no more, but its document stays."""
        self._pds.faults[self.did] = [Reply(b'{"error":"RepoNotFound"}', 400)]

    def break_host(self, seconds: float = 0.0) -> None:
        """It fails once, after a while."""
        self._pds.faults[self.did] = [Reply(status=500, delay_seconds=seconds)]

    async def fetch(self, meanwhile: Callable[[], None] = lambda: None, lane: Lane | None = None) -> ResyncResult:
        """A round, of the lane that the account is in; something happens when the host is asked."""

        def answer(request: Request) -> Reply:
            if request.path.endswith("getRepo"):
                meanwhile()
            return self._pds.answer(request)

        self._pds.http.answer = answer
        execute = self._warehouse.connection.execute
        ((failures,),) = execute("UPDATE resync SET due_at = now() WHERE did = %s RETURNING failures", (self.did,))
        lane = lane or LANES[failures > 0]
        async with HostClients(ONCE) as clients:
            resolver = self._pds.resolver(clients)
            return await resync_round(self._warehouse.connection, clients, resolver, resolver, lane=lane, limit=4)

    @property
    def waiting(self) -> list[tuple[str, str | None]]:
        return self._warehouse.connection.execute("SELECT reason, failure FROM resync").fetchall()

    @property
    def state(self) -> tuple[str, str]:
        query = "SELECT state, status FROM repo JOIN actor ON id = actor_id WHERE did = %s"
        (row,) = self._warehouse.connection.execute(query, (self.did,)).fetchall()
        return row


@pytest.fixture
async def queue(warehouse: WarehouseFactory) -> AsyncGenerator[Queue]:
    accounts = [make_account(1), make_account(2)]
    async with running_pds(accounts) as pds:
        yield Queue(warehouse, pds, *(account.did for account in accounts))


async def test_what_was_fetched_is_off_the_queue(queue: Queue):
    queue.add("gap")

    assert (await queue.fetch()).settled == 1

    assert queue.waiting == []
    assert queue.state == ("synchronized", "active")


@pytest.mark.parametrize("reason", ["gap", "signature-invalid"])
async def test_what_is_queued_anew_while_it_is_fetched_waits_on(queue: Queue, reason: str):
    queue.add("desynchronized")

    result = await queue.fetch(lambda: queue.add(reason))

    assert result.left == {"queued-anew": 1}
    assert queue.waiting == [("desynchronized", "queued-anew")]
    assert (await queue.fetch()).settled == 1


async def test_a_deletion_that_is_told_while_the_repository_is_fetched_is_looked_into(queue: Queue):
    queue.add("desynchronized")

    await queue.fetch(lambda: queue.tell("deleted"))

    assert [reason for reason, _ in queue.waiting] == ["account-deleted"]
    queue.remove_account()
    assert (await queue.fetch()).removed == 1
    assert queue.state == ("absent", "deleted")


async def test_an_account_that_is_back_while_its_deletion_is_looked_into_is_not_removed(queue: Queue):
    queue.add("gap")
    await queue.fetch()
    queue.tell("deleted")
    queue.remove_account()

    result = await queue.fetch(lambda: queue.tell(None))

    assert result.removed == 0
    assert [reason for reason, _ in queue.waiting] == ["account-active"]
    assert (await queue.fetch()).settled == 1
    assert queue.state == ("synchronized", "active")


async def test_an_account_that_is_said_to_be_active_while_its_host_denies_it_is_asked_for_again(queue: Queue):
    queue.tell("deactivated")
    queue.add("gap")
    queue.remove_account()

    await queue.fetch(lambda: queue.tell(None))

    assert len(queue.waiting) == 1
    assert (await queue.fetch()).settled == 1
    assert queue.state == ("synchronized", "active")


async def test_a_fetch_that_fails_does_not_show_an_account_that_is_hidden(queue: Queue):
    """Of which nothing is held but what live events brought."""
    queue.tell("takendown")
    queue.add("gap")
    queue.break_host()

    await queue.fetch()

    assert queue.state == ("failed", "takendown")
    assert len(queue.waiting) == 1


async def test_a_host_that_does_not_answer_holds_up_no_other_and_is_asked_apart_from_then_on(
    queue: Queue, warehouse: WarehouseFactory
):
    queue.break_host(seconds=60)
    queue.add("gap")
    queue_resyncs(warehouse.connection, warehouse.keys, {queue.other: "gap"})
    warehouse.connection.execute("UPDATE resync SET due_at = now()")

    result = await queue.fetch(lane=Lane(has_failed=False, seconds=0.5))

    assert (result.settled, result.left) == (1, {"not-fetched": 1})
    assert (await queue.fetch(lane=LANES[0])).total == 0
    assert (await queue.fetch(lane=LANES[1])).settled == 1


async def test_what_a_person_takes_off_the_queue_meanwhile_is_off(queue: Queue):
    queue.add("gap")

    assert (await queue.fetch(queue.clear)).total == 0

    assert queue.waiting == []


async def test_a_round_in_which_nobody_answers_leaves_all(queue: Queue):
    queue.break_host(seconds=60)
    queue.add("gap")

    assert (await queue.fetch(lane=Lane(has_failed=False, seconds=0.1))).left == {"not-fetched": 1}
