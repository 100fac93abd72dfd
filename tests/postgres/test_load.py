"""Loads of one shard: every row in its table, the ledger, and what a second load changes."""

from typing import Any

import psycopg
import pytest

from tests.fakes.batches import FETCHED_AT, NOTHING, POST, FakeShard, cid, did, random_shard, tid
from tests.fakes.contents import made_content
from tests.postgres.warehouse_contents import TABLES, contents, count, rows
from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.cid import cid_to_text
from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.repos.audit import read_records
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.load import load_shard

ALICE, BOB, CAROL = did(1), did(2), did(3)


@pytest.fixture
def keys(connection: psycopg.Connection) -> KeySpace:
    """The key space of the test's warehouse."""
    space = read_key_space(connection)
    connection.commit()
    return space


def one(connection: psycopg.Connection, query: str, *parameters: Any) -> tuple[Any, ...]:
    """The one row that a query gives."""
    [row] = connection.execute(query.encode(), parameters or None).fetchall()
    return row


def repo(connection: psycopg.Connection, keys: KeySpace, owner: str) -> tuple[Any, ...]:
    """What is held of an account: rev, state, status, reason, hours of its observation, records."""
    query = """SELECT rev, state, status, reason, (extract(epoch FROM fetched_at - %s) / 3600)::int, records
               FROM repo WHERE actor_id = %s"""
    rev, *others = one(connection, query, FETCHED_AT, keys.actor_id(owner))
    return (None if rev is None else rev - (1 << 60), *others)


def every_kind() -> FakeShard:
    """One record of every dataset, with every column filled."""
    fake = FakeShard().repository(ALICE, 5).profile(ALICE)
    fake.like(ALICE, tid(1), (BOB, tid(2)), via_did=CAROL, via_rkey=tid(3), via_cid=cid("via"))
    fake.repost(ALICE, tid(4), (BOB, "odd"), raw=b"raw", indexed_at=FETCHED_AT)
    fake.follow(ALICE, tid(5), BOB).block(ALICE, tid(6), CAROL)
    reply = {"reply_parent_did": BOB, "reply_parent_rkey": tid(2), "reply_parent_collection": "app.bsky.feed.post"}
    fake.post(ALICE, tid(7), **reply, embed=5)
    return fake.record(ALICE, "net.example.thing", "name").record(
        ALICE, "app.bsky.feed.like", tid(8), reason="bad-subject"
    )


def test_a_record_of_every_kind_is_a_row_of_its_table(connection: psycopg.Connection, keys: KeySpace):
    load_shard(connection, every_kind().batches())
    alice, bob, carol = map(keys.actor_id, (ALICE, BOB, CAROL))
    query = 'SELECT * FROM "like"'
    via = (carol, keys.rkey_id(tid(3)), cid("via")[4:])
    like = (alice, keys.rkey_id(tid(1)), bob, keys.rkey_id(tid(2)), FETCHED_AT, None, 1)
    assert one(connection, query) == (*like, made_content(cid(BOB + tid(2))[4:], via))
    assert one(connection, 'SELECT via_actor(content), via_rkey(content) FROM "like"') == via[:2]
    repost = (alice, keys.rkey_id(tid(4)), bob, keys.rkey_id("odd"), FETCHED_AT, FETCHED_AT, 1)
    assert one(connection, "SELECT * FROM repost") == (*repost, made_content(cid(BOB + "odd")[4:], raw=b"raw"))
    assert one(connection, "SELECT via_actor(content), via_rkey(content) FROM repost") == (None, None)
    assert one(connection, "SELECT * FROM follow") == (alice, keys.rkey_id(tid(5)), bob, FETCHED_AT, None, None)
    assert one(connection, "SELECT * FROM block") == (alice, keys.rkey_id(tid(6)), carol, FETCHED_AT, None, None)
    parent = (None, None, bob, keys.rkey_id(tid(2)))
    content = f"post {tid(7)}".encode()
    post = (alice, keys.rkey_id(tid(7)), FETCHED_AT, None, *parent, None, None, None, 5, content, None)
    assert one(connection, "SELECT * FROM post") == post
    profile = (alice, keys.rkey_id("self"), FETCHED_AT, None, b"profile", None, None)
    assert one(connection, "SELECT * FROM profile") == profile
    records = connection.execute("SELECT * FROM record ORDER BY collection").fetchall()
    assert records == [
        (alice, keys.collection_id("net.example.thing"), keys.rkey_id("name"), FETCHED_AT, None, b"record"),
        (alice, 2, keys.rkey_id(tid(8)), FETCHED_AT, "bad-subject", b"record"),
    ]


