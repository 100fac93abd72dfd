"""Batches of the lake as rows of the warehouse."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from tests.fakes.batches import FakeShard, cid, did, tid
from tests.fakes.contents import made_content
from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.lake.schemas import RECORD_DATASETS
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.dictionaries import named_texts
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.rows import collection_numbers, digests, needing, repo_rows, texts_of
from zeppelin_pipeline.warehouse.tables import TABLES

SPACE = BatchKeys(KeySpace(bytes(32)))
ALICE, BOB, CAROL = did(1), did(2), did(3)


def rows_of(fake: FakeShard, dataset: str) -> list[dict[str, Any]]:
    return list(read_rows(fake, dataset))


def read_rows(fake: FakeShard, dataset: str) -> Iterator[dict[str, Any]]:
    for batch in fake.batches().read(dataset, None):
        yield from TABLES[dataset].to_rows(batch, SPACE).to_pylist()


def test_a_like_becomes_keys_and_digests():
    via = {"via_did": CAROL, "via_rkey": tid(9), "via_cid": cid("via")}
    [row] = rows_of(FakeShard().repository(ALICE).like(ALICE, tid(1), (BOB, "not-a-tid"), **via), "like")
    assert row["actor_id"] == SPACE.actor_id(ALICE)
    assert row["rkey"] == SPACE.rkey_id(tid(1))
    assert (row["subject_actor"], row["subject_rkey"]) == (SPACE.actor_id(BOB), SPACE.text_rkey_id("not-a-tid"))
    assert row["subject_collection"] == 1
    via = (SPACE.actor_id(CAROL), SPACE.rkey_id(tid(9)), cid("via")[4:])
    assert row["content"] == made_content(cid(BOB + "not-a-tid")[4:], via)


@pytest.mark.parametrize("dataset", ["like", "repost"])
def test_the_head_of_a_like_and_of_a_repost_has_room_for_its_columns(dataset: str):
    """A row's head is 23 bytes and a bit for each column, rounded up to a multiple of 8."""
    assert len(TABLES[dataset].columns) <= 8


def test_a_like_of_a_collection_without_a_number_has_none():
    fake = FakeShard().repository(ALICE).like(ALICE, tid(1), (BOB, tid(2)), subject_collection="net.example.thing")
    [row] = rows_of(fake, "like")
    assert row["subject_collection"] is None
    assert row["subject_actor"] == SPACE.actor_id(BOB)


def test_a_reply_to_what_is_no_post_is_not_counted_as_a_reply():
    parent = {"reply_parent_did": BOB, "reply_parent_rkey": tid(2), "reply_parent_collection": "net.example.thing"}
    root = {"reply_root_did": CAROL, "reply_root_rkey": tid(3), "reply_root_collection": "app.bsky.feed.post"}
    [row] = rows_of(FakeShard().repository(ALICE).post(ALICE, tid(1), **parent, **root), "post")
    assert (row["reply_parent_actor"], row["reply_parent_rkey"]) == (None, None)
    assert (row["reply_root_actor"], row["reply_root_rkey"]) == (SPACE.actor_id(CAROL), SPACE.rkey_id(tid(3)))


def test_a_quote_keeps_the_collection_of_what_it_embeds():
    quote = {"quote_did": BOB, "quote_rkey": tid(2), "quote_collection": "app.bsky.graph.list"}
    [row] = rows_of(FakeShard().repository(ALICE).post(ALICE, tid(1), **quote), "post")
    assert (row["quote_actor"], row["quote_rkey"], row["quote_collection"]) == (
        SPACE.actor_id(BOB),
        SPACE.rkey_id(tid(2)),
        10,
    )


def test_pairs_of_a_gate_become_lists_of_keys_in_their_order():
    fake = FakeShard().repository(ALICE).threadgate(ALICE, tid(1), (BOB, tid(2)), (CAROL, "list"), hidden=[])
    fake.threadgate(ALICE, tid(2), hidden=[(BOB, tid(3))]).postgate(ALICE, tid(2), (BOB, "q"), (CAROL, tid(4)))
    first, second = rows_of(fake, "threadgate")
    assert first["list_actors"] == [SPACE.actor_id(BOB), SPACE.actor_id(CAROL)]
    assert first["list_rkeys"] == [SPACE.rkey_id(tid(2)), SPACE.text_rkey_id("list")]
    assert (first["hidden_actors"], first["hidden_rkeys"]) == (None, None)
    assert (second["list_actors"], second["hidden_actors"]) == (None, [SPACE.actor_id(BOB)])
    [gate] = rows_of(fake, "postgate")
    assert gate["detached_rkeys"] == [SPACE.text_rkey_id("q"), SPACE.rkey_id(tid(4))]


def test_the_purpose_of_a_list_is_a_number_and_zero_when_it_is_not_known():
    fake = FakeShard().repository(ALICE)
    for number, purpose in enumerate(("modlist", "curatelist", "referencelist", "other")):
        fake.made("list", ALICE, tid(number), name="n", purpose=f"app.bsky.graph.defs#{purpose}")
    assert [row["purpose"] for row in rows_of(fake, "list")] == [1, 2, 3, 0]


