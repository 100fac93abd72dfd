"""Indexes: all that are declared, built once, whole, and with a clear word when they cannot be."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.fakes.batches import FakeShard, did, random_shard, tid
from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse import indexes
from zeppelin_pipeline.warehouse.duplicates import NAMED_ROWS, DuplicateKeysError
from zeppelin_pipeline.warehouse.indexes import (
    BuildLimits,
    IndexProgress,
    build_indexes,
    declared_indexes,
    has_all_indexes,
)
from zeppelin_pipeline.warehouse.load import load_shard
from zeppelin_pipeline.warehouse.queries import load_queries


@pytest.fixture
def builder(postgres_url: str) -> Iterator[psycopg.Connection]:
    """A connection as indexes are built over: in autocommit."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], int]:
    """Puts a text in the place of `sql/indexes.sql`."""
    monkeypatch.setattr(indexes, "sql_folder", lambda: tmp_path)
    return (tmp_path / "indexes.sql").write_text


def standing(connection: psycopg.Connection) -> dict[str, bool]:
    return dict(connection.execute(load_queries()["standing_indexes"]).fetchall())


def test_every_declared_index_is_built_and_a_second_call_builds_none(builder: psycopg.Connection):
    load_shard(builder, random_shard(1).batches())
    told: list[str] = []
    assert not has_all_indexes(builder)
    built = build_indexes(builder, report=lambda index: told.append(index.name))
    assert has_all_indexes(builder)
    names = [index.name for index in declared_indexes()]
    assert [index.name for index in built] == names
    assert sorted(told) == sorted(names)
    assert all(index.seconds is not None and index.bytes > 0 for index in built)
    assert {name: standing(builder)[name] for name in names} == dict.fromkeys(names, True)
    again = build_indexes(builder)
    assert [(index.name, index.bytes, index.seconds) for index in again] == [(i.name, i.bytes, None) for i in built]


def test_the_indexes_are_the_ones_that_the_file_declares(builder: psycopg.Connection):
    build_indexes(builder)
    found = {
        name: (table, is_unique)
        for name, table, is_unique in builder.execute(
            "SELECT indexrelid::regclass::text, trim('\"' FROM indrelid::regclass::text), indisunique FROM pg_index"
        )
    }
    assert {index.name: found[index.name] for index in declared_indexes()} == {
        index.name: (index.table, index.is_unique) for index in declared_indexes()
    }
    assert {index.table for index in declared_indexes() if index.is_unique} == {
        *("like", "repost", "follow", "block", "post", "profile", "record"),
        *("list", "list_item", "list_block", "starter_pack", "verification", "generator", "labeler"),
        *("threadgate", "postgate"),
    }


def test_tables_are_analyzed_when_their_indexes_are_built(builder: psycopg.Connection):
    load_shard(builder, random_shard(1).batches())
    build_indexes(builder)
    query = 'SELECT reltuples::int, (SELECT count(*) FROM "like") FROM pg_class WHERE oid = \'"like"\'::regclass'
    [(estimate, actual)] = builder.execute(query.encode()).fetchall()
    assert estimate == actual > 0


def test_an_index_that_was_left_invalid_is_built_anew(builder: psycopg.Connection):
    builder.execute(
        "INSERT INTO \"like\" (actor_id, rkey, created_at, content) VALUES (1, 2, now(), ''), (1, 2, now(), '')"
    )
    with pytest.raises(psycopg.errors.UniqueViolation):
        builder.execute('CREATE UNIQUE INDEX CONCURRENTLY like_key ON "like" (actor_id, rkey)')
    assert standing(builder)["like_key"] is False
    builder.execute('DELETE FROM "like" WHERE ctid IN (SELECT max(ctid) FROM "like")')
    built = {index.name: index for index in build_indexes(builder)}
    assert built["like_key"].seconds is not None
    assert standing(builder)["like_key"] is True


def test_records_that_are_there_twice_are_named_and_all_other_indexes_are_built(builder: psycopg.Connection):
    alice, bob = did(1), did(2)
    fake = FakeShard().repository(alice).follow(alice, tid(1), bob).follow(alice, "self", bob).profile(alice)
    fake.record(alice, "net.example.thing", "some-key").record(alice, "app.bsky.actor.status", tid(7))
    load_shard(builder, fake.batches())
    for table, times in (("follow", 1), ("record", 2), ("profile", 1)):
        for _ in range(times):
            builder.execute(sql.SQL("INSERT INTO {table} TABLE {table}").format(table=sql.Identifier(table)))
    with pytest.raises(DuplicateKeysError) as caught:
        build_indexes(builder)
    found = {one.index: one for one in caught.value.duplicates}
    assert {name: (one.table, one.keys, one.rows) for name, one in found.items()} == {
        "follow_key": ("follow", 2, 4),
        "record_key_of_record": ("record", 2, 8),
        "profile_key": ("profile", 1, 2),
    }
    named = {one.key: one.rows for each in found.values() for one in each.named}
    assert named == {
        f"{alice}/app.bsky.graph.follow/{tid(1)}": 2,
        f"{alice}/app.bsky.graph.follow/self": 2,
        f"{alice}/net.example.thing/some-key": 4,
        f"{alice}/app.bsky.actor.status/{tid(7)}": 4,
        f"{alice}/app.bsky.actor.profile": 2,
    }
    assert f"follow holds 2 keys of follow_key more than once, in 4 rows: {alice}/" in str(caught.value)
    missing = {index.name for index in declared_indexes()} - standing(builder).keys()
    assert missing == set(found)
    builder.execute("DELETE FROM follow WHERE ctid NOT IN (SELECT min(ctid) FROM follow GROUP BY actor_id, rkey)")
    with pytest.raises(DuplicateKeysError):
        build_indexes(builder)
    assert standing(builder)["follow_key"] is True


