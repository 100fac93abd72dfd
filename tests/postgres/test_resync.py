"""What is told of a repository while it is fetched again: the queue keeps what the fetch cannot have seen."""

from collections.abc import AsyncGenerator, Callable
from datetime import timedelta

import pytest

from tests.factories import WarehouseFactory
from tests.fakes.http_host import Reply, Request
from tests.fakes.pds import FakePds, make_account, running_pds
from tests.postgres.account_events import tell
from zeppelin_pipeline.firehose.application import queue_resyncs
from zeppelin_pipeline.firehose.resync import LANES, Lane, ResyncResult, resync_round
from zeppelin_pipeline.hosts.client import ClientSettings, HostClients
from zeppelin_pipeline.hosts.limits import RetryPolicy
from zeppelin_pipeline.warehouse.queries import load_queries

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

    @property
    def used_credit(self) -> float:
        """Seconds of it."""
        ((used,),) = self._warehouse.connection.execute(
            "SELECT extract(epoch FROM max(no_resync_before) - now() + interval '2 hours')::float FROM repo"
        ).fetchall()
        return used

    def use_credit(self, hours: float) -> None:
        """One hour more than the two that there are leaves none for an hour."""
        self._warehouse.connection.execute(
            "UPDATE repo SET no_resync_before = now() - interval '2 hours' + %s", (timedelta(hours=hours),)
        )

    def pause_by(self, query: str) -> float:
        """How many seconds it waits that is queued by a query."""
        execute, actor = self._warehouse.connection.execute, self._warehouse.keys.actor_id(self.did)
        self.clear()
        execute(
            "UPDATE repo SET state = 'desynchronized', status = 'active', host = NULL WHERE actor_id = %s", (actor,)
        )
        execute(load_queries()["create_told"])
        execute("INSERT INTO told SELECT actor_id FROM repo WHERE actor_id <> %s", (actor,))
        one = {"actors": [actor], "dids": [self.did], "reasons": ["gap"], "reason": "gap"}
        execute(load_queries()[query], {**one, "delay": timedelta(seconds=2)})
        ((pause,),) = execute("SELECT extract(epoch FROM due_at - now())::float FROM resync").fetchall()
        return pause

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


async def test_a_status_that_is_told_while_the_repository_is_fetched_outlives_what_its_host_had_said_before(
    queue: Queue,
):
    queue.add("desynchronized")

    await queue.fetch(lambda: queue.tell("deactivated"))

    assert queue.state == ("synchronized", "deactivated")


async def test_what_a_fetch_brought_that_had_begun_before_it_was_queued_anew_settles_nothing_later(queue: Queue):
    """A status that changed meanwhile untold is seen by the next one only, which may fail."""
    queue.add("desynchronized")
    await queue.fetch(lambda: queue.add("gap"))
    queue.break_host()

    result = await queue.fetch()

    assert (result.settled, result.left.total()) == (0, 1)
    assert (await queue.fetch()).settled == 1


async def test_a_fetch_is_charged_to_its_account_and_never_given_twice(queue: Queue):
    for _ in range(3):
        queue.add("signature-invalid")
        assert (await queue.fetch()).settled == 1

    used = queue.used_credit
    assert used == pytest.approx(3 * 120, abs=5), "so much of it is gone, and comes back with time"


@pytest.mark.parametrize("query", ["queue_resync", "queue_desynchronized", "queue_reactivated", "queue_untold"])
async def test_for_whatever_reason_it_is_queued_an_account_without_credit_waits(queue: Queue, query: str):
    queue.add("gap")
    await queue.fetch()

    assert queue.pause_by(query) <= 3, "it has some"
    queue.use_credit(hours=3)
    assert queue.pause_by(query) == pytest.approx(3600, abs=10)


def test_those_that_have_not_failed_are_found_without_a_look_at_those_that_have(warehouse: WarehouseFactory):
    execute = warehouse.connection.execute
    execute("""INSERT INTO resync (actor_id, did, reason, due_at, failures)
               SELECT n, '', '', now() - interval '1 day', 1 FROM generate_series(1, 20000) AS n""")
    execute("ANALYZE resync")

    for lane in LANES:
        wanted = {"has_failed": lane.has_failed, "limit": 64}
        plan = "\n".join(line for (line,) in execute("EXPLAIN (ANALYZE) " + load_queries()["claim_resyncs"], wanted))
        execute("SELECT pg_advisory_unlock_all()")

        assert "resync_due" in plan
        assert "Rows Removed by Filter" not in plan
