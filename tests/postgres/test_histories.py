"""Histories that arrive in any order, by both ways, give the tables of their final states loaded once.

Whole repositories at any of their revs, before the indexes stand and after; live commits in order, again and again,
with gaps; deletions: whatever comes late or twice, nothing is lost, resurrected or overwritten, and at every moment
what is called synchronized is exactly what was signed.
"""

import os
import random
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from uuid import uuid4

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.live_commits import apply_each
from tests.postgres.histories import History, random_history, seen_at, snapshot
from zeppelin_pipeline.aggregates.counts import AGGREGATES, recompute
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.dirty_ranges import list_dirty_ranges
from zeppelin_pipeline.warehouse.indexes import build_indexes
from zeppelin_pipeline.warehouse.key_ranges import range_names
from zeppelin_pipeline.warehouse.load import load_shard
from zeppelin_pipeline.warehouse.standing import delete_accounts
from zeppelin_pipeline.warehouse.tables import TABLES

#: More by `ZEPPELIN_TEST_HISTORIES=500 pytest tests/postgres/test_histories.py`.
EXAMPLES = int(os.environ.get("ZEPPELIN_TEST_HISTORIES", "6"))
ACCOUNTS = 5


class Warehouse:
    """A database under test: what is delivered to it, and what it holds then."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.keys: BatchKeys = BatchKeys(read_key_space(connection))
        connection.commit()
        self._loads = 0

    def load(self, taken: Sequence[tuple[History, int]]) -> None:
        """Whole repositories, each as it was at a moment."""
        self._loads += 1
        load_shard(self.connection, snapshot(f"host.test~{self._loads % 3:05d}", str(self._loads), taken))

    def tell(self, commits: Sequence[tuple[History, int]]) -> None:
        """Live commits, in one batch."""
        apply_each(self.connection, self.keys, [history.moments[moment].commit for history, moment in commits])

    def delete(self, history: History) -> None:
        """The account is gone."""
        with self.connection.transaction():
            delete_accounts(self.connection, self.keys, [history.owner], seen_at(history.last + 1))

    def build_indexes(self) -> None:
        """Once or again."""
        self.connection.autocommit = True
        build_indexes(self.connection)
        self.connection.autocommit = False

    def states(self) -> dict[str, tuple[int | None, str, str | None]]:
        """(rev, state, status) of each repository, by DID."""
        query = "SELECT a.did, r.rev, r.state, r.status FROM repo r JOIN actor a ON a.id = r.actor_id"
        found = {row[0]: row[1:] for row in self.connection.execute(query).fetchall()}
        self.connection.commit()
        return found

    def rows(self, owner: str) -> dict[str, list[str]]:
        """An account's records, but for when each was seen: that depends on the order of things."""
        actor = self.keys.actor_id(owner)
        found = {}
        for table in TABLES.values():
            query = f"""SELECT (to_jsonb(t) - 'indexed_at')::text || (t.indexed_at IS NULL)::text
                        FROM "{table.table}" AS t WHERE actor_id = %s ORDER BY 1"""
            found[table.table] = [row[0] for row in self.connection.execute(query.encode(), (actor,))]
        self.connection.commit()
        return found

    def repositories(self) -> list[tuple[object, ...]]:
        """What is held of each repository, but for where it was fetched."""
        query = "SELECT actor_id, rev, records, state, status, data_cid, commit FROM repo ORDER BY 1"
        return self._all(query)

    def ahead(self) -> list[tuple[object, ...]]:
        """All that is remembered of what is ahead."""
        return self._all("SELECT actor_id, rev FROM ahead_commit UNION ALL SELECT actor_id, rev FROM ahead_record")

    def _all(self, query: str) -> list[tuple[object, ...]]:
        found = self.connection.execute(query.encode()).fetchall()
        self.connection.commit()
        return found


@contextmanager
def warehouse(server: EmbeddedPostgres, template: str) -> Generator[Warehouse]:
    """An empty warehouse; all of them have the secret of the template."""
    name = f"history_{uuid4().hex}"
    try:
        with psycopg.connect(server.create_database(name, template=template)) as connection:
            yield Warehouse(connection)
    finally:
        server.drop_database(name)