def test_a_reply_takes_fewer_bytes_than_it_has_and_is_read_whole(connection: psycopg.Connection, keys: KeySpace):
    parent = {"cid": cid_to_text(cid("parent")), "uri": f"at://did:plc:{'a2' * 12}/{POST}/{tid(2)}"}
    block = dag_cbor.encode({"$type": POST, "text": "yes", "reply": {"root": parent, "parent": parent}})
    load_shard(connection, FakeShard().repository(ALICE).post(ALICE, tid(1), raw=block).batches())
    (stored,) = one(connection, "SELECT octet_length(raw) FROM post")
    assert stored < len(block) - 200
    [record] = read_records(connection, [keys.actor_id(ALICE)])
    assert (record.rkey, record.block) == (tid(1), block)


def test_every_text_that_a_row_has_a_key_of_is_in_its_dictionary(connection: psycopg.Connection, keys: KeySpace):
    load_shard(connection, every_kind().batches())
    actors = connection.execute("SELECT did, id FROM actor").fetchall()
    assert sorted(actors) == [(text, keys.actor_id(text)) for text in (ALICE, BOB, CAROL)]
    texts = connection.execute("SELECT text, id FROM record_key").fetchall()
    assert sorted(texts) == [(text, keys.rkey_id(text)) for text in ("name", "odd", "self")]
    unknown = one(connection, "SELECT nsid, id FROM collection WHERE id < 0")
    assert unknown == ("net.example.thing", keys.collection_id("net.example.thing"))


def test_a_repository_and_its_identity_are_held(connection: psycopg.Connection, keys: KeySpace):
    load_shard(connection, every_kind().batches())
    alice = keys.actor_id(ALICE)
    held = (alice, keys.rkey_id(tid(5)), 8, FETCHED_AT, "host.test", "host.test~00000", "synchronized", "active", None)
    proof = cid(f"{ALICE} 5")[4:], f"commit {ALICE} 5".encode()
    assert one(connection, "SELECT * FROM repo") == (*held, *proof, None, None), (
        "no event told of it, no fetch is charged"
    )
    identity = (alice, FETCHED_AT, f"{ALICE[8:]}.test", "https://host.test", "zKey")
    assert one(connection, "SELECT actor_id, resolved_at, handle, pds, signing_key FROM identity") == identity


def test_the_ledger_adds_up(connection: psycopg.Connection):
    fake = random_shard(1).invalid(did(900), "signature-invalid", 17).invalid(did(901), "mst-order", 0)
    fake.record(did(1), "app.bsky.feed.post", "bad", reason="bad-text").absent(did(902), "takendown")
    result = load_shard(connection, fake.batches())
    assert result.rejected == {"signature-invalid": 17, "bad-text": 1}
    assert (result.quarantined, result.is_skipped) == (17, False)
    assert result.entries == sum(result.rows.values()) + 17 == result.copied + 17
    assert {table: count(connection, table) for table in result.rows} == result.rows
    query = "SELECT shard, fingerprint, rows, rejected, entries, quarantined FROM load"
    ledger = ("host.test~00000", "first", result.rows, result.rejected, result.entries, 17)
    assert one(connection, query) == ledger


def test_progress_is_told_table_by_table(connection: psycopg.Connection):
    told: list[tuple[str, int]] = []
    result = load_shard(connection, random_shard(2).batches(), report=lambda table, rows: told.append((table, rows)))
    assert dict(told) == result.rows
    assert len(told) == len(result.rows)


def test_the_same_fingerprint_is_not_loaded_again(connection: psycopg.Connection):
    first = load_shard(connection, random_shard(3).batches())
    before = contents(connection)
    again = load_shard(connection, random_shard(3).batches())
    assert (again.is_skipped, again.copied) == (True, 0)
    assert (again.rows, again.rejected, again.entries) == (first.rows, first.rejected, first.entries)
    assert contents(connection) == before


def test_one_connection_loads_many_shards(connection: psycopg.Connection):
    """More than psycopg needs before it prepares a statement, whose temporary tables are others each time."""
    for number in range(8):
        owners = range(number * 10, number * 10 + 10)
        load_shard(connection, random_shard(number, f"host.test~{number:05d}", owners=owners, records=100).batches())
    assert count(connection, "load") == 8
    assert count(connection, "repo") == 80


def test_a_connection_in_autocommit_loads_a_shard_as_well(postgres_url: str, connection: psycopg.Connection):
    with psycopg.connect(postgres_url, autocommit=True) as autocommit:
        result = load_shard(autocommit, random_shard(4).batches())
    assert count(connection, "like") == result.rows["like"] > 0


