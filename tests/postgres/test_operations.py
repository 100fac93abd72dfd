"""Live commits applied in batches: rows, revs, counts, and what is ahead of what is held."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg
import pytest

from tests.fakes.batches import did
from tests.fakes.live_commits import LiveCommit, apply_each
from tests.postgres.histories import History, Moment, extend, random_history, seen_at, snapshot
from tests.postgres.waiting import PATIENCE_SECONDS, wait_until_waiting
from tests.postgres.warehouse_contents import contents, count
from zeppelin_pipeline.aggregates.counts import AGGREGATES, recompute
from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.warehouse import operation_texts
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.dirty_ranges import list_dirty_ranges
from zeppelin_pipeline.warehouse.key_ranges import range_names
from zeppelin_pipeline.warehouse.load import load_shard
from zeppelin_pipeline.warehouse.standing import Standing, delete_accounts, set_standings


@pytest.fixture
def keys(connection: psycopg.Connection) -> BatchKeys:
    """The key space of the test's warehouse."""
    space = BatchKeys(read_key_space(connection))
    connection.commit()
    return space


@pytest.fixture
def history() -> History:
    """An account with eight commits, not deleted."""
    made = random_history(random.Random(5), 1, accounts=3, commits=8)
    made.is_deleted = False
    return made


def commits(history: History, numbers: Sequence[int] | range) -> list[LiveCommit]:
    return [history.moments[number].commit for number in numbers]


def repo(connection: psycopg.Connection) -> tuple[Any, ...]:
    """State, status, rev, records of the one repository."""
    [row] = connection.execute("SELECT state, status, rev, records FROM repo").fetchall()
    connection.commit()
    return row


def held(connection: psycopg.Connection) -> int:
    """Rows of records."""
    tables = [name for name in contents(connection) if name not in {"actor", "record_key", "collection", "load"}]
    return sum(count(connection, name) for name in tables if name not in {"repo", "identity", "quarantine"})


def test_commits_from_the_first_on_make_the_repository_without_a_fetch(
    connection: psycopg.Connection, keys: BatchKeys, history: History
):
    result = apply_each(connection, keys, commits(history, range(8)))
    last: Moment = history.moments[-1]
    assert (result.commits, result.replayed, result.ahead) == (8, 0, 0)
    assert repo(connection) == ("synchronized", "active", last.commit.rev, len(last.records))
    assert held(connection) == len(last.records)


def test_commits_follow_on_a_repository_that_was_loaded(
    connection: psycopg.Connection, keys: BatchKeys, history: History
):
    load_shard(connection, snapshot("a~00000", "one", [(history, 3)]))
    result = apply_each(connection, keys, commits(history, range(1, 8)))
    last = history.moments[-1]
    assert (result.commits, result.replayed, result.desynchronized) == (4, 3, ())
    assert repo(connection) == ("synchronized", "active", last.commit.rev, len(last.records))


def test_a_batch_that_is_applied_again_changes_nothing(
    connection: psycopg.Connection, keys: BatchKeys, history: History
):
    load_shard(connection, snapshot("a~00000", "one", [(history, 2)]))
    apply_each(connection, keys, commits(history, range(4, 8)))
    before = contents(connection), connection.execute("SELECT * FROM post_counts, ahead_commit").fetchall()
    connection.commit()
    again = apply_each(connection, keys, commits(history, range(8)))
    assert (again.commits, again.replayed, again.inserted, again.deleted) == (0, 8, {}, {})
    after = contents(connection), connection.execute("SELECT * FROM post_counts, ahead_commit").fetchall()
    assert after == before


@pytest.mark.parametrize("first", [0, 3], ids=["following", "ahead"])
def test_commits_that_are_told_again_within_a_batch_change_nothing(
    first: int, connection: psycopg.Connection, keys: BatchKeys, history: History
):
    """A relay may tell of a commit twice, the second time after later ones."""
    told = [first, first, first + 1, first, first + 2, first + 3, first + 1, first + 3]
    result = apply_each(connection, keys, commits(history, told))
    assert (result.commits, result.ahead) == (4, 0 if first == 0 else 4)
    load_shard(connection, snapshot("a~00000", "one", [(history, first)]))
    last = history.moments[first + 3]
    assert repo(connection) == ("synchronized", "active", last.commit.rev, len(last.records))
    assert held(connection) == len(last.records)


