"""DAG-CBOR: known blocks, what strict decoding refuses, what lenient decoding reads, and bytes that resemble links."""

import math
import time
from typing import Any

import libipld
import pytest

from tests.vectors.data_model_cases import BLOCKS, INVALID_RECORDS, VALID_RECORDS, BlockCase
from zeppelin_pipeline.atproto.cid import cid_of, cid_to_text
from zeppelin_pipeline.atproto.dag_cbor import MAX_DEPTH, decode, decode_lenient, encode, from_json, to_json
from zeppelin_pipeline.atproto.data_model import record_from_json
from zeppelin_pipeline.errors import InvalidDataError

LINK = cid_of(b"x")

# Block in hex, the reason of strict decoding, what lenient decoding gives.
READ_LENIENTLY: list[tuple[str, str, Any]] = [
    ("fb3ff8000000000000", "cbor-float", 1.5),
    ("fa3fc00000", "cbor-float", 1.5),
    ("f93e00", "cbor-float", 1.5),
    ("a16161f93e00", "cbor-float", {"a": 1.5}),
    ("f97c00", "cbor-float", math.inf),
    ("f7", "cbor-simple", None),
    ("81f7", "cbor-simple", [None]),
    ("e0", "cbor-simple", 0),
    ("f8ff", "cbor-simple", 255),
    ("1bffffffffffffffff", "cbor-integer", 2**64 - 1),
    ("3b8000000000000000", "cbor-integer", -(2**63) - 1),
    ("1801", "cbor-minimal", 1),
    ("190018", "cbor-minimal", 24),
    ("a178016101", "cbor-minimal", {"a": 1}),
    ("b80161610a", "cbor-minimal", {"a": 10}),
    ("a2616201616102", "cbor-map-order", {"b": 1, "a": 2}),
    ("a2626161016162f6", "cbor-map-order", {"aa": 1, "b": None}),
    ("5f4101ff", "cbor-indefinite", b"\1"),
    ("7f61616162ff", "cbor-indefinite", "ab"),
    ("9f0102ff", "cbor-indefinite", [1, 2]),
    ("bf616101ff", "cbor-indefinite", {"a": 1}),
    ("d82a582300" + "1220" + "4f" * 32, "cbor-link", b"\x12\x20" + b"O" * 32),
    ("d82a5825" + "0001711b20" + "4f" * 32, "cbor-link", b"\x01\x71\x1b\x20" + b"O" * 32),
    ("d82a4101", "cbor-link", b"\1"),
]
# Block in hex, the reason of both ways of decoding.
UNREADABLE = [
    ("", "cbor-truncated"),
    ("a16161", "cbor-truncated"),
    ("8201", "cbor-truncated"),
    ("19ff", "cbor-truncated"),
    ("6261", "cbor-truncated"),
    ("9f01", "cbor-truncated"),
    ("5f4101", "cbor-truncated"),
    ("9bffffffffffffffff", "cbor-truncated"),
    ("9b0000000100000000", "cbor-truncated"),
    ("bb7fffffffffffffff", "cbor-truncated"),
    ("5bffffffffffffffff", "cbor-truncated"),
    ("7b0000ffffffffffff", "cbor-truncated"),
    ("d82a5bffffffffffffffff", "cbor-truncated"),
    ("0000", "cbor-trailing"),
    ("a0f6", "cbor-trailing"),
    ("1c", "cbor-reserved"),
    ("ff", "cbor-reserved"),
    ("f801", "cbor-reserved"),
    ("5f6161ff", "cbor-reserved"),
    ("5f5f4101ffff", "cbor-reserved"),
    ("61ff", "cbor-malformed"),
    ("a161ff01", "cbor-malformed"),
    ("a2616101616102", "cbor-duplicate-key"),
    ("a10102", "cbor-map-key"),
    ("a1a0f6", "cbor-map-key"),
    ("c249010000000000000000", "cbor-tag"),
    ("c001", "cbor-tag"),
    ("d9d9f7a0", "cbor-tag"),
    ("d81c8201d81d00", "cbor-tag"),
]


@pytest.mark.parametrize("case", BLOCKS, ids=lambda case: case.cid[-6:])
def test_a_known_value_has_its_block_and_cid_and_json(case: BlockCase) -> None:
    block = bytes.fromhex(case.block_hex)
    value = from_json(case.json)
    assert encode(value) == block
    assert decode(block) == value
    assert decode_lenient(memoryview(block)) == (value, True)
    assert cid_to_text(cid_of(block)) == case.cid
    assert to_json(value) == case.json


@pytest.mark.parametrize("record", VALID_RECORDS.values(), ids=VALID_RECORDS)
def test_a_valid_record_goes_through_its_block_unchanged(record: Any) -> None:
    value = record_from_json(record)
    assert to_json(decode(encode(value))) == record


@pytest.mark.parametrize(("record", "reason"), INVALID_RECORDS.values(), ids=INVALID_RECORDS)
def test_an_invalid_record_is_refused_with_its_reason(record: Any, reason: str) -> None:
    with pytest.raises(InvalidDataError) as caught:
        record_from_json(record)
    assert caught.value.reason == reason


