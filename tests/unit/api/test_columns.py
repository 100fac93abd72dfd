"""The API and the pipeline make the same blocks of the same columns."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from zeppelin_api.hydration.columns import (
    RecordReference,
    encode_engagement,
    encode_list_block,
    encode_list_item,
    encode_relation,
)
from zeppelin_pipeline.atproto.cid import DAG_CBOR_PREFIX
from zeppelin_pipeline.records import canonical

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLIS = st.integers(min_value=-62_135_596_800_000, max_value=253_402_300_799_999)
NAMES = st.text(alphabet="abcdefghijklmnopqrstuvwxyz234567", min_size=1, max_size=20)
ALICE = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
BOB = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb"


def _reference(collection: str, rkey: str) -> tuple[RecordReference, tuple[str, str, str, bytes]]:
    digest = sha256(rkey.encode()).digest()
    return RecordReference(ALICE, collection, rkey, digest), (ALICE, collection, rkey, DAG_CBOR_PREFIX + digest)


@given(MILLIS, NAMES, st.none() | NAMES)
def test_likes_and_reposts_are_encoded_as_in_the_pipeline(millis: int, rkey: str, via_rkey: str | None):
    ours, theirs = _reference("app.bsky.feed.post", rkey)
    via = via_theirs = None
    if via_rkey is not None:
        via, (did, _, key, cid) = _reference(canonical.VIA_COLLECTION, via_rkey)
        via_theirs = (did, key, cid)
    at = EPOCH + timedelta(milliseconds=millis)

    for collection in (canonical.LIKE, canonical.REPOST):
        expected = canonical.encode_engagement(collection, theirs, millis * 1000, via_theirs)
        assert encode_engagement(collection, ours, at, via) == expected


@given(MILLIS)
def test_follows_and_blocks_are_encoded_as_in_the_pipeline(millis: int):
    at = EPOCH + timedelta(milliseconds=millis)

    for collection in (canonical.FOLLOW, canonical.BLOCK):
        expected = canonical.encode_relation(collection, ALICE, millis * 1000)
        assert encode_relation(collection, ALICE, at) == expected


@given(MILLIS, NAMES)
def test_list_items_and_list_blocks_are_encoded_as_in_the_pipeline(millis: int, rkey: str):
    at = EPOCH + timedelta(milliseconds=millis)

    assert encode_list_item(ALICE, rkey, BOB, at) == canonical.encode_list_item(ALICE, rkey, BOB, millis * 1000)
    assert encode_list_block(ALICE, rkey, at) == canonical.encode_list_block(ALICE, rkey, millis * 1000)