def test_a_gap_is_seen_and_a_later_fetch_mends_it(connection: psycopg.Connection, keys: BatchKeys, history: History):
    load_shard(connection, snapshot("a~00000", "one", [(history, 1)]))
    result = apply_each(connection, keys, commits(history, [2, 4, 5]))
    assert (result.commits, result.ahead, result.desynchronized) == (3, 2, (history.owner,))
    assert repo(connection)[:3] == ("desynchronized", "active", history.moments[2].commit.rev)
    load_shard(connection, snapshot("a~00000", "two", [(history, 4)]))
    assert repo(connection) == (
        *("synchronized", "active", history.moments[5].commit.rev),
        len(history.moments[5].records),
    )
    assert (count(connection, "ahead_commit"), count(connection, "ahead_record")) == (0, 0)


def test_a_late_repository_neither_brings_back_what_was_deleted_nor_undoes_what_was_written(
    connection: psycopg.Connection, keys: BatchKeys
):
    def thing(text: str) -> bytes:
        return dag_cbor.encode({"$type": "net.example.thing", "text": text})

    history = History(did(1))
    kept, changed, gone, made = (f"net.example.thing/{name}".encode() for name in ("kept", "changed", "gone", "made"))
    extend(history, {kept: thing("kept"), changed: thing("old"), gone: thing("old")})
    extend(history, {kept: thing("kept"), changed: thing("new"), made: thing("new")})
    apply_each(connection, keys, commits(history, [1]))
    assert repo(connection)[0] == "desynchronized"
    load_shard(connection, snapshot("a~00000", "one", [(history, 0)]))
    assert repo(connection) == ("synchronized", "active", history.moments[1].commit.rev, 3)
    texts = [dag_cbor.decode(row[0])["text"] for row in connection.execute("SELECT raw FROM record ORDER BY raw")]
    assert sorted(texts) == ["kept", "new", "new"]


def test_too_many_commits_ahead_are_forgotten_and_only_what_has_them_all_is_taken(
    connection: psycopg.Connection, keys: BatchKeys, history: History
):
    for number in range(1, 6):
        result = apply_each(connection, keys, commits(history, [number]), most_ahead=3)
        assert result.desynchronized == (history.owner,), "to be fetched"
        assert count(connection, "ahead_commit") <= 3
        connection.commit()
    marks = connection.execute("SELECT rev, is_cut FROM ahead_commit ORDER BY rev").fetchall()
    assert marks == [(history.moments[4].commit.rev, True), (history.moments[5].commit.rev, False)]
    connection.commit()
    rows = held(connection)
    for late in (0, 3):
        load_shard(connection, snapshot("a~00000", f"late {late}", [(history, late)]))
        assert (held(connection), repo(connection)[:3]) == (rows, ("desynchronized", "active", None))
    assert connection.execute("SELECT shard FROM repo").fetchall() == [("a~00000",)]
    connection.commit()
    load_shard(connection, snapshot("a~00000", "whole", [(history, 4)]))
    last = history.moments[5]
    assert repo(connection) == ("synchronized", "active", last.commit.rev, len(last.records))
    assert held(connection) == len(last.records)
    assert (count(connection, "ahead_commit"), count(connection, "ahead_record")) == (0, 0)


def test_counts_follow_every_operation(connection: psycopg.Connection, keys: BatchKeys):
    """Applied live alone, the counts are those of a recomputation; only those of other records are marked."""
    dice = random.Random(3)
    histories = [random_history(dice, number, accounts=4, commits=8) for number in range(4)]
    for first in range(0, 8, 2):
        batch = [commit for history in histories for commit in commits(history, range(first, first + 2))]
        apply_each(connection, keys, batch)
        assert {dirty.aggregate for dirty in list_dirty_ranges(connection)} <= {"record_counts"}
        connection.commit()
        assert not any(recompute(connection, "record_counts", key_range).is_drift for key_range in range_names())
        exact = [name for name in AGGREGATES if name != "record_counts"]
        with connection.transaction(force_rollback=True):
            results = [recompute(connection, name, key_range) for name in exact for key_range in range_names()]
        assert sum(result.drifted for result in results) == 0
        assert sum(result.base_rows for result in results) > 0


