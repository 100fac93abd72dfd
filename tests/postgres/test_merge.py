"""Merges of repositories of which an older rev is held: only what differs is written, whether indexes stand or not."""

from typing import Any

import psycopg
import pytest

from tests.fakes.batches import FETCHED_AT, FakeShard, cid, did, random_shard, tid
from tests.postgres.warehouse_contents import contents, count, rows
from zeppelin_pipeline.warehouse.indexes import build_indexes
from zeppelin_pipeline.warehouse.load import load_shard
from zeppelin_pipeline.warehouse.merge import Changes
from zeppelin_pipeline.warehouse.tables import TABLES

ALICE, BOB = did(1), did(2)


@pytest.fixture(params=["bare", "indexed"])
def warehouse_connection(request: pytest.FixtureRequest, connection: psycopg.Connection) -> psycopg.Connection:
    """A connection to a warehouse without its indexes, then to one with them."""
    if request.param == "indexed":
        connection.autocommit = True
        build_indexes(connection)
        connection.autocommit = False
    return connection


def versions(connection: psycopg.Connection) -> dict[str, dict[Any, str]]:
    """The version of every row (where it is, and which transaction wrote it), by table and by its text."""
    found = {}
    for table in sorted({table.table for table in TABLES.values()}):
        query = f'SELECT t::text, concat(ctid, xmin) FROM "{table}" AS t'
        found[table] = dict(connection.execute(query.encode()).fetchall())
    connection.commit()
    return found


def later(fake: FakeShard, *, hours: int = 1) -> FakeShard:
    """The same shard, every repository at its next rev and fetched later."""
    for row in fake.rows["repo"]:
        row["rev"] = tid(2)
        row["fetched_at"] = FETCHED_AT.replace(hour=hours)
    for row in fake.rows["record"]:
        row["indexed_at"] = FETCHED_AT.replace(hour=hours)
    return fake


def test_a_renewed_shard_without_changes_touches_no_row(warehouse_connection: psycopg.Connection):
    load_shard(warehouse_connection, random_shard(1).batches())
    before = versions(warehouse_connection)
    result = load_shard(warehouse_connection, later(random_shard(1)).batches("second"))
    assert result.changes == Changes(unchanged=result.entries)
    assert versions(warehouse_connection) == before
    assert warehouse_connection.execute("SELECT DISTINCT rev FROM repo").fetchall() == [((1 << 60) + 2,)]


def test_a_renewed_shard_writes_what_differs_and_no_more(warehouse_connection: psycopg.Connection):
    first = random_shard(1)
    load_shard(warehouse_connection, first.batches())
    before = versions(warehouse_connection)
    fake = later(random_shard(1))
    gone = fake.rows["like"].pop(5), fake.rows["follow"].pop(5), fake.rows["record"].pop()
    for row in gone:
        next(repo for repo in fake.rows["repo"] if repo["did"] == row["did"])["records"] -= 1
    fake.rows["post"][3]["raw"] = b"another text"
    fake.rows["repost"][3]["subject_rkey"] = tid(49)
    fake.rows["repost"][3]["subject_cid"] = cid("another")
    fake.rows["profile"][0]["raw"] = b"another profile"
    fake.like(did(3), tid(900_001), (BOB, tid(1))).record(did(3), "net.example.new", "key")
    result = load_shard(warehouse_connection, fake.batches("second"))
    assert result.changes == Changes(created=2, updated=3, deleted=3, unchanged=result.entries - 5)
    after = versions(warehouse_connection)
    for table, texts in before.items():
        kept = texts.keys() & after[table].keys()
        assert {text: texts[text] for text in kept} == {text: after[table][text] for text in kept}
    assert {table: len(texts) for table, texts in after.items()} == result.rows


def test_a_record_that_is_seen_again_keeps_the_time_at_which_it_was_seen_first(
    warehouse_connection: psycopg.Connection,
):
    def shard(rev: int, raw: bytes) -> FakeShard:
        at = FETCHED_AT.replace(hour=rev)
        fake = FakeShard().repository(ALICE, rev, hours=rev)
        fake.record(ALICE, "net.example.thing", "kept", indexed_at=at)
        return fake.record(ALICE, "net.example.thing", "changed", indexed_at=at, raw=raw)

    load_shard(warehouse_connection, shard(1, b"old").batches())
    load_shard(warehouse_connection, shard(2, b"new").batches("second"))
    hours = "SELECT extract(hour FROM indexed_at AT TIME ZONE 'UTC')::int, raw FROM record ORDER BY 1"
    assert warehouse_connection.execute(hours).fetchall() == [(1, b"record"), (2, b"new")]