def test_of_many_keys_that_are_there_twice_the_first_are_named_and_the_others_counted(builder: psycopg.Connection):
    builder.execute(
        "INSERT INTO follow (actor_id, rkey, subject_actor, created_at)"
        " SELECT 7, number / 2, 1, now() FROM generate_series(0, 99) AS number"
    )
    with pytest.raises(DuplicateKeysError, match=r"holds 50 keys .* in 100 rows: 7/.*, and 30 more") as caught:
        build_indexes(builder)
    [duplicates] = caught.value.duplicates
    assert len(duplicates.named) == NAMED_ROWS


def test_whoever_waits_is_told_how_far_an_index_is(builder: psycopg.Connection, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(indexes, "WATCH_SECONDS", 0.001)
    builder.execute(
        'INSERT INTO "like" (actor_id, rkey, created_at, content)'
        " SELECT hashint8(n), n, now(), '' FROM generate_series(1, 150000) n"
    )
    told: list[IndexProgress] = []
    build_indexes(builder, limits=BuildLimits(connections=1, parallel_workers=0), watch=told.append)
    assert {progress.name for progress in told} & {"like_key", "like_subject"}
    assert all(0 <= progress.done <= 1 and progress.phase for progress in told)


def test_the_limits_are_of_the_sessions_that_build(builder: psycopg.Connection):
    limits = BuildLimits(connections=1, memory_bytes=64 << 20, parallel_workers=3)
    with indexes._Builders(builder, limits) as builders:
        query = "SELECT current_setting('maintenance_work_mem'), current_setting('max_parallel_maintenance_workers')"
        [found] = builders.run(lambda query: builders._own.connection.execute(query).fetchone(), [query], None)
    assert found == ("64MB", "3")
    assert builder.execute(query).fetchone() != found


def test_pages_of_indexed_tables_are_known_as_visible_so_that_an_index_alone_answers(builder: psycopg.Connection):
    load_shard(builder, random_shard(1).batches())
    build_indexes(builder)
    query = "SELECT relname, relpages, relallvisible FROM pg_class WHERE relname = ANY(%s)"
    found = builder.execute(query, [["like", "follow", "post"]]).fetchall()
    assert all(pages == visible > 0 for _, pages, visible in found)


def test_two_builders_at_once_build_each_index_once(postgres_url: str):
    def run(_: int) -> list[str]:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            return [index.name for index in build_indexes(connection) if index.seconds is not None]

    with ThreadPoolExecutor(2) as pool:
        built = [name for names in pool.map(run, range(2), timeout=50) for name in names]
    assert sorted(built) == sorted(index.name for index in declared_indexes())


def test_shards_are_loaded_into_indexed_tables_as_well(builder: psycopg.Connection):
    load_shard(builder, random_shard(1).batches())
    build_indexes(builder)
    newer = random_shard(2)
    for row in newer.rows["repo"]:
        row["rev"] = "3zzzzzzzzzzzz"
    result = load_shard(builder, newer.batches("second"))
    assert result.copied + result.changes.unchanged == result.entries


@pytest.mark.parametrize(
    "statement",
    [
        "DROP INDEX like_key;",
        "CREATE INDEX other ON actor (did);",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS other ON actor (did);",
        "CREATE INDEX IF NOT EXISTS other ON actor (did)",
        "CREATE TABLE other (id int);",
        "nonsense",
    ],
)
def test_a_file_with_another_statement_is_refused(declare: Callable[[str], int], statement: str):
    declare(f"-- A comment.\nCREATE INDEX IF NOT EXISTS one ON actor (did);\n{statement}\n")
    with pytest.raises(CorruptStateError, match=r"indexes\.sql: not an index: "):
        declared_indexes()


def test_comments_and_line_breaks_are_no_part_of_a_statement(declare: Callable[[str], int]):
    declare(
        '-- Not; this.\nCREATE UNIQUE INDEX IF NOT EXISTS one\n    ON "like" (rkey) -- nor this;\n    WHERE rkey > 0;\n'
    )
    [index] = declared_indexes()
    assert (index.name, index.table, index.is_unique) == ("one", "like", True)
    assert "nor this" not in index.statement