def random_batch(dice: random.Random, histories: Sequence[History], told: dict[str, int]) -> list[tuple[History, int]]:
    """The next commits of some accounts, some of them told before, now and then with one left out."""
    batch: list[tuple[History, int]] = []
    for history in dice.sample(histories, dice.randint(1, len(histories))):
        known = told.get(history.owner, dice.randint(-1, history.last))  # before this nobody listened
        first = max(0, known + 1 - (dice.randint(1, 2) if history.owner in told and dice.random() < 0.3 else 0))
        if dice.random() < 0.1:
            first = min(first + 1, history.last)
        last = min(history.last, known + dice.randint(1, 3))
        batch += [(history, moment) for moment in range(first, last + 1)]
        told[history.owner] = max(known, last)
    return batch


def check(found: Warehouse, truths: dict[tuple[str, int], dict[str, list[str]]]) -> None:
    """What is called synchronized has exactly the records of its rev; what was deleted has none."""
    for owner, (rev, state, status) in found.states().items():
        if state == "synchronized":
            assert rev is not None
            assert found.rows(owner) == truths[owner, rev]
        if status == "deleted":
            assert not any(found.rows(owner).values())


def truths_of(empty: Warehouse, histories: Sequence[History]) -> dict[tuple[str, int], dict[str, list[str]]]:
    """The rows of every account at every rev, each loaded into an emptied warehouse; by DID and rev."""
    truths = {}
    for moment in range(max(history.last for history in histories) + 1):
        taken = [(history, moment) for history in histories if moment <= history.last]
        empty.load(taken)
        for history, _ in taken:
            truths[history.owner, history.moments[moment].commit.rev] = empty.rows(history.owner)
        names = ", ".join(f'"{name}"' for name in ("repo", "load", *(table.table for table in TABLES.values())))
        empty.connection.execute(f"TRUNCATE {names}".encode())
        empty.connection.commit()
    return truths


def finish(found: Warehouse, histories: Sequence[History]) -> None:
    """What is not whole at the end is fetched again, and what is deleted was deleted at the last."""
    states = found.states()
    stale = [
        (history, history.last)
        for history in histories
        if states.get(history.owner, (None, "", None))[:2] != (history.moments[-1].commit.rev, "synchronized")
    ]
    if stale:
        found.load(stale)
    for history in histories:
        if history.is_deleted:
            found.delete(history)


def counts_are_exact(found: Warehouse) -> None:
    """Once the ranges that were marked are recomputed, no other range is off."""
    for dirty in list_dirty_ranges(found.connection):
        found.connection.commit()
        recompute(found.connection, dirty.aggregate, dirty.key_range)
    found.connection.commit()
    for aggregate in AGGREGATES:
        for key_range in range_names():
            assert recompute(found.connection, aggregate, key_range).drifted == 0


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(dice=st.randoms(use_true_random=False))
def test_histories_in_any_order_by_both_ways_give_the_tables_of_their_final_states(
    dice: random.Random, postgres_server: EmbeddedPostgres, migrated_template: str
):
    histories = [
        random_history(dice, number, accounts=ACCOUNTS, commits=dice.randint(1, 6)) for number in range(ACCOUNTS)
    ]
    with warehouse(postgres_server, migrated_template) as final:
        truths = truths_of(final, histories)
        with warehouse(postgres_server, migrated_template) as found:
            told: dict[str, int] = {}
            for _ in range(dice.randint(2, 8)):
                match dice.choice(["load", "load", "tell", "tell", "tell", "index"]):
                    case "load":
                        some = dice.sample(histories, dice.randint(1, ACCOUNTS))
                        found.load([(history, dice.randint(0, history.last)) for history in some])
                    case "tell":
                        found.tell(random_batch(dice, histories, told))
                    case _:
                        found.build_indexes()
                check(found, truths)
            finish(found, histories)
            found.load([(history, dice.randint(0, history.last)) for history in histories])
            check(found, truths)
            counts_are_exact(found)
            finish(final, histories)
            for history in histories:
                assert found.rows(history.owner) == final.rows(history.owner)
            assert found.repositories() == final.repositories()
            assert found.ahead() == []