def test_a_shard_without_anything_is_loaded(connection: psycopg.Connection):
    result = load_shard(connection, FakeShard().batches())
    assert (result.entries, result.copied, set(result.rows.values())) == (0, 0, {0})
    assert count(connection, "load") == 1


def test_a_grown_shard_adds_its_new_repositories_and_leaves_the_others(connection: psycopg.Connection):
    fake = random_shard(5)
    load_shard(connection, fake.batches())
    places = connection.execute('SELECT ctid, xmin FROM "like" ORDER BY ctid').fetchall()
    fake.repository(did(500)).like(did(500), tid(1), (BOB, tid(2))).profile(did(500))
    grown = load_shard(connection, fake.batches("second"))
    assert (grown.is_skipped, grown.copied) == (False, 2)
    assert grown.entries == sum(grown.rows.values()) == 2042
    assert connection.execute('SELECT ctid, xmin FROM "like" ORDER BY ctid').fetchall()[: len(places)] == places
    assert one(connection, "SELECT fingerprint, entries FROM load") == ("second", 2042)


def test_a_shard_that_grew_and_changed_has_the_contents_of_one_loaded_at_once(
    connection: psycopg.Connection, postgres_url: str, request: pytest.FixtureRequest
):
    server = request.getfixturevalue("postgres_server")
    load_shard(connection, random_shard(6).batches())
    changed = random_shard(7)
    for row in changed.rows["repo"][:20]:
        row["rev"] = tid(2)
    unchanged = {row["did"] for row in changed.rows["repo"][20:]}
    first = random_shard(6)
    for dataset in changed.rows:
        mine = [row for row in changed.rows[dataset] if row["did"] not in unchanged]
        changed.rows[dataset] = mine + [row for row in first.rows[dataset] if row["did"] in unchanged]
    changed.repository(did(800)).post(did(800), tid(1))
    load_shard(connection, changed.batches("second"))
    url = server.create_database("loaded_at_once", template=request.getfixturevalue("migrated_template"))
    try:
        with psycopg.connect(url) as other:
            load_shard(other, changed.batches("second"))
            expected, found = contents(other), contents(connection)
    finally:
        server.drop_database("loaded_at_once")
    # Dictionaries only grow: texts of replaced records stay.
    assert set(expected["actor"]) <= set(found["actor"])
    assert set(expected["record_key"]) <= set(found["record_key"])
    rest = [table for table in expected if table not in {"actor", "record_key"}]
    assert {table: found[table] for table in rest} == {table: expected[table] for table in rest}


def test_a_newer_rev_replaces_all_that_an_older_one_had(connection: psycopg.Connection, keys: KeySpace):
    load_shard(connection, every_kind().repository(BOB).post(BOB, tid(1)).batches())
    fake = FakeShard().repository(ALICE, 6, hours=1).like(ALICE, tid(9), (BOB, tid(2)))
    fake.repository(BOB).post(BOB, tid(1))
    result = load_shard(connection, fake.batches("second"))
    assert result.copied == 1
    held = {table: count(connection, table) for table in result.rows}
    assert {table: rows for table, rows in held.items() if rows} == {"post": 1, "like": 1}
    assert one(connection, 'SELECT rkey FROM "like"') == (keys.rkey_id(tid(9)),)
    assert repo(connection, keys, ALICE) == (6, "synchronized", "active", None, 1, 1)


def test_an_older_rev_is_ignored(connection: psycopg.Connection, keys: KeySpace):
    load_shard(connection, FakeShard().repository(ALICE, 6, hours=1).like(ALICE, tid(9), (BOB, tid(2))).batches())
    before = contents(connection)
    result = load_shard(connection, every_kind().batches("older"))
    assert (result.copied, result.entries) == (0, 8)
    after = contents(connection)
    ignored = [table for table in TABLES if table not in {"actor", "record_key", "collection"}]
    assert {table: after[table] for table in ignored} == {table: before[table] for table in ignored}
    assert one(connection, "SELECT fingerprint, entries FROM load") == ("older", 8)


def test_a_repository_in_two_shards_is_held_once_at_its_newest_rev(connection: psycopg.Connection, keys: KeySpace):
    old, new = FakeShard("a~00000").repository(ALICE, 1), FakeShard("b~00000").repository(ALICE, 2)
    for fake in (new, old):
        fake.like(ALICE, tid(1), (BOB, tid(2)))
        load_shard(connection, fake.batches())
    assert count(connection, "like") == 1
    assert one(connection, "SELECT rev, shard FROM repo") == (keys.rkey_id(tid(2)), "b~00000")


