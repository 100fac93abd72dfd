"""Marks that counts are out of date: who sets them, and that no recomputation loses one."""

from typing import Any

import psycopg
import pyarrow as pa
import pytest

from tests.fakes.batches import FakeShard, did, random_shard, tid
from zeppelin_pipeline.aggregates.counts import AGGREGATES, recompute
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.dirty_ranges import list_dirty_ranges
from zeppelin_pipeline.warehouse.key_ranges import range_name, ranges_of
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.load import load_shard

ALICE, BOB, CAROL, DAVE = (did(number) for number in range(1, 5))


def marked(connection: psycopg.Connection) -> set[tuple[str, str]]:
    """(aggregate, range) of every mark."""
    found = {(dirty.aggregate, dirty.key_range) for dirty in list_dirty_ranges(connection)}
    connection.commit()
    return found


def range_of(connection: psycopg.Connection, owner: str) -> str:
    """The range of an account."""
    keys: KeySpace = read_key_space(connection)
    connection.commit()
    [number] = ranges_of(pa.array([keys.actor_id(owner)]))
    return range_name(number)


def clear(connection: psycopg.Connection) -> None:
    connection.execute("DELETE FROM dirty_range")
    connection.commit()


def test_a_load_marks_the_ranges_of_those_that_its_rows_count_for(connection: psycopg.Connection):
    post: dict[str, Any] = {"reply_parent_did": CAROL, "reply_parent_rkey": tid(3)}
    post["reply_parent_collection"] = "app.bsky.feed.post"
    fake = FakeShard().repository(ALICE).like(ALICE, tid(1), (BOB, tid(2))).post(ALICE, tid(2), **post)
    load_shard(connection, fake.follow(ALICE, tid(3), DAVE).block(ALICE, tid(4), did(99)).batches())
    posts = {("post_counts", range_of(connection, owner)) for owner in (BOB, CAROL)}
    actors = {("actor_counts", range_of(connection, owner)) for owner in (ALICE, DAVE)}
    assert marked(connection) == posts | actors | {("record_counts", range_of(connection, BOB))}


def test_a_merge_marks_the_ranges_of_what_came_and_of_what_went(connection: psycopg.Connection):
    load_shard(
        connection,
        FakeShard().repository(ALICE).like(ALICE, tid(1), (BOB, tid(2))).like(ALICE, tid(5), (DAVE, tid(2))).batches(),
    )
    clear(connection)
    newer = FakeShard().repository(ALICE, 2).like(ALICE, tid(3), (CAROL, tid(2))).like(ALICE, tid(5), (DAVE, tid(2)))
    load_shard(connection, newer.batches("second"))
    counted = ("post_counts", "record_counts")
    assert marked(connection) == {(name, range_of(connection, owner)) for owner in (BOB, CAROL) for name in counted}


@pytest.mark.parametrize("rev", [1, 2])
def test_what_changes_nothing_marks_nothing(connection: psycopg.Connection, rev: int):
    fake = random_shard(1, records=200)
    load_shard(connection, fake.batches())
    clear(connection)
    for row in fake.rows["repo"]:
        row["rev"] = tid(rev)
    load_shard(connection, fake.batches("second"))
    assert marked(connection) == set()


def test_a_recomputation_clears_the_marks_of_its_range_alone(connection: psycopg.Connection):
    load_shard(connection, random_shard(2).batches())
    before = marked(connection)
    assert len({key_range for _, key_range in before}) > 32
    recompute(connection, "post_counts", "07")
    assert before - marked(connection) == {("post_counts", "07")}
    for aggregate in AGGREGATES:
        for key_range in sorted({key_range for _, key_range in before}):
            recompute(connection, aggregate, key_range)
    assert marked(connection) == set()


def test_a_mark_that_is_not_committed_yet_outlives_the_recomputation_that_does_not_see_its_rows(
    connection: psycopg.Connection, postgres_url: str
):
    fake = FakeShard().repository(ALICE).like(ALICE, tid(1), (BOB, tid(2)))
    key_range = range_of(connection, BOB)

    def recompute_in_the_midst(table: str, rows: int) -> None:
        if table == "record":
            with psycopg.connect(postgres_url) as other:
                assert recompute(other, "post_counts", key_range).rows == 0

    load_shard(connection, fake.batches(), report=recompute_in_the_midst)
    assert marked(connection) == {("post_counts", key_range), ("record_counts", key_range)}
    assert recompute(connection, "post_counts", key_range).rows == 1
    assert marked(connection) == {("record_counts", key_range)}


def test_a_recomputation_that_fails_leaves_its_marks(connection: psycopg.Connection):
    load_shard(connection, random_shard(3, records=200).batches())
    before = marked(connection)
    with connection.transaction(force_rollback=True):
        recompute(connection, "post_counts", "07")
    assert marked(connection) == before
