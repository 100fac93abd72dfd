"""Indexes: all that are declared, built once, whole, and with a clear word when they cannot be."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.fakes.batches import random_shard
from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse import indexes
from zeppelin_pipeline.warehouse.indexes import build_indexes, declared_indexes, has_all_indexes
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
    assert [index.name for index in built] == told == names
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
    builder.execute('INSERT INTO "like" (actor_id, rkey, created_at) VALUES (1, 2, now()), (1, 2, now())')
    with pytest.raises(psycopg.errors.UniqueViolation):
        builder.execute('CREATE UNIQUE INDEX CONCURRENTLY like_key ON "like" (actor_id, rkey)')
    assert standing(builder)["like_key"] is False
    builder.execute('DELETE FROM "like" WHERE ctid IN (SELECT max(ctid) FROM "like")')
    built = {index.name: index for index in build_indexes(builder)}
    assert built["like_key"].seconds is not None
    assert standing(builder)["like_key"] is True


def test_a_record_that_is_there_twice_is_named(builder: psycopg.Connection):
    builder.execute(
        "INSERT INTO follow (actor_id, rkey, subject_actor, created_at) VALUES (7, 8, 1, now()), (7, 8, 2, now())"
    )
    with pytest.raises(CorruptStateError, match=r"follow holds a key twice, follow_key: .*\(actor_id, rkey\)=\(7, 8\)"):
        build_indexes(builder)
    assert standing(builder)["like_key"] is True
    assert "follow_key" not in standing(builder)
    builder.execute("DELETE FROM follow WHERE subject_actor = 2")
    built = {index.name: index.seconds for index in build_indexes(builder)}
    assert built["like_key"] is None
    assert built["follow_key"] is not None


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
    assert result.copied == result.entries


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