def test_an_account_that_went_away_keeps_its_content_and_gets_its_status(
    connection: psycopg.Connection, keys: KeySpace
):
    load_shard(connection, every_kind().batches())
    load_shard(connection, FakeShard().absent(ALICE, "deactivated", hours=1).batches("second"))
    assert repo(connection, keys, ALICE) == (5, "synchronized", "deactivated", "deactivated", 1, 8)
    assert count(connection, "like") == 1
    assert count(connection, "identity") == 1


def test_an_account_that_came_back_unchanged_is_active_again(connection: psycopg.Connection, keys: KeySpace):
    load_shard(connection, every_kind().batches())
    load_shard(connection, FakeShard().absent(ALICE, "deactivated", hours=1).batches("second"))
    back = every_kind()
    back.rows["repo"][0]["fetched_at"] = FETCHED_AT.replace(hour=2)
    assert load_shard(connection, back.batches("third")).copied == 0
    assert repo(connection, keys, ALICE) == (5, "synchronized", "active", None, 2, 8)
    assert count(connection, "like") == 1


def test_the_status_is_that_of_the_latest_fetch_whatever_the_order_of_loads(
    connection: psycopg.Connection, keys: KeySpace
):
    load_shard(connection, every_kind().batches())
    load_shard(connection, FakeShard("b~00000").absent(ALICE, "takendown", hours=2).batches())
    load_shard(connection, FakeShard("c~00000").absent(ALICE, "deactivated", hours=1).batches())
    load_shard(connection, FakeShard("d~00000").repository(ALICE, 6, hours=1).batches())
    assert repo(connection, keys, ALICE) == (6, "synchronized", "takendown", "takendown", 2, 0)


def test_an_account_known_as_absent_gets_its_content_when_it_can_be_had(connection: psycopg.Connection, keys: KeySpace):
    load_shard(connection, FakeShard().absent(ALICE, "deactivated").batches())
    assert repo(connection, keys, ALICE) == (None, "absent", "deactivated", "deactivated", 0, 0)
    back = FakeShard().repository(ALICE, 1, hours=1).like(ALICE, tid(1), (BOB, tid(2)))
    assert load_shard(connection, back.batches("second")).copied == 1
    assert repo(connection, keys, ALICE) == (1, "synchronized", "active", None, 1, 1)


@pytest.mark.parametrize("rev", [None, tid(1), tid(5)])
def test_a_repository_that_was_refused_is_loaded_when_it_is_mended_at_the_same_rev(
    connection: psycopg.Connection, keys: KeySpace, rev: str | None
):
    refused = FakeShard().invalid(ALICE, "mst-missing-block", 3)
    refused.rows["repo"][0]["rev"] = rev
    load_shard(connection, refused.batches())
    assert repo(connection, keys, ALICE)[:4] == (None, "invalid", None, "mst-missing-block")
    mended = FakeShard().repository(ALICE, 1).like(ALICE, tid(1), (BOB, tid(2)))
    assert load_shard(connection, mended.batches("second")).copied == 1
    assert repo(connection, keys, ALICE) == (1, "synchronized", "active", None, 0, 1)
    assert (count(connection, "like"), count(connection, "quarantine")) == (1, 0)


def test_a_failed_fetch_changes_nothing_of_what_is_held(connection: psycopg.Connection, keys: KeySpace):
    load_shard(connection, every_kind().batches())
    failed: dict[str, Any] = NOTHING | {"state": "failed", "status": None, "reason": "timeout"}
    load_shard(connection, FakeShard().repository(ALICE, hours=1, **failed).batches("second"))
    assert repo(connection, keys, ALICE) == (5, "synchronized", "active", None, 0, 8)
    assert count(connection, "like") == 1


def test_a_failed_repository_is_known_by_its_last_outcome(connection: psycopg.Connection, keys: KeySpace):
    failed: dict[str, Any] = NOTHING | {"state": "failed", "status": None}
    load_shard(connection, FakeShard().repository(ALICE, hours=1, reason="timeout", **failed).batches())
    load_shard(connection, FakeShard().repository(ALICE, hours=2, reason="reset", **failed).batches("second"))
    load_shard(connection, FakeShard().repository(ALICE, hours=0, reason="late", **failed).batches("third"))
    assert repo(connection, keys, ALICE) == (None, "failed", None, "reset", 2, 0)
    load_shard(connection, FakeShard().absent(ALICE, "not-found", hours=3).batches("fourth"))
    assert repo(connection, keys, ALICE) == (None, "absent", "not-found", "not-found", 3, 0)


