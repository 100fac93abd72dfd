"""Derived counts: what a count of the rows by hand gives, range by range."""

import random
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.postgres.waiting import PATIENCE_SECONDS, wait_until_waiting
from zeppelin_pipeline.aggregates.counts import AGGREGATES, RangeResult, recompute, recompute_ranges
from zeppelin_pipeline.warehouse.key_ranges import range_bounds, range_names

NOW = datetime(2026, 11, 1, tzinfo=UTC)
POST, LIST, STARTER_PACK = 1, 10, 13
#: Accounts at both ends of a range and of all keys.
ACTORS = [-(2**63), -(2**63) + 1, -1, 0, 1, 2**63 - 1, *range_bounds("07"), *range_bounds("30")]


def insert(connection: psycopg.Connection, table: str, rows: list[dict[str, Any]]) -> None:
    names = list(rows[0])
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join(map(sql.Placeholder, names)),
    )
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)


def base_rows(dice: random.Random) -> dict[str, list[dict[str, Any]]]:
    """Rows of the tables that are counted; few accounts and posts, so that many count twice or name one thing."""
    actors = [*ACTORS, *(dice.randrange(-(2**63), 2**63) for _ in range(10))]

    def owned(number: int, **columns: Any) -> dict[str, Any]:
        return {"actor_id": dice.choice(actors), "rkey": number, "created_at": NOW, **columns}

    def engagement(number: int) -> dict[str, Any]:
        subject = {"subject_actor": dice.choice([*actors, None]), "subject_rkey": dice.randrange(4)}
        collection = dice.choice([POST, POST, POST, LIST, None])
        return owned(number, **subject, subject_collection=collection, content=bytes(32))

    def post(number: int) -> dict[str, Any]:
        parent, quote = dice.choice([*actors, None]), dice.choice([*actors, None])
        return owned(
            number,
            reply_parent_actor=parent,
            reply_parent_rkey=None if parent is None else dice.randrange(4),
            quote_actor=quote,
            quote_rkey=None if quote is None else dice.randrange(4),
            quote_collection=dice.choice([POST, LIST]),
            embed=0,
            raw=b"",
        )

    return {
        "like": [engagement(number) for number in range(1500)],
        "repost": [engagement(number) for number in range(400)],
        "post": [post(number) for number in range(300)],
        "follow": [owned(number, subject_actor=dice.choice(actors)) for number in range(500)],
    }


def post_counts(rows: dict[str, list[dict[str, Any]]]) -> dict[tuple[int, int], tuple[int, ...]]:
    """(likes, reposts, replies, quotes) of each post; an account counts once however often it likes one."""
    likers, reposters = (defaultdict[tuple[int, int], set[int]](set) for _ in range(2))
    for table, found in (("like", likers), ("repost", reposters)):
        for row in rows[table]:
            if row["subject_actor"] is not None and row["subject_collection"] == POST:
                found[row["subject_actor"], row["subject_rkey"]].add(row["actor_id"])
    replies, quotes = (defaultdict[tuple[int, int], int](int) for _ in range(2))
    for row in rows["post"]:
        if row["reply_parent_actor"] is not None:
            replies[row["reply_parent_actor"], row["reply_parent_rkey"]] += 1
        if row["quote_actor"] is not None and row["quote_collection"] == POST:
            quotes[row["quote_actor"], row["quote_rkey"]] += 1
    keys = {*likers, *reposters, *replies, *quotes}
    return {key: (len(likers[key]), len(reposters[key]), replies[key], quotes[key]) for key in keys}


def actor_counts(rows: dict[str, list[dict[str, Any]]]) -> dict[int, tuple[int, ...]]:
    """(followers, follows, posts) of each account; two follows of one account by one count once."""
    pairs = {(row["actor_id"], row["subject_actor"]) for row in rows["follow"]}
    actors = {actor for pair in pairs for actor in pair} | {row["actor_id"] for row in rows["post"]}
    return {
        actor: (
            sum(subject == actor for _, subject in pairs),
            sum(follower == actor for follower, _ in pairs),
            sum(row["actor_id"] == actor for row in rows["post"]),
        )
        for actor in actors
    }


