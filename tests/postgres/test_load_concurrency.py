"""Loads at the same time: of one shard, and of shards that share accounts or repositories."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import pytest

from tests.fakes.batches import FakeShard, did, random_shard, tid
from tests.postgres.waiting import PATIENCE_SECONDS, wait_until_waiting
from tests.postgres.warehouse_contents import contents, count
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.load import LoadResult, load_shard


@pytest.fixture
def watcher(postgres_url: str):
    """A connection that sees what others wait for."""
    with psycopg.connect(postgres_url, autocommit=True) as opened:
        yield opened


def load(url: str, fake: FakeShard, fingerprint: str = "first", report: Callable[[str, int], None] | None = None):
    """Loads over a connection of its own."""
    with psycopg.connect(url) as connection:
        return load_shard(connection, fake.batches(fingerprint), report=report)


def load_over_another(
    url: str, watcher: psycopg.Connection, first: FakeShard, second: FakeShard
) -> tuple[LoadResult, LoadResult]:
    """Starts the second load in the midst of the first, which ends only when the second waits for it."""
    in_the_midst = threading.Event()

    def hold(table: str, rows: int) -> None:
        if table == "like":
            in_the_midst.set()
            wait_until_waiting(watcher)

    with ThreadPoolExecutor(2) as pool:
        one: Future[LoadResult] = pool.submit(load, url, first, report=hold)
        assert in_the_midst.wait(PATIENCE_SECONDS)
        two: Future[LoadResult] = pool.submit(load, url, second)
        return one.result(PATIENCE_SECONDS), two.result(PATIENCE_SECONDS)


def test_two_loads_of_one_shard_write_its_rows_once(postgres_url: str, watcher: psycopg.Connection):
    one, two = load_over_another(postgres_url, watcher, random_shard(1), random_shard(1))
    assert (one.is_skipped, two.is_skipped) == (False, True)
    assert {table: count(watcher, table) for table in one.rows} == one.rows


@pytest.mark.parametrize(("first", "second", "copied"), [(1, 1, 0), (2, 1, 0), (1, 2, 1)])
def test_two_shards_with_one_repository_hold_its_newest_rev_once(
    postgres_url: str, watcher: psycopg.Connection, first: int, second: int, copied: int
):
    shards = [FakeShard("a~00000"), FakeShard("b~00000")]
    for fake, rev in zip(shards, (first, second), strict=True):
        fake.repository(did(1), rev).like(did(1), tid(rev), (did(2), tid(2)))
    _, two = load_over_another(postgres_url, watcher, *shards)
    assert two.copied == copied
    assert watcher.execute('SELECT rkey - (1::bigint << 60) FROM "like"').fetchall() == [(max(first, second),)]


@pytest.mark.parametrize(("first", "second", "copied"), [(2, 2, 0), (3, 2, 0), (2, 3, 1)])
def test_two_shards_that_renew_one_repository_hold_its_newest_rev_once(
    postgres_url: str, watcher: psycopg.Connection, first: int, second: int, copied: int
):
    fakes = [
        FakeShard(f"{name}~00000").repository(did(1), rev).like(did(1), tid(rev), (did(2), tid(2)))
        for name, rev in (("held", 1), ("a", first), ("b", second))
    ]
    load(postgres_url, fakes[0])
    _, two = load_over_another(postgres_url, watcher, *fakes[1:])
    assert two.copied == copied
    assert watcher.execute('SELECT rkey - (1::bigint << 60) FROM "like"').fetchall() == [(max(first, second),)]


def test_a_load_that_waited_for_one_that_failed_writes_its_rows(postgres_url: str, watcher: psycopg.Connection):
    in_the_midst = threading.Event()

    def hold(table: str, rows: int) -> None:
        in_the_midst.set()
        wait_until_waiting(watcher)
        raise KeyboardInterrupt

    with ThreadPoolExecutor(2) as pool:
        one: Future[LoadResult] = pool.submit(load, postgres_url, random_shard(1), report=hold)
        assert in_the_midst.wait(PATIENCE_SECONDS)
        two: Future[LoadResult] = pool.submit(load, postgres_url, random_shard(1))
        assert isinstance(one.exception(PATIENCE_SECONDS), KeyboardInterrupt)
        result = two.result(PATIENCE_SECONDS)
    assert result.is_skipped is False
    assert {table: count(watcher, table) for table in result.rows} == result.rows


def test_many_shards_with_the_same_accounts_and_repositories_load_side_by_side(postgres_url: str):
    """In opposite orders, so that they would wait for each other in a circle if they took them as they come."""
    shards = [random_shard(number, f"host.test~{number:05d}", owners=range(100), records=300) for number in range(4)]
    for fake in shards[::2]:
        fake.rows["repo"].reverse()
    for fake in shards:
        fake.rows["repo"].append(FakeShard(fake.shard).absent(did(500), "deactivated").rows["repo"][0])
        fake.rows["repo"].insert(0, FakeShard(fake.shard).absent(did(501), "deactivated").rows["repo"][0])
    start = threading.Barrier(len(shards))

    def run(fake: FakeShard) -> LoadResult:
        start.wait(PATIENCE_SECONDS)
        return load(postgres_url, fake)

    with ThreadPoolExecutor(len(shards)) as pool:
        results = list(pool.map(run, shards, timeout=PATIENCE_SECONDS))
    winners = [result for result in results if result.copied]
    assert len(winners) == 1
    with psycopg.connect(postgres_url) as connection:
        held = contents(connection)
        assert {table: len(held[table]) for table in winners[0].rows} == winners[0].rows
    assert len(held["repo"]) == 102
    assert len(held["load"]) == len(shards)


def test_two_loads_take_repositories_in_one_order_whatever_the_order_of_their_rows(
    postgres_url: str, watcher: psycopg.Connection
):
    """Both are stopped at the repository in the middle, each having taken what comes before it in its rows."""
    keys = read_key_space(watcher)
    one, middle, other = sorted(map(did, range(3)), key=keys.actor_id)
    forth, back = FakeShard("a~00000"), FakeShard("b~00000")
    for fake, owners in ((forth, (one, middle, other)), (back, (other, middle, one))):
        for owner in owners:
            fake.repository(owner).like(owner, tid(1), (did(9), tid(2)))
    with psycopg.connect(postgres_url) as holder, ThreadPoolExecutor(2) as pool:
        holder.execute(
            "INSERT INTO repo (actor_id, records, fetched_at, host, shard, state)"
            " VALUES (%s, 0, now(), '', '', 'failed')",
            (keys.actor_id(middle),),
        )
        loads = [pool.submit(load, postgres_url, fake) for fake in (forth, back)]
        wait_until_waiting(watcher, 2)
        holder.rollback()
        copied = sorted(each.result(PATIENCE_SECONDS).copied for each in loads)
    assert copied == [0, 3]
    assert count(watcher, "like") == 3


def test_shards_without_a_repository_in_common_do_not_wait_for_each_other(postgres_url: str):
    """The second names the same accounts, record keys and collections, and ends while the first is in the midst."""
    first, second = (
        random_shard(number, f"host.test~{number:05d}", owners=range(number * 40, number * 40 + 40))
        for number in (0, 1)
    )
    ended: list[LoadResult] = []

    def load_the_other(table: str, rows: int) -> None:
        if table == "like":
            with psycopg.connect(postgres_url, options="-c lock_timeout=10s") as connection:
                ended.append(load_shard(connection, second.batches()))

    result = load(postgres_url, first, report=load_the_other)
    assert [other.shard for other in ended] == ["host.test~00001"]
    assert result.copied == result.entries
