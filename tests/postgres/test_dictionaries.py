"""The dictionaries, and what happens when two texts have one key. Collisions are forced: by chance there are none."""

from itertools import pairwise
from typing import Any

import numpy as np
import psycopg
import pytest

from tests.fakes.batches import FETCHED_AT, FakeShard, did, random_shard, tid
from tests.postgres.warehouse_contents import count
from zeppelin_pipeline.warehouse import text_memory
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.load import load_shard

ALICE, BOB, CAROL, DAVE = did(1), did(2), did(3), did(4)


@pytest.fixture
def collide(monkeypatch: pytest.MonkeyPatch):
    """Gives a text the hash of another one of its kind: `collide(b"actor", text, other)`."""
    original = KeySpace._hash
    twins: dict[tuple[bytes, str], str] = {}

    def hashed(space: KeySpace, text: str, person: bytes) -> int:
        return original(space, twins.get((person, text), text), person)

    def hashed_all(space: BatchKeys, starts: Any, data: Any, person: bytes) -> Any:
        texts = [data[start:end].tobytes().decode() for start, end in pairwise(starts.tolist())]
        return np.array([hashed(space, text, person) for text in texts], np.uint64)

    monkeypatch.setattr(KeySpace, "_hash", hashed)
    monkeypatch.setattr(BatchKeys, "_hashes", hashed_all)
    return lambda person, text, other: twins.update({(person, text): other})


