"""Damaged and made-up input: whatever the bytes are, the answer is a value or InvalidDataError, and it comes soon."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.atproto.samples import sample_repository
from zeppelin_pipeline.atproto import mst, syntax
from zeppelin_pipeline.atproto.car import index_blocks
from zeppelin_pipeline.atproto.cid import cid_from_text, cid_of, parse_cid
from zeppelin_pipeline.atproto.commit import decode_commit, encode_commit
from zeppelin_pipeline.atproto.crypto import PublicKey
from zeppelin_pipeline.atproto.dag_cbor import decode, decode_lenient, encode, to_json
from zeppelin_pipeline.atproto.frames import decode_frame, encode_frame
from zeppelin_pipeline.atproto.repository import open_repository
from zeppelin_pipeline.errors import InvalidDataError

SAMPLE = sample_repository(60)
RECORD = encode(
    {
        "$type": "app.bsky.feed.post",
        "text": "Grüße, 世界",
        "langs": ["de", "ja"],
        "embed": {"$type": "x", "ref": cid_of(b"blob"), "size": 70_000, "alt": None, "ok": True, "low": -5},
        "bytes": b"\x01\x02\x03\x04" + b"x" * 60,
    }
)
FRAME = encode_frame(1, "#commit", {"seq": 5, "blocks": SAMPLE.car[:300], "ops": [{"cid": cid_of(b""), "path": "a/b"}]})
NODE = SAMPLE.blocks[SAMPLE.commit.data]


def walked(blocks: dict[bytes, bytes], root: bytes) -> list[mst.Entry]:
    return list(mst.walk(root, blocks.get))


READERS: dict[str, tuple[Callable[[bytes], Any], bytes]] = {
    "strict CBOR": (decode, RECORD),
    "lenient CBOR": (decode_lenient, RECORD),
    "car": (index_blocks, SAMPLE.car),
    "repository": (open_repository, SAMPLE.car),
    "commit": (decode_commit, encode_commit(SAMPLE.commit)),
    "frame": (decode_frame, FRAME),
    "node": (lambda block: list(mst.walk(b"root", {**SAMPLE.blocks, b"root": block}.get)), NODE),
    "diff": (lambda block: mst.diff(SAMPLE.commit.data, b"new", {**SAMPLE.blocks, b"new": block}.get), NODE),
    "cid": (lambda data: parse_cid(data, 0), cid_of(b"")),
}
# Where, and what is put there in place of how many bytes.
EDITS = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=10) | st.just(b"\xff" * 9), st.integers(0, 12)),
    min_size=1,
    max_size=4,
)
MAX_SECONDS = 2.0


def edited(data: bytes, edits: list[tuple[float, bytes, int]]) -> bytes:
    for place, new, removed in edits:
        at = int(place * len(data))
        data = data[:at] + new + data[at + removed :]
    return data


def read_or_refuse(read: Callable[[bytes], Any], data: bytes) -> Any:
    """Return what was read, or None; any other error than the documented one fails the test."""
    started = time.monotonic()
    value = None
    with suppress(InvalidDataError):
        value = read(data)
    assert time.monotonic() - started < MAX_SECONDS
    return value


@pytest.mark.parametrize("name", READERS)
@given(edits=EDITS)
@settings(max_examples=60, deadline=None)
def test_a_damaged_input_is_read_or_refused(name: str, edits: list[tuple[float, bytes, int]]) -> None:
    read, good = READERS[name]
    read_or_refuse(read, edited(good, edits))


@pytest.mark.parametrize("name", READERS)
@given(data=st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_a_made_up_input_is_read_or_refused(name: str, data: bytes) -> None:
    read_or_refuse(READERS[name][0], data)


@pytest.mark.parametrize("name", ["strict CBOR", "lenient CBOR", "commit", "frame", "node", "cid"])
def test_an_input_cut_off_at_any_place_is_refused(name: str) -> None:
    read, good = READERS[name]
    assert read_or_refuse(read, good) is not None
    for end in range(len(good)):
        assert read_or_refuse(read, good[:end]) is None


@given(data=st.binary(max_size=60), edits=EDITS)
@settings(max_examples=150, deadline=None)
def test_what_strict_decoding_takes_is_canonical_and_taken_leniently(
    data: bytes, edits: list[tuple[float, bytes, int]]
) -> None:
    for block in (data, edited(RECORD, edits)):
        value = read_or_refuse(decode, block)
        if value is not None:
            assert encode(value) == block
            assert decode_lenient(block) == (value, True)
            to_json(value)


@given(edits=EDITS)
@settings(max_examples=40, deadline=None)
def test_a_node_that_is_taken_is_the_one_that_its_entries_build(edits: list[tuple[float, bytes, int]]) -> None:
    blocks = dict(SAMPLE.blocks)
    for cid, block in SAMPLE.blocks.items():
        if block[:3] == b"\xa2\x61e":
            changed = edited(block, edits)
            entries = read_or_refuse(partial(walked, {**blocks, cid: changed}), cid)
            if entries is not None:
                assert mst.build(entries).blocks[mst.root_of(entries)] == changed


@given(st.text(max_size=80) | st.text("adtp:./-zbQ0Z2T+%~_", max_size=40))
def test_no_text_breaks_a_syntax_check(text: str) -> None:
    checks = [getattr(syntax, name) for name in syntax.__all__ if name.startswith("is_")]
    assert all(check(text) in {True, False} for check in checks)
    for read in (cid_from_text, PublicKey.from_did_key, syntax.parse_at_uri, syntax.parse_datetime):
        with suppress(InvalidDataError):
            read(text)


@pytest.mark.parametrize(
    "data",
    [
        b"\x81" * 100_000,
        b"\xa1\x61a" * 100_000,
        b"\x9f" * 100_000,
        b"\xc1" * 100_000,
        b"\x5f" + b"\x40" * 300_000 + b"\xff",
        b"\x9a\x00\x10\x00\x00" + b"\x00" * 0x100000,
        b"\x9b" + b"\xff" * 8,
        b"\xbb\x7f" + b"\xff" * 7,
        b"\x7b\x00\x00\xff\xff\xff\xff\xff\xff",
        b"\xd8\x2a" * 100_000,
    ],
    ids=range(10),
)
def test_an_input_made_to_exhaust_is_answered_soon(data: bytes) -> None:
    for read in (decode, decode_lenient, decode_commit, decode_frame, index_blocks):
        started = time.monotonic()
        with suppress(InvalidDataError):
            read(data)
        assert time.monotonic() - started < 5