@pytest.mark.parametrize(("block", "reason", "value"), READ_LENIENTLY)
def test_what_breaks_the_data_model_is_read_leniently_alone(block: str, reason: str, value: Any) -> None:
    with pytest.raises(InvalidDataError) as caught:
        decode(bytes.fromhex(block))
    assert caught.value.reason == reason
    assert decode_lenient(bytes.fromhex(block)) == (value, False)


def test_not_a_number_is_read_leniently_alone() -> None:
    value, is_strict = decode_lenient(bytes.fromhex("fb7ff8000000000000"))
    assert math.isnan(value)
    assert not is_strict


@pytest.mark.parametrize(("block", "reason"), UNREADABLE)
def test_what_is_no_readable_item_is_refused_both_ways(block: str, reason: str) -> None:
    for read in (decode, decode_lenient):
        with pytest.raises(InvalidDataError) as caught:
            read(bytes.fromhex(block))
        assert caught.value.reason == reason


def test_doubled_keys_that_are_no_neighbours_are_refused_both_ways() -> None:
    block = bytes.fromhex("a3616101616202616103")
    for read in (decode, decode_lenient):
        with pytest.raises(InvalidDataError):
            read(block)


@pytest.mark.parametrize("head", [b"\x81", b"\xa1\x61a", b"\x9f", b"\xbf\x61a", b"\xc1", b"\xd8\x2a"])
def test_deep_nesting_is_refused_at_once(head: bytes) -> None:
    started = time.perf_counter()
    for read in (decode, decode_lenient):
        with pytest.raises(InvalidDataError):
            read(head * 100_000 + b"\0")
    assert time.perf_counter() - started < 5


def test_the_deepest_allowed_nesting_is_read_and_one_more_is_not() -> None:
    assert decode(b"\x81" * MAX_DEPTH + b"\0") == decode_lenient(b"\x81" * MAX_DEPTH + b"\0")[0]
    for read in (decode, decode_lenient):
        with pytest.raises(InvalidDataError) as caught:
            read(b"\x81" * (MAX_DEPTH + 1) + b"\0")
        assert caught.value.reason == "cbor-depth"


@pytest.mark.parametrize(
    "value",
    [
        b"\x01\x71\x12\x20" + b"O" * 31,
        b"\x01\x71\x12\x20" + b"O" * 33,
        b"\x12\x20" + b"O" * 32,
        b"\x01\x02\x03\x04" + b"O" * 60,
        b"\x01\x55\x1b\x20" + b"O" * 32,
        b"\x01\x71\x00\x00",
    ],
)
def test_bytes_that_only_resemble_a_link_stay_bytes(value: bytes) -> None:
    record = {"long key": 1, "b": [value, LINK, "text"], "nested": {"x": value}}
    block = encode(record)
    assert block.count(b"\xd8\x2a") == 1
    assert decode(block) == record
    assert decode_lenient(block) == (record, True)


def test_libipld_still_takes_such_bytes_for_links() -> None:
    # When this fails the way around in `encode` can go.
    assert libipld.encode_dag_cbor(b"\x01\x02\x03\x04" + b"O" * 60).startswith(b"\xd8\x2a")


def test_long_strings_and_many_items_have_their_headers_in_the_slow_encoder_too() -> None:
    odd = b"\x12\x20" + b"O" * 32
    for size in (1, 23, 24, 255, 256, 65_535, 65_536):
        value = {"a": b"\0" * size, "b": [1] * size, "c": odd}
        assert decode(encode(value)) == value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (1.5, "cbor-float"),
        ({"a": [1.0]}, "cbor-float"),
        (math.nan, "cbor-encode"),
        (2**63, "cbor-integer"),
        (2**64, "cbor-encode"),
        (-(2**63) - 1, "cbor-integer"),
        ({1: 2}, "cbor-encode"),
        ("\ud800", "cbor-encode"),
        (object(), "cbor-encode"),
        ((1, 2), "cbor-encode"),
        ([b"\x12\x20" + b"O" * 32, object()], "cbor-encode"),
    ],
)
def test_a_value_outside_of_the_data_model_is_not_encoded(value: Any, reason: str) -> None:
    with pytest.raises(InvalidDataError) as caught:
        encode(value)
    assert caught.value.reason == reason


def test_a_value_that_is_too_deep_is_not_encoded() -> None:
    value: Any = 0
    for _ in range(MAX_DEPTH + 1):
        value = [value]
    with pytest.raises(InvalidDataError) as caught:
        encode(value)
    assert caught.value.reason == "cbor-depth"
    for _ in range(100_000):
        value = [value]
    with pytest.raises(InvalidDataError) as caught:
        encode(value)
    with pytest.raises(InvalidDataError) as caught:
        from_json(value)
    assert caught.value.reason == "json-depth"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (2**63, "json-integer"),
        (1e300, "json-integer"),
        (math.inf, "json-float"),
        ({"$bytes": "a"}, "json-bytes"),
        ({"$bytes": "ä"}, "json-bytes"),
        ({"$bytes": "a_-b"}, "json-bytes"),
        (b"bytes", "json-value"),
    ],
)
def test_json_outside_of_the_data_model_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(InvalidDataError) as caught:
        from_json(value)
    assert caught.value.reason == reason