def quarantined(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    query = "SELECT did, scope, reason, detail, records, fetched_at FROM quarantine ORDER BY did, reason"
    return connection.execute(query).fetchall()


def held_dids(connection: psycopg.Connection) -> list[str]:
    query = "SELECT did FROM repo JOIN actor ON actor.id = repo.actor_id ORDER BY did"
    return [text for (text,) in connection.execute(query)]


def three_repositories() -> FakeShard:
    """Two of them name something of their own; the third names nothing that the others do."""
    fake = (
        FakeShard().repository(ALICE).like(ALICE, tid(1), (CAROL, "rkey-a")).record(ALICE, "net.example.one", "rkey-b")
    )
    fake.repository(BOB).follow(BOB, tid(1), DAVE).record(BOB, "net.example.two", "rkey-c")
    fake.record(BOB, "app.bsky.feed.post", tid(2), reason="bad-text")
    return fake.repository(did(5)).profile(did(5))


def test_a_repository_whose_own_did_collides_is_set_aside_and_all_else_is_loaded(
    connection: psycopg.Connection, collide: Any
):
    load_shard(connection, FakeShard("held.test~00000").repository(CAROL).profile(CAROL).batches())
    collide(b"actor", BOB, CAROL)
    result = load_shard(connection, three_repositories().batches())
    detail = f"{BOB} has the key of {CAROL}"
    assert quarantined(connection) == [(BOB, "key", "key-collision", detail, 3, FETCHED_AT)]
    assert held_dids(connection) == [ALICE, CAROL, did(5)]
    assert (result.entries, result.quarantined, result.rejected) == (6, 3, {"key-collision": 3})
    assert (count(connection, "follow"), count(connection, "record"), count(connection, "profile")) == (0, 1, 2)
    assert connection.execute("SELECT handle FROM identity WHERE handle LIKE %s", (f"{BOB[8:]}%",)).fetchall() == []


@pytest.mark.parametrize(
    ("person", "text", "holder", "detail"),
    [
        (b"actor", DAVE, CAROL, f"{DAVE} has the key of {CAROL}"),
        (b"rkey", "rkey-c", "rkey-a", "rkey-c has the key of rkey-a"),
        (b"collection", "net.example.two", "net.example.one", "net.example.two has the key of net.example.one"),
    ],
)
def test_a_repository_that_names_a_colliding_text_is_set_aside(
    connection: psycopg.Connection, collide: Any, person: bytes, text: str, holder: str, detail: str
):
    collide(person, text, holder)
    result = load_shard(connection, three_repositories().batches())
    assert quarantined(connection) == [(BOB, "key", "key-collision", detail, 3, FETCHED_AT)]
    assert held_dids(connection) == [ALICE, did(5)]
    assert result.rows | {"like": 1, "record": 1, "profile": 1, "follow": 0} == result.rows
    again = load_shard(connection, three_repositories().batches("second"))
    assert (again.quarantined, again.copied, len(quarantined(connection))) == (3, 0, 1)


def test_a_text_of_another_kind_is_no_collision(connection: psycopg.Connection, collide: Any):
    """The collection's text is also a record key, of another repository, and there it has no twin."""
    fake = three_repositories().repository(CAROL).record(CAROL, "net.example.one", "net.example.two")
    collide(b"collection", "net.example.two", "net.example.one")
    load_shard(connection, fake.batches())
    assert [row[0] for row in quarantined(connection)] == [BOB]
    assert held_dids(connection) == [ALICE, CAROL, did(5)]


@pytest.mark.parametrize("stated", [0, 7])
def test_a_refused_repository_that_collides_as_well_is_counted_once(
    connection: psycopg.Connection, collide: Any, stated: int
):
    load_shard(connection, FakeShard("held.test~00000").repository(CAROL).batches())
    collide(b"actor", BOB, CAROL)
    fake = FakeShard().invalid(BOB, "mst-order", 7).invalid(DAVE, "mst-order", 2)
    fake.rows["repo"][0]["records"] = stated
    result = load_shard(connection, fake.batches())
    assert [row[:3] for row in quarantined(connection)] == [
        (BOB, "key", "key-collision"),
        (DAVE, "repository", "mst-order"),
    ]
    assert (result.quarantined, result.rejected) == (9, {"mst-order": 2, "key-collision": 7})


def test_the_one_who_was_first_keeps_its_content(connection: psycopg.Connection, collide: Any):
    load_shard(connection, FakeShard("held.test~00000").repository(CAROL).post(CAROL, tid(1)).batches())
    collide(b"actor", BOB, CAROL)
    load_shard(connection, FakeShard().repository(BOB, 9).post(BOB, tid(2)).batches())
    assert count(connection, "post") == 1
    assert held_dids(connection) == [CAROL]


def test_a_repository_of_an_account_that_collided_is_loaded_when_the_collision_is_no_more(
    connection: psycopg.Connection, collide: Any
):
    collide(b"rkey", "rkey-c", "rkey-a")
    load_shard(connection, three_repositories().batches())
    collide(b"rkey", "rkey-c", "rkey-c")
    result = load_shard(connection, three_repositories().batches("second"))
    assert (result.quarantined, result.copied, quarantined(connection)) == (0, 3, [])
    assert held_dids(connection) == [ALICE, BOB, did(5)]


def test_texts_are_in_their_dictionaries_once_however_often_they_are_sent(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(text_memory, "REMEMBERED_TEXTS", 3)
    fake = random_shard(1)
    load_shard(connection, fake.batches())
    dids = {row[name] for rows in fake.rows.values() for row in rows for name in row if name.endswith("did")}
    rkeys = {
        row["rkey"] for rows in fake.rows.values() for row in rows if row.get("rkey", "2").startswith(("key", "self"))
    }
    assert {text for (text,) in connection.execute("SELECT did FROM actor")} == dids
    assert {text for (text,) in connection.execute("SELECT text FROM record_key")} == rkeys


def test_the_keys_of_a_dictionary_are_those_of_the_key_space(connection: psycopg.Connection):
    load_shard(connection, random_shard(2).batches())
    keys = read_key_space(connection)
    for query, to_key in (
        ("SELECT did, id FROM actor", keys.actor_id),
        ("SELECT text, id FROM record_key", keys.rkey_id),
        ("SELECT nsid, id FROM collection", keys.collection_id),
    ):
        pairs = connection.execute(query.encode()).fetchall()
        assert pairs
        assert [key for _, key in pairs] == [to_key(text) for text, _ in pairs]