def test_a_record_that_has_become_valid_moves_to_its_table(warehouse_connection: psycopg.Connection):
    invalid = FakeShard().repository(ALICE).record(ALICE, "app.bsky.feed.post", tid(1), reason="bad-text")
    load_shard(warehouse_connection, invalid.batches())
    valid = FakeShard().repository(ALICE, 2).post(ALICE, tid(1))
    result = load_shard(warehouse_connection, valid.batches("second"))
    assert result.changes == Changes(created=1, deleted=1)
    assert (count(warehouse_connection, "post"), count(warehouse_connection, "record")) == (1, 0)


def test_repositories_that_are_new_and_renewed_and_unchanged_come_in_one_shard(
    warehouse_connection: psycopg.Connection, postgres_url: str, request: pytest.FixtureRequest
):
    load_shard(warehouse_connection, random_shard(6).batches())
    changed = random_shard(7)
    for row in changed.rows["repo"][:20]:
        row["rev"] = tid(2)
    unchanged = {row["did"] for row in changed.rows["repo"][20:]}
    first = random_shard(6)
    for dataset in changed.rows:
        mine = [row for row in changed.rows[dataset] if row["did"] not in unchanged]
        changed.rows[dataset] = mine + [row for row in first.rows[dataset] if row["did"] in unchanged]
    changed.repository(did(800)).post(did(800), tid(1))
    result = load_shard(warehouse_connection, changed.batches("second"))
    assert result.changes.created > 1
    server = request.getfixturevalue("postgres_server")
    url = server.create_database("loaded_at_once", template=request.getfixturevalue("migrated_template"))
    try:
        with psycopg.connect(url) as other:
            load_shard(other, changed.batches("second"))
            assert {table: rows(other, table) for table in result.rows} == {
                table: rows(warehouse_connection, table) for table in result.rows
            }
    finally:
        server.drop_database("loaded_at_once")


def test_a_merge_that_fails_leaves_what_was_held(warehouse_connection: psycopg.Connection):
    load_shard(warehouse_connection, random_shard(1).batches())
    before = contents(warehouse_connection)

    def fail(table: str, rows: int) -> None:
        if table == "record":
            raise KeyboardInterrupt

    fake = later(random_shard(1))
    for row in fake.rows["like"][:50]:
        row["raw"] = b"changed"
    with pytest.raises(KeyboardInterrupt):
        load_shard(warehouse_connection, fake.batches("second"), report=fail)
    assert contents(warehouse_connection) == before


def test_what_a_merge_did_is_nothing_to_a_second_one(warehouse_connection: psycopg.Connection):
    load_shard(warehouse_connection, random_shard(1).batches())
    changed = later(random_shard(2))
    load_shard(warehouse_connection, changed.batches("second"))
    before = versions(warehouse_connection)
    for row in changed.rows["repo"]:
        row["rev"] = tid(3)
    result = load_shard(warehouse_connection, changed.batches("third"))
    assert result.changes == Changes(unchanged=result.entries)
    assert versions(warehouse_connection) == before


def test_rows_that_were_damaged_are_mended_when_a_load_compares_them_anew(warehouse_connection: psycopg.Connection):
    fake = random_shard(1)
    load_shard(warehouse_connection, fake.batches())
    whole = contents(warehouse_connection)
    warehouse_connection.execute('DELETE FROM "like" WHERE rkey % 3 = 0')
    warehouse_connection.execute("UPDATE post SET raw = 'damaged' WHERE rkey % 2 = 0")
    warehouse_connection.commit()
    assert load_shard(warehouse_connection, fake.batches()).is_skipped
    assert contents(warehouse_connection) != whole
    mended = load_shard(warehouse_connection, fake.batches(), anew=True)
    assert mended.changes.created > 0
    assert mended.changes.updated > 0
    assert contents(warehouse_connection) == whole


def test_what_another_version_of_extraction_makes_of_a_rev_replaces_what_the_last_one_made(
    warehouse_connection: psycopg.Connection,
):
    load_shard(warehouse_connection, FakeShard().repository(ALICE).like(ALICE, tid(1), (BOB, tid(2))).batches())
    other = FakeShard().repository(ALICE).like(ALICE, tid(1), (BOB, tid(3)))
    assert load_shard(warehouse_connection, other.batches("second")).changes == Changes()
    other.version = 2
    assert load_shard(warehouse_connection, other.batches("third")).changes == Changes(updated=1)
    assert load_shard(warehouse_connection, other.batches("fourth")).changes == Changes()


def test_another_commit_at_the_rev_that_is_held_changes_nothing(warehouse_connection: psycopg.Connection):
    load_shard(warehouse_connection, FakeShard().repository(ALICE).like(ALICE, tid(1), (BOB, tid(2))).batches())
    other = FakeShard().repository(ALICE, data_cid=cid("another")).like(ALICE, tid(1), (BOB, tid(3)))
    assert load_shard(warehouse_connection, other.batches("second"), anew=True).changes == Changes()