def test_refused_repositories_are_in_quarantine_as_the_last_load_told(connection: psycopg.Connection, keys: KeySpace):
    fake = FakeShard().invalid(ALICE, "signature-invalid", 5, hours=1, detail="by\0zKey").invalid(BOB, "mst-order", 2)
    load_shard(connection, fake.batches())
    query = (
        "SELECT actor_id, did, host, shard, scope, reason, detail, records, fetched_at FROM quarantine WHERE did = %s"
    )
    common = (keys.actor_id(ALICE), ALICE, "host.test", "host.test~00000", "repository", "signature-invalid")
    assert one(connection, query, ALICE) == (*common, "by\ufffdzKey", 5, FETCHED_AT.replace(hour=1))
    assert count(connection, "quarantine") == 2
    load_shard(connection, FakeShard().invalid(ALICE, "signature-invalid", 5).batches("second"))
    assert count(connection, "quarantine") == 1


def test_a_newer_did_document_wins_and_an_older_does_not(connection: psycopg.Connection):
    for hours, handle in ((1, "first.test"), (3, "newest.test"), (2, "late.test")):
        fake = FakeShard().repository(ALICE, hours=hours, handle=handle)
        load_shard(connection, fake.batches(handle))
    assert one(connection, "SELECT handle FROM identity") == ("newest.test",)


@pytest.mark.parametrize("missing", ["like", "record", "rejected"])
def test_batches_that_do_not_add_up_are_refused_and_nothing_is_written(connection: psycopg.Connection, missing: str):
    fake = random_shard(8).invalid(did(900), "signature-invalid", 17)
    before = contents(connection)
    whole = fake.batches()
    fake.rows[missing].pop()
    with pytest.raises(CorruptStateError, match=rf"host.test~00000: {whole.entries} record entries"):
        load_shard(connection, whole)
    after = contents(connection)
    assert {name: after[name] for name in ("repo", "like", "quarantine", "load")} == {
        name: before[name] for name in ("repo", "like", "quarantine", "load")
    }
    fake.rows[missing].append(random_shard(8).invalid(did(900), "signature-invalid", 17).rows[missing][-1])
    assert load_shard(connection, whole).is_skipped is False


def test_a_failure_in_the_midst_leaves_nothing_and_the_next_load_is_whole(connection: psycopg.Connection):
    fake = random_shard(9)

    def fail(table: str, rows: int) -> None:
        if table == "follow":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_shard(connection, fake.batches(), report=fail)
    held = [table for table in TABLES if table not in {"actor", "record_key", "collection"}]
    assert {table: count(connection, table) for table in held} == dict.fromkeys(held, 0)
    result = load_shard(connection, fake.batches())
    assert {table: count(connection, table) for table in result.rows} == result.rows


def test_a_failed_replacement_leaves_what_was_held(connection: psycopg.Connection):
    load_shard(connection, every_kind().batches())
    before = contents(connection)

    def fail(table: str, rows: int) -> None:
        raise KeyboardInterrupt

    newer = FakeShard().repository(ALICE, 9).like(ALICE, tid(9), (BOB, tid(2)))
    with pytest.raises(KeyboardInterrupt):
        load_shard(connection, newer.batches("second"), report=fail)
    assert contents(connection) == before


def test_batches_are_loaded_alike_whatever_their_size(connection: psycopg.Connection, request: pytest.FixtureRequest):
    server = request.getfixturevalue("postgres_server")
    load_shard(connection, random_shard(10, records=300).batches(batch_rows=1))
    url = server.create_database("whole_batches", template=request.getfixturevalue("migrated_template"))
    try:
        with psycopg.connect(url) as other:
            load_shard(other, random_shard(10, records=300).batches(batch_rows=10_000))
            assert contents(other) == contents(connection)
    finally:
        server.drop_database("whole_batches")


def test_a_cid_that_the_lake_may_not_hold_ends_the_load(connection: psycopg.Connection):
    fake = FakeShard().repository(ALICE).like(ALICE, tid(1), (BOB, tid(2)), subject_cid=b"short")
    with pytest.raises(CorruptStateError, match="not of DAG-CBOR"):
        load_shard(connection, fake.batches())
    assert rows(connection, "repo") == []


def test_a_database_that_is_no_warehouse_says_so(empty_postgres_url: str):
    with psycopg.connect(empty_postgres_url) as empty, pytest.raises(CorruptStateError, match="zeppelin migrate"):
        read_key_space(empty)
