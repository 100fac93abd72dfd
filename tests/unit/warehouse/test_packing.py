"""Blocks of posts are packed to fewer bytes, and given back to the byte."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.cid import DAG_CBOR_PREFIX, RAW_PREFIX, cid_to_text
from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse.batch_packing import pack_blocks
from zeppelin_pipeline.warehouse.keys import tid_of_key
from zeppelin_pipeline.warehouse.packing import MOST_REFERENCES, PACKED_BYTES, unpack_block

REFERENCE_BYTES = 142
BASE32 = st.sampled_from("abcdefghijklmnopqrstuvwxyz234567")
DIGESTS = st.binary(min_size=32, max_size=32)
#: Now and then of a form that is left as it is.
DIDS = st.text(BASE32, min_size=24, max_size=24).map("did:plc:{}".format) | st.just("did:web:example.com")
TIDS = st.integers(0, 2**63 - 1).map(tid_of_key)
RKEYS = TIDS | st.sampled_from(["self", "jzzzzzzzzzzzz", "3kabcdefghij", "3KABCDEFGHIJ2"])
COLLECTIONS = st.just("app.bsky.feed.post") | st.sampled_from(["app.bsky.feed.like", "app.bsky.feed.poll"])


def uri(did: str, collection: str, rkey: str) -> str:
    return f"at://{did}/{collection}/{rkey}"


def reference(cid: bytes, uri: str, prefix: bytes = DAG_CBOR_PREFIX) -> dict[str, Any]:
    return {"cid": cid_to_text(prefix + cid), "uri": uri}


REFERENCES = st.builds(
    reference,
    DIGESTS,
    st.builds(uri, DIDS, COLLECTIONS, RKEYS),
    st.just(DAG_CBOR_PREFIX) | st.just(RAW_PREFIX),
)
USUAL = reference(b"\x07" * 32, uri("did:plc:" + "a2" * 12, "app.bsky.feed.post", "3kabcdefghij2"))
OTHER = reference(b"\xff" * 32, uri("did:plc:" + "7z" * 12, "app.bsky.feed.post", "bzzzzzzzzzzzz"))


def post(text: str, *references: dict[str, Any]) -> bytes:
    """A block with the references wherever a record has them, and elsewhere."""
    names = ("root", "parent", "record", "more", *(f"n{number}" for number in range(len(references))))
    return dag_cbor.encode(
        {"$type": "app.bsky.feed.post", "text": text, "reply": dict(zip(names, references, strict=False))}
    )


BLOCKS = st.builds(lambda text, refs: post(text, *refs), st.text(max_size=40), st.lists(REFERENCES, max_size=4))


def packed(*blocks: bytes) -> list[bytes]:
    return pack_blocks(pa.array(blocks, pa.binary())).to_pylist()


@given(st.lists(BLOCKS, max_size=4), st.integers(0, 2))
@example([post("", USUAL, USUAL, OTHER, OTHER, USUAL), b"", post("")], 0)
def test_a_packed_block_is_given_back_to_the_byte(blocks: list[bytes], skipped: int):
    stored = pack_blocks(pa.array(blocks, pa.binary()).slice(skipped)).to_pylist()
    assert [unpack_block(one) for one in stored] == blocks[skipped:]
    assert all(len(one) <= len(block) for one, block in zip(stored, blocks[skipped:], strict=True))


@given(st.data())
def test_a_block_in_which_any_byte_is_another_is_given_back_to_the_byte(data: st.DataObject):
    block = bytearray(post("text", USUAL, OTHER, OTHER))
    for _ in range(data.draw(st.integers(1, 3))):
        block[data.draw(st.integers(1, len(block) - 1))] = data.draw(st.integers(0, 255))
    [stored] = packed(bytes(block))
    assert unpack_block(stored) == block


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=12))
def test_references_stand_anywhere_and_as_many_as_there_are(parts: list[bytes]):
    """Even where they are no field of a record: bytes tell alone."""
    block = b"\xa0" + dag_cbor.encode(USUAL).join(parts)
    [stored] = packed(block)
    assert unpack_block(stored) == block
    if len(parts) > 1:
        assert stored[0] == min(len(parts) - 1, MOST_REFERENCES)


def test_a_reply_keeps_what_its_references_say_and_no_more():
    whole = post("text", USUAL, OTHER)
    assert packed(whole)[0][0] == 2
    assert len(packed(whole)[0]) == len(whole) + 1 + 2 * (2 + PACKED_BYTES - REFERENCE_BYTES)
    first = post("text", USUAL, USUAL)
    assert len(packed(first)[0]) == len(first) + 1 + 2 * (2 - REFERENCE_BYTES) + PACKED_BYTES


@pytest.mark.parametrize(
    "other",
    [
        reference(b"\x07" * 32, OTHER["uri"], RAW_PREFIX),
        USUAL | {"uri": USUAL["uri"][:-13] + "jzzzzzzzzzzzz"},
        USUAL | {"uri": USUAL["uri"].replace("feed.post", "feed.poll")},
        USUAL | {"uri": USUAL["uri"].replace("a2a2", "A2a2")},
        USUAL | {"cid": USUAL["cid"][:-1] + "b"},
        USUAL | {"$type": "com.atproto.repo.strongRef"},
    ],
)
def test_what_would_not_come_back_the_same_stays_as_it_is(other: dict[str, Any]):
    block = post("text", other)
    assert packed(block) == [block]


def test_a_reference_far_behind_the_one_before_stays_as_it_is():
    block = post("a" * 40_000, USUAL)
    far = b"\xa0" + dag_cbor.encode(USUAL) + bytes(40_000) + dag_cbor.encode(OTHER)
    assert [unpack_block(one) for one in packed(block, far)] == [block, far]
    assert len(packed(far)[0]) == len(far) + 1 + 2 + PACKED_BYTES - REFERENCE_BYTES


@pytest.mark.parametrize("blocks", [[b"\x01"], [bytes([MOST_REFERENCES, 0, 0])], [None]])
def test_what_is_no_block_is_our_own_fault_and_raises(blocks: list[bytes | None]):
    with pytest.raises(CorruptStateError, match="without the block"):
        pack_blocks(pa.array(blocks, pa.binary()))
