"""What is written is read again unchanged: every identifier, value, file and tree."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zeppelin_pipeline.atproto import mst
from zeppelin_pipeline.atproto.base58 import base58_decode, base58_encode
from zeppelin_pipeline.atproto.car import index_blocks, read_car, write_car
from zeppelin_pipeline.atproto.cid import RAW_PREFIX, cid_from_text, cid_of, cid_to_text, parse_cid
from zeppelin_pipeline.atproto.commit import (
    Commit,
    decode_commit,
    encode_commit,
    sign_commit,
    unsigned_bytes,
    verify_commit,
)
from zeppelin_pipeline.atproto.crypto import Curve, PrivateKey, PublicKey
from zeppelin_pipeline.atproto.dag_cbor import decode, decode_lenient, encode, from_json, to_json
from zeppelin_pipeline.atproto.datetimes import format_datetime, is_datetime, parse_datetime
from zeppelin_pipeline.atproto.frames import Frame, decode_frame, encode_frame
from zeppelin_pipeline.atproto.mst import Change
from zeppelin_pipeline.atproto.syntax import AtUri, is_at_uri, parse_at_uri
from zeppelin_pipeline.atproto.tid import TidClock, int_to_tid, tid_micros, tid_to_int
from zeppelin_pipeline.errors import InvalidDataError

DID = "did:plc:7iza6de2dwap2sbkpav7c6c6"
CURVES = st.sampled_from(["k256", "p256"])
SECRETS = st.integers(1, 2**255).map(lambda number: number.to_bytes(32, "big"))
CIDS = st.binary(max_size=8).map(cid_of)
TIDS = st.integers(0, 2**63 - 1).map(int_to_tid)
# Byte strings of all kinds, among them those that resemble links to libipld.
BYTES = st.one_of(
    st.binary(max_size=80),
    st.binary(max_size=70).map(lambda tail: b"\x01" + tail),
    st.binary(max_size=70).map(lambda tail: b"\x12\x20" + tail),
    st.binary(max_size=40).map(lambda tail: b"\x01\x71\x12\x20" + tail),
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=30) | BYTES | CIDS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=12,
)
RECORD_KEYS = st.from_regex(r"[a-zA-Z0-9_~:-]{1,20}", fullmatch=True)
COLLECTIONS = st.sampled_from(
    ["app.bsky.feed.like", "app.bsky.feed.post", "app.bsky.feed.postgate", "a.b.c", "com.x-y.z0"]
)
KEYS = st.builds(lambda collection, rkey: f"{collection}/{rkey}".encode(), COLLECTIONS, RECORD_KEYS | TIDS)
TREES = st.dictionaries(KEYS, CIDS, max_size=40)


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_tids_are_their_integers_and_sort_as_they_do(left: int, right: int) -> None:
    assert tid_to_int(int_to_tid(left)) == left
    assert (int_to_tid(left) < int_to_tid(right)) == (left < right)


@given(st.lists(st.integers(0, 2**52), min_size=1, max_size=30), st.integers(0, 1023))
def test_a_clock_only_rises_and_is_never_behind_time(times: list[int], clock_id: int) -> None:
    now = iter(times)
    clock = TidClock(clock_id, lambda: next(now))
    tids = [clock.next() for _ in times]
    assert tids == sorted(set(tids))
    assert all(tid_micros(tid_to_int(tid)) >= time for tid, time in zip(tids, times, strict=True))


@given(st.binary(max_size=200), st.booleans(), st.binary(max_size=5))
def test_a_cid_goes_through_its_text_and_through_a_frame(block: bytes, is_raw: bool, padding: bytes) -> None:
    cid = cid_of(block, RAW_PREFIX) if is_raw else cid_of(block)
    assert cid_from_text(cid_to_text(cid)) == cid
    assert parse_cid(padding + cid + padding, len(padding)) == (cid, len(padding) + 36)


@given(COLLECTIONS, RECORD_KEYS)
def test_an_at_uri_goes_through_its_text(collection: str, rkey: str) -> None:
    for uri in (AtUri(DID), AtUri("alice.test", collection), AtUri(DID, collection, rkey)):
        assert is_at_uri(str(uri))
        assert parse_at_uri(str(uri)) == uri


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_a_time_in_whole_milliseconds_goes_through_its_canonical_form(millis: int) -> None:
    text = format_datetime(millis * 1000)
    assert is_datetime(text)
    assert parse_datetime(text) == millis * 1000


@given(st.binary(max_size=60))
def test_bytes_go_through_base58(data: bytes) -> None:
    assert base58_decode(base58_encode(data)) == data


@given(VALUES)
@settings(max_examples=50, deadline=None)
def test_a_value_goes_through_its_block(value: Any) -> None:
    block = encode(value)
    assert decode(block) == value
    assert encode(decode(block)) == block
    assert decode_lenient(block) == (value, True)


@given(VALUES)
@settings(max_examples=50, deadline=None)
def test_a_block_with_a_byte_behind_it_is_refused(value: Any) -> None:
    with pytest.raises(InvalidDataError):
        decode(encode(value) + b"\0")


@given(st.dictionaries(st.text(max_size=12).filter(lambda key: not key.startswith("$")), VALUES, max_size=5))
@settings(max_examples=50, deadline=None)
def test_a_record_goes_through_its_json(record: dict[str, Any]) -> None:
    def is_plain(value: Any) -> bool:
        if isinstance(value, dict):
            return not any(key.startswith("$") for key in value) and all(map(is_plain, value.values()))
        return not isinstance(value, list) or all(map(is_plain, value))

    if is_plain(record):
        assert from_json(to_json(record)) == record


@given(st.lists(st.binary(max_size=300), max_size=20), CIDS)
def test_blocks_go_through_a_car(contents: list[bytes], root: bytes) -> None:
    blocks = [(cid_of(content), content) for content in contents]
    car = write_car(root, blocks)
    roots, frames = read_car(memoryview(car))
    assert roots == [root]
    assert [(cid, car[start:end]) for cid, start, end in frames] == blocks
    assert {cid: car[start:end] for cid, (start, end) in index_blocks(car)[1].items()} == dict(blocks)


@given(TIDS, CIDS, st.none() | CIDS, st.binary(min_size=64, max_size=64))
def test_a_commit_is_written_as_any_map_of_its_fields(rev: str, data: bytes, prev: bytes | None, sig: bytes) -> None:
    fields = {"did": DID, "rev": rev, "data": data, "prev": prev, "version": 3}
    commit = Commit(DID, rev, data, prev, sig)
    assert unsigned_bytes(commit) == encode(fields)
    assert encode_commit(commit) == encode(fields | {"sig": sig})


@given(TREES)
@settings(max_examples=50, deadline=None)
def test_a_built_tree_is_walked_to_the_same_entries(content: dict[bytes, bytes]) -> None:
    entries = sorted(content.items())
    tree = mst.build(iter(entries))
    assert list(mst.walk(tree.root, tree.blocks.get)) == entries
    assert mst.root_of(entries) == tree.root
    assert all(cid_of(block) == cid and encode(decode(block)) == block for cid, block in tree.blocks.items())


@given(TREES, TREES, st.sets(KEYS, max_size=5))
@settings(max_examples=50, deadline=None)
def test_the_changes_between_two_trees_lead_from_one_to_the_other(
    old: dict[bytes, bytes], more: dict[bytes, bytes], gone: set[bytes]
) -> None:
    new = {key: cid for key, cid in (old | more).items() if key not in gone and key[-1] % 7}
    before, after = mst.build(sorted(old.items())), mst.build(sorted(new.items()))
    changes = mst.diff(before.root, after.root, (before.blocks | after.blocks).get)
    assert changes == [
        Change(key, old.get(key), new.get(key)) for key in sorted(old | new) if old.get(key) != new.get(key)
    ]


@given(CURVES, SECRETS, st.binary(max_size=100))
@settings(max_examples=30, deadline=None)
def test_a_key_goes_through_its_texts_and_verifies_what_it_signed(curve: Curve, secret: bytes, message: bytes) -> None:
    key = PrivateKey.from_bytes(curve, secret)
    public = PublicKey.from_did_key(key.public_key.to_did_key())
    assert public == key.public_key == PublicKey.from_multibase(public.to_multibase())
    assert PublicKey.from_legacy_multibase(curve, "z" + base58_encode(public.compressed)) == public
    assert public.verify(key.sign(message), message)
    assert not public.verify(key.sign(message), message + b"x")


@given(CURVES, SECRETS, TIDS, CIDS, st.none() | CIDS)
@settings(max_examples=30, deadline=None)
def test_a_signed_commit_goes_through_its_block(
    curve: Curve, secret: bytes, rev: str, data: bytes, prev: bytes | None
) -> None:
    key = PrivateKey.from_bytes(curve, secret)
    commit = sign_commit(DID, rev, data, key, prev)
    read = decode_commit(encode_commit(commit))
    assert read == commit
    assert verify_commit(read, key.public_key)
    assert not verify_commit(Commit(DID, rev, cid_of(data), prev, commit.sig), key.public_key)


@given(BYTES.map(lambda data: (data + bytes(64))[:64]), CIDS)
def test_a_commit_with_any_signature_goes_through_its_block(sig: bytes, data: bytes) -> None:
    commit = Commit(DID, "3jzfcijpj2z2a", data, None, sig)
    assert decode_commit(encode_commit(commit)) == commit


OPS = st.integers(-5, 5).filter(lambda op: op != -1)


@given(OPS, st.text(max_size=20), st.dictionaries(st.text(), SCALARS, max_size=4))
def test_a_frame_goes_through_its_bytes(op: int, t: str, body: dict[str, Any]) -> None:
    assert decode_frame(encode_frame(op, t, body)) == Frame(op, t, body)