def test_what_is_written_with_a_batch_is_committed_with_it_or_not_at_all(
    connection: psycopg.Connection, keys: BatchKeys, history: History
):
    def fail(inner: psycopg.Connection) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply_each(connection, keys, commits(history, range(3)), also=fail)
    assert (count(connection, "repo"), held(connection)) == (0, 0)
    connection.commit()

    def write(inner: psycopg.Connection) -> None:
        inner.execute("CREATE TABLE cursor_of_test AS SELECT 3 AS seq")

    apply_each(connection, keys, commits(history, range(3)), also=write)
    assert (count(connection, "repo"), count(connection, "cursor_of_test")) == (1, 1)


def test_an_account_that_needs_a_key_that_another_holds_is_set_aside_and_the_others_are_applied(
    connection: psycopg.Connection, keys: BatchKeys, history: History
):
    other = random_history(random.Random(6), 2, accounts=1, commits=2)
    connection.execute("INSERT INTO actor VALUES (%s, 'did:plc:holder')", (keys.actor_id(history.owner),))
    connection.commit()
    batch = [*commits(history, range(2)), *commits(other, range(2))]
    assert apply_each(connection, keys, batch).commits == 2
    apply_each(connection, keys, batch)
    rows = connection.execute("SELECT did, shard, scope, reason, detail FROM quarantine").fetchall()
    told = f"{history.owner} has the key of did:plc:holder"
    assert rows == [(history.owner, "live", "key", "key-collision", told)]
    assert connection.execute("SELECT actor_id FROM repo").fetchall() == [(keys.actor_id(other.owner),)]


def test_texts_whose_publication_failed_are_published_by_the_next_batch(
    connection: psycopg.Connection, keys: BatchKeys, history: History, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_given: object) -> dict[str, str]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(operation_texts, "_publish", fail)
        with pytest.raises(KeyboardInterrupt):
            apply_each(connection, keys, commits(history, range(2)))
    apply_each(connection, keys, commits(history, range(2)))
    rows = connection.execute("SELECT did FROM repo JOIN actor ON id = actor_id").fetchall()
    assert rows == [(history.owner,)]


def standing(history: History, status: str, hours: int) -> Standing:
    return Standing(history.owner, status, seen_at(hours))


def test_the_status_that_was_observed_last_stays(connection: psycopg.Connection, keys: BatchKeys, history: History):
    load_shard(connection, snapshot("a~00000", "one", [(history, 1)]))
    assert set_standings(connection, keys, [standing(history, "takendown", 5), standing(history, "active", 3)]) == 1
    assert set_standings(connection, keys, [standing(history, "deactivated", 4)]) == 0
    assert repo(connection)[:2] == ("synchronized", "takendown")
    set_standings(connection, keys, [standing(history, "active", 6)])
    assert repo(connection)[:2] == ("synchronized", "active")
    with pytest.raises(ValueError, match="delete_accounts"):
        set_standings(connection, keys, [standing(history, "deleted", 7)])


def times(connection: psycopg.Connection) -> tuple[Any, ...]:
    """When the one repository was fetched, and when an event told of it."""
    [row] = connection.execute("SELECT fetched_at, told_at FROM repo").fetchall()
    connection.commit()
    return row


def test_accounts_that_are_written_too_are_locked_in_one_order_with_those_of_the_commits(
    connection: psycopg.Connection, postgres_url: str, keys: BatchKeys, history: History
):
    apply_each(connection, keys, commits(history, [0]))
    writing = keys.actor_id(history.owner)
    number = next(number for number in range(100, 200) if keys.actor_id(did(number)) < writing)
    set_standings(connection, keys, [Standing(did(number), "active", seen_at(0))])
    connection.commit()
    hide = partial(set_standings, keys=keys, standings=[Standing(did(number), "deactivated", seen_at(9))])
    lock = "SELECT FROM repo WHERE actor_id = %s FOR UPDATE NOWAIT"
    with (
        psycopg.connect(postgres_url) as load,
        psycopg.connect(postgres_url, autocommit=True) as watcher,
        ThreadPoolExecutor(1) as pool,
    ):
        load.execute(lock, (keys.actor_id(did(number)),))
        batch = commits(history, [1])
        applied = pool.submit(apply_each, connection, keys, batch, also=hide, accounts=[did(number)])
        wait_until_waiting(watcher)
        load.execute(lock, (writing,))  # what a load does next: it would wait for who waits for it
        load.commit()
        assert applied.result(timeout=PATIENCE_SECONDS).commits == 1