def test_the_rows_that_need_a_text_are_found_in_columns_of_texts_and_of_lists():
    fake = FakeShard().repository(ALICE).repository(BOB).postgate(ALICE, tid(1), (BOB, "q"), (CAROL, "r"))
    fake.postgate(BOB, tid(2)).postgate(BOB, tid(3), (ALICE, "s"), (CAROL, "t"))
    [batch] = fake.batches().read("postgate", None)
    assert needing(batch, "detached_dids", pa.array([CAROL])) == ([ALICE, BOB], [CAROL, CAROL])
    assert needing(batch.slice(1), "detached_rkeys", pa.array(["s"])) == ([BOB], ["s"])
    assert needing(batch, "rkey", pa.array([tid(2), tid(9)])) == ([BOB], [tid(2)])


def test_only_a_verified_repository_keeps_its_rev():
    fake = FakeShard().repository(ALICE, 7).repository(BOB, 7, state="invalid")
    [batch] = [repo_rows(batch, SPACE) for batch in fake.batches().read("repo", None)]
    assert batch["rev"].to_pylist() == [SPACE.rkey_id(tid(7)), None]


def test_nul_in_an_outside_text_is_replaced():
    fake = FakeShard().repository(ALICE, pds="https://a\0b", reason="\0")
    [batch] = [repo_rows(batch, SPACE) for batch in fake.batches().read("repo", None)]
    assert (batch["pds"][0].as_py(), batch["reason"][0].as_py()) == ("https://a\ufffdb", "\ufffd")


@pytest.mark.parametrize("bad", [bytes.fromhex("01551220") + bytes(32), bytes(36), b"", cid("x") + b"y", cid("x")[:35]])
def test_a_cid_of_another_form_is_our_own_fault_and_raises(bad: bytes):
    with pytest.raises(CorruptStateError, match="not of DAG-CBOR"):
        digests(pa.array([cid("a"), None, bad], pa.binary()))


def test_digests_leave_nulls_and_take_fixed_size_cids():
    array = pa.array([None, cid("a")], pa.binary(36))
    assert digests(array).to_pylist() == [None, cid("a")[4:]]
    assert digests(array.slice(1)).to_pylist() == [cid("a")[4:]]
    assert digests(pa.array([], pa.binary())).to_pylist() == []


def test_collections_become_numbers_from_plain_and_dictionary_arrays():
    array = pa.array(["app.bsky.feed.like", None, "net.example.thing"])
    assert collection_numbers(array).to_pylist() == [2, None, None]
    assert collection_numbers(array.dictionary_encode().slice(1)).to_pylist() == [None, None]


def filled(dataset: str) -> dict[str, Any]:
    """A value for every column that the owner's record does not give by itself."""
    values: dict[str, Any] = {}
    for field in RECORD_DATASETS[dataset]:
        if field.name in {"did", "rkey", "cid", "raw", "created_at", "indexed_at"}:
            continue
        text = CAROL if "did" in field.name else "r"
        is_text = pa.types.is_string(field.type) or pa.types.is_dictionary(field.type)
        values[field.name] = (
            text
            if is_text
            else [text, BOB]
            if pa.types.is_list(field.type)
            else True
            if pa.types.is_boolean(field.type)
            else 1
        )
    return values


@pytest.mark.parametrize("dataset", TABLES)
def test_every_key_of_a_dataset_is_made_of_a_text_that_a_dictionary_gets(dataset: str):
    """Filled with a text of its own in every column, each key of the row is that of a column that is named."""
    fake = FakeShard().repository(ALICE)
    match dataset:
        case "like" | "repost":
            fake.like(ALICE, "r", (BOB, "s"), via_did=CAROL, via_rkey="v", via_cid=cid("via"))
            fake.repost(ALICE, "r", (BOB, "s"), via_did=CAROL, via_rkey="v", via_cid=cid("via"))
        case "follow" | "block":
            fake.follow(ALICE, "r", BOB).block(ALICE, "r", BOB)
        case "post":
            reference = {"did": BOB, "rkey": "s", "collection": "app.bsky.feed.post"}
            ends = ("reply_root", "reply_parent", "quote")
            fake.post(ALICE, "r", **{f"{end}_{name}": value for end in ends for name, value in reference.items()})
        case "profile":
            fake.profile(ALICE, pack_did=CAROL, pack_rkey="p")
        case "record":
            fake.record(ALICE, "net.example.thing", "r")
        case _:
            fake.made(dataset, ALICE, "r", **filled(dataset))
    [batch] = fake.batches().read(dataset, None)
    texts = {text for column in named_texts(dataset) for text in texts_of(batch[column]).to_pylist()}
    hashed = {to_key(text) for text in texts for to_key in (SPACE.actor_id, SPACE.text_rkey_id, SPACE.collection_id)}
    [row] = TABLES[dataset].to_rows(batch, SPACE).to_pylist()
    keys = [row[name] for name in row if name.endswith(("actor", "actor_id", "rkey")) or name == "collection"]
    keys += [key for name in row if name.endswith(("actors", "rkeys")) for key in row[name]]
    if "content" in row:
        keys += [int.from_bytes(row["content"][at : at + 8], signed=True) for at in (32, 40)]
    assert keys
    assert set(keys) <= hashed