def stored(connection: psycopg.Connection) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Both tables of counts; a row of zeros is as good as none."""
    posts = connection.execute("SELECT actor_id, rkey, likes, reposts, replies, quotes FROM post_counts")
    actors = connection.execute("SELECT actor_id, followers, follows, posts FROM actor_counts")
    found = {row[:2]: row[2:] for row in posts if any(row[2:])}, {row[0]: row[1:] for row in actors if any(row[1:])}
    connection.commit()
    return found


def recompute_all(connection: psycopg.Connection) -> None:
    for aggregate in AGGREGATES:
        list(recompute_ranges(connection, aggregate, range_names()))


@pytest.fixture
def rows(connection: psycopg.Connection) -> dict[str, list[dict[str, Any]]]:
    """Base rows, and they are in the tables."""
    made = base_rows(random.Random(7))
    for table, of_table in made.items():
        insert(connection, table, of_table)
    connection.commit()
    return made


def test_counts_are_those_of_a_count_by_hand(connection: psycopg.Connection, rows: dict[str, list[dict[str, Any]]]):
    recompute_all(connection)
    assert stored(connection) == (post_counts(rows), actor_counts(rows))


def test_recomputing_gives_the_same_and_follows_the_base_tables(
    connection: psycopg.Connection, rows: dict[str, list[dict[str, Any]]]
):
    recompute_all(connection)
    before = stored(connection)
    recompute_all(connection)
    assert stored(connection) == before
    connection.execute('DELETE FROM "like" WHERE rkey % 2 = 0')
    connection.execute("DELETE FROM follow WHERE rkey > 10")
    connection.commit()
    rows["like"] = [row for row in rows["like"] if row["rkey"] % 2]
    rows["follow"] = [row for row in rows["follow"] if row["rkey"] <= 10]
    recompute_all(connection)
    assert stored(connection) == (post_counts(rows), actor_counts(rows))
    assert stored(connection) != before


def test_a_range_is_recomputed_without_the_others(
    connection: psycopg.Connection, rows: dict[str, list[dict[str, Any]]]
):
    low, high = range_bounds("07")
    result = recompute(connection, "post_counts", "07")
    expected = {key: counts for key, counts in post_counts(rows).items() if low <= key[0] <= high}
    assert stored(connection) == (expected, {})
    assert result.rows == len(expected) > 0
    likes_and_reposts = [
        row["subject_actor"] for table in ("like", "repost") for row in rows[table] if row["subject_collection"] == POST
    ]
    replies = [row["reply_parent_actor"] for row in rows["post"]]
    quotes = [row["quote_actor"] for row in rows["post"] if row["quote_collection"] == POST]
    counted = [actor for actor in likes_and_reposts + replies + quotes if actor is not None and low <= actor <= high]
    assert result.base_rows == len(counted)


def test_when_a_range_was_computed_is_kept(connection: psycopg.Connection, rows: dict[str, list[dict[str, Any]]]):
    query = "SELECT aggregate, key_range, rows, base_rows, computed_at FROM aggregate_range"
    first = recompute(connection, "actor_counts", "07")
    [row] = connection.execute(query).fetchall()
    assert row[:4] == ("actor_counts", "07", first.rows, first.base_rows)
    connection.commit()
    recompute(connection, "actor_counts", "07")
    [again] = connection.execute(query).fetchall()
    assert again[:4] == row[:4]
    assert again[4] > row[4]


def test_an_empty_warehouse_has_no_counts(connection: psycopg.Connection):
    result = recompute(connection, "post_counts", "00")
    assert (result.rows, result.base_rows) == (0, 0)
    assert stored(connection) == ({}, {})


def test_readers_see_the_old_counts_until_the_new_ones_are_whole(
    connection: psycopg.Connection, rows: dict[str, list[dict[str, Any]]], postgres_url: str
):
    recompute_all(connection)
    before = stored(connection)
    with psycopg.connect(postgres_url) as writer, writer.transaction(force_rollback=True):
        writer.execute("DELETE FROM post")
        recompute(writer, "post_counts", "07")
        assert stored(connection) == before
    assert stored(connection) == before


def test_a_recomputation_says_what_was_off_and_leaves_the_rest(
    connection: psycopg.Connection, rows: dict[str, list[dict[str, Any]]]
):
    """The version of a row that was not written is the same as before."""
    first = [recompute(connection, "post_counts", key_range) for key_range in range_names()]
    assert sum(result.drifted for result in first) == sum(result.rows for result in first) == len(post_counts(rows))
    connection.execute("UPDATE post_counts SET likes = likes + 3 WHERE actor_id = -1 AND rkey = 1")
    before = connection.execute("SELECT ctid FROM post_counts WHERE NOT (actor_id = -1 AND rkey = 1)").fetchall()
    connection.commit()
    again = [recompute(connection, "post_counts", key_range) for key_range in range_names()]
    assert sum(result.drifted for result in again) == 1
    assert stored(connection)[0] == post_counts(rows)
    after = connection.execute("SELECT ctid FROM post_counts WHERE NOT (actor_id = -1 AND rkey = 1)").fetchall()
    assert after == before


def test_what_live_writers_add_while_a_range_is_recomputed_is_neither_lost_nor_counted_twice(
    connection: psycopg.Connection, rows: dict[str, list[dict[str, Any]]], postgres_url: str
):
    """The recomputation has read when the live like comes, and writes after it: both touch the count of one post."""
    like = {"actor_id": 77, "rkey": 1, "created_at": NOW, "subject_actor": 1, "subject_rkey": 2, "content": bytes(32)}
    with psycopg.connect(postgres_url) as live, psycopg.connect(postgres_url) as recomputer:
        live.execute("INSERT INTO post_counts VALUES (1, 2, 0, 0, 0, 0)")
        live.commit()
        live.execute("UPDATE post_counts SET likes = likes + 1 WHERE actor_id = 1 AND rkey = 2")
        insert(live, "like", [like | {"subject_collection": POST}])
        with ThreadPoolExecutor(1) as pool:
            recomputed = pool.submit(recompute, recomputer, "post_counts", range_names()[32])
            wait_until_waiting(connection)
            live.commit()
            recomputed.result(PATIENCE_SECONDS)
    rows["like"].append(like | {"subject_collection": POST})
    low, high = range_bounds(range_names()[32])
    expected = {key: counts for key, counts in post_counts(rows).items() if low <= key[0] <= high}
    assert stored(connection)[0] == expected
    assert recompute(connection, "post_counts", range_names()[32]).drifted == 0


def test_only_what_was_computed_and_not_marked_since_counts_as_drift(
    connection: psycopg.Connection, rows: dict[str, list[dict[str, Any]]]
):
    first = recompute(connection, "post_counts", "07")
    assert first.drifted > 0
    assert not first.is_drift
    connection.execute("UPDATE post_counts SET likes = likes + 1")
    connection.commit()
    assert recompute(connection, "post_counts", "07").is_drift
    connection.execute("UPDATE post_counts SET likes = likes + 1")
    connection.execute("INSERT INTO dirty_range (aggregate, key_range) VALUES ('post_counts', '07')")
    connection.commit()
    assert not recompute(connection, "post_counts", "07").is_drift
    assert not recompute(connection, "post_counts", "07").is_drift


def test_likes_of_other_records_members_of_lists_and_who_joined_by_packs_are_counted_apart(
    connection: psycopg.Connection,
):
    feed, members, pack = (5, 7, 1), (5, LIST, 2), (5, STARTER_PACK, 3)
    liked = {"subject_actor": 5, "subject_rkey": 1, "subject_collection": 7, "content": bytes(32)}
    likes = [{"actor_id": actor, "rkey": 1, "created_at": NOW, **liked} for actor in (1, 2, 3)]
    insert(connection, "like", [*likes, {**likes[0], "rkey": 2}])
    item = {"actor_id": 5, "created_at": NOW, "list_rkey": 2}
    insert(connection, "list_item", [{**item, "rkey": 10 + n, "subject_actor": n // 2} for n in range(4)])
    joined = {"rkey": -1, "raw": b"", "pack_rkey": 3}
    insert(connection, "profile", [{**joined, "actor_id": n, "pack_actor": 5 if n else None} for n in range(4)])
    connection.commit()
    recompute_all(connection)
    found = connection.execute("SELECT actor_id, collection, rkey, likes, items FROM record_counts").fetchall()
    assert {row[:3]: row[3:] for row in found} == {feed: (3, 0), members: (0, 2), pack: (0, 3)}
    assert stored(connection) == ({}, {})


def test_a_reply_that_breaks_its_threadgate_is_not_counted(connection: psycopg.Connection):
    post = {"created_at": NOW, "embed": 0, "raw": b""}
    root = {"reply_root_actor": 5, "reply_root_rkey": 1, "reply_parent_actor": 5, "reply_parent_rkey": 1}
    insert(connection, "post", [{"actor_id": 5, "rkey": 1, **post}])
    insert(connection, "post", [{"actor_id": actor, "rkey": 2, **post, **root} for actor in (5, 6, 7)])
    insert(connection, "threadgate", [{"actor_id": 5, "rkey": 1, "created_at": NOW, "allow": 0, "raw": b""}])
    connection.commit()
    recompute_all(connection)
    assert stored(connection)[0] == {(5, 1): (0, 0, 1, 0)}
    connection.execute("DELETE FROM threadgate")
    connection.commit()
    recompute_all(connection)
    assert stored(connection)[0] == {(5, 1): (0, 0, 3, 0)}


def write_gated_threads(connection: psycopg.Connection) -> None:
    """Of every account a thread that nobody may answer in, and of every other account an answer."""
    post = {"created_at": NOW, "embed": 0, "raw": b""}
    insert(
        connection,
        "threadgate",
        [{"actor_id": who, "rkey": 1, "created_at": NOW, "allow": 0, "raw": b""} for who in ACTORS],
    )
    replies = [
        {"actor_id": who, "rkey": 2000 + n, **post, "reply_root_actor": root, "reply_root_rkey": 1}
        | {"reply_parent_actor": root, "reply_parent_rkey": 1}
        for who in ACTORS
        for n, root in enumerate(ACTORS)
    ]
    insert(connection, "post", replies)
    connection.commit()


def told(results: list[RangeResult]) -> list[RangeResult]:
    return [replace(result, seconds=0.0) for result in results]


def transactions(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(DISTINCT computed_at) FROM aggregate_range").fetchone()
    connection.commit()
    return row[0] if row else 0


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_ranges_that_share_a_transaction_are_told_of_as_if_each_was_alone(
    connection: psycopg.Connection,
    rows: dict[str, list[dict[str, Any]]],
    aggregate: str,
    monkeypatch: pytest.MonkeyPatch,
):
    write_gated_threads(connection)
    names = [name for name in range_names() if name != "08"]
    together = told(list(recompute_ranges(connection, aggregate, names)))
    assert transactions(connection) == 2  # what is not asked for parts them
    assert [result.key_range for result in together] == names
    for table in (aggregate.replace("violations", "violation"), "aggregate_range"):
        connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
    connection.commit()
    monkeypatch.setattr("zeppelin_pipeline.aggregates.counts.BYTES_AT_ONCE", 512)
    assert told(list(recompute_ranges(connection, aggregate, names))) == together
    assert transactions(connection) > 32
    assert sum(result.base_rows for result in together) > 0 or aggregate == "record_counts"


def test_of_ranges_in_one_transaction_only_the_marked_ones_may_be_off(
    connection: psycopg.Connection, rows: dict[str, list[dict[str, Any]]]
):
    list(recompute_ranges(connection, "post_counts", range_names()))
    connection.execute("UPDATE post_counts SET likes = likes + 1")
    connection.execute("INSERT INTO dirty_range (aggregate, key_range) VALUES ('post_counts', '07')")
    connection.commit()
    results = {result.key_range: result for result in recompute_ranges(connection, "post_counts", range_names())}
    assert results["07"].drifted > 0
    assert not results["07"].is_drift
    assert all(result.is_drift for name, result in results.items() if result.drifted and name != "07")
    assert connection.execute("SELECT count(*) FROM dirty_range").fetchone() == (0,)