def test_what_an_event_tells_of_an_account_is_no_fetch_of_it(
    connection: psycopg.Connection, keys: BatchKeys, history: History
):
    set_standings(connection, keys, [standing(history, "takendown", 3)])
    assert times(connection) == (datetime(1970, 1, 1, tzinfo=UTC), seen_at(3))
    load_shard(connection, snapshot("a~00000", "one", [(history, 1)]))
    assert (times(connection), repo(connection)[1]) == ((seen_at(1), seen_at(3)), "takendown")
    set_standings(connection, keys, [standing(history, "active", 4)])
    assert (times(connection), repo(connection)[1]) == ((seen_at(1), seen_at(4)), "active")
    with connection.transaction():
        assert delete_accounts(connection, keys, [history.owner], seen_at(2)) == {}
    load_shard(connection, snapshot("a~00000", "two", [(history, 5)]))
    assert times(connection) == (seen_at(5), seen_at(4))
    assert set_standings(connection, keys, [standing(history, "suspended", 4)]) == 0
    with connection.transaction():
        delete_accounts(connection, keys, [history.owner], seen_at(6))
    assert (times(connection), repo(connection)[1]) == ((seen_at(5), seen_at(6)), "deleted")


def test_an_account_that_is_hidden_before_it_is_fetched_stays_hidden(
    connection: psycopg.Connection, keys: BatchKeys, history: History
):
    set_standings(connection, keys, [standing(history, "deactivated", 5)])
    assert repo(connection) == ("absent", "deactivated", None, 0)
    connection.commit()
    load_shard(connection, snapshot("a~00000", "one", [(history, 1)]))
    assert repo(connection)[:2] == ("synchronized", "deactivated")


def test_a_deleted_account_has_no_rows_and_what_was_fetched_before_does_not_bring_it_back(
    connection: psycopg.Connection, keys: BatchKeys, history: History
):
    load_shard(connection, snapshot("a~00000", "one", [(history, 1)]))
    rows = held(connection)
    with connection.transaction():
        removed = delete_accounts(connection, keys, [history.owner], seen_at(6))
    assert sum(removed.values()) == rows > held(connection) == 0
    assert repo(connection) == ("absent", "deleted", history.moments[1].commit.rev, 0)
    for late in (0, 1, 5):
        load_shard(connection, snapshot("a~00000", f"late {late}", [(history, late)]))
        assert (held(connection), repo(connection)[:2]) == (0, ("absent", "deleted"))
    load_shard(connection, snapshot("a~00000", "back", [(history, 7)]))
    assert repo(connection)[:2] == ("synchronized", "active")
    assert held(connection) == len(history.moments[7].records)


def test_an_old_deletion_that_is_told_again_removes_nothing(
    connection: psycopg.Connection, keys: BatchKeys, history: History
):
    load_shard(connection, snapshot("a~00000", "one", [(history, 7)]))
    rows = held(connection)
    with connection.transaction():
        assert delete_accounts(connection, keys, [history.owner], seen_at(6)) == {}
    assert held(connection) == rows


def test_an_account_that_is_active_again_after_its_deletion_is_taken_at_the_rev_it_had(
    connection: psycopg.Connection, keys: BatchKeys, history: History
):
    load_shard(connection, snapshot("a~00000", "one", [(history, 1)]))
    with connection.transaction():
        delete_accounts(connection, keys, [history.owner], seen_at(2))
        set_standings(connection, keys, [standing(history, "active", 3)])
    assert repo(connection) == ("desynchronized", "active", None, 0)
    load_shard(connection, snapshot("a~00000", "two", [(history, 1)]))
    assert held(connection) == len(history.moments[1].records)
