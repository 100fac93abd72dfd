"""Records that are kept whole: collections without a family, and whatever cannot be a record."""

import pytest

from tests.unit.records.samples import ALICE, FETCHED_AT_MICROS, LIKE, SOURCE, like, pending_of, read_blocks
from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.records.whole import MAX_RECORD_BYTES, invalid_records, read_whole, rejections

THING = "com.example.thing"
NOT_STRICT = b"\xa1\x65$type\xf9\x3c\x00"  # a half float
BROKEN = b"\xa1\x65$type"


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (encode({"$type": THING, "any": [1, None, "thing"]}), None),
        (encode({"$type": "com.example.other"}), "type-mismatch"),
        (encode({"no": "type"}), "type-mismatch"),
        (encode([1, 2]), "not-a-map"),
        (encode("text"), "not-a-map"),
        (NOT_STRICT, "cbor-not-strict"),
        (BROKEN, "cbor-truncated"),
        (b"", "cbor-truncated"),
        (b"\x81" * 100 + b"\x00", "cbor-depth"),
        (encode({"$type": THING, "text": "a" * MAX_RECORD_BYTES}), "record-too-large"),
    ],
)
def test_a_record_without_a_family_is_kept_with_what_is_wrong_with_it(block: bytes, reason: str | None):
    rows, faults = read_whole(pending_of(THING, [block]))
    (row,) = rows.to_pylist()
    assert (row["did"], row["collection"], row["cid"], row["raw"]) == (ALICE, THING, cid_of(block), block)
    assert row["reason"] == reason
    assert [fault.reason for fault in faults] == ([reason] if reason else [])
    assert row["indexed_at"].timestamp() == FETCHED_AT_MICROS / 1_000_000


def test_records_of_several_collections_stay_apart():
    pending = pending_of(THING, [encode({"$type": THING})])
    other = encode({"$type": "com.example.other"})
    pending.add(SOURCE, "com.example.other", [b"key"], [cid_of(other)], [other])
    rows, faults = read_whole(pending)
    assert rows.column("collection").to_pylist() == [THING, "com.example.other"]
    assert faults == []


def test_an_invalid_like_is_kept_with_its_bytes_and_counted():
    good, bad = encode(like()), encode(like(createdAt="never"))
    pending = pending_of(LIKE, [good, bad, BROKEN])
    faults = read_blocks(LIKE, good, bad, BROKEN).faults
    kept = invalid_records(pending, faults).to_pylist()
    assert [(row["rkey"], row["reason"], row["raw"]) for row in kept] == [
        ("3kabcdefghi01", "created-at-invalid", bad),
        ("3kabcdefghi02", "cbor-truncated", BROKEN),
    ]
    counted = rejections(pending, faults).to_pylist()
    assert [(row["scope"], row["host"], row["collection"], row["records"]) for row in counted] == [
        ("record", "pds.test", LIKE, 1),
        ("record", "pds.test", LIKE, 1),
    ]
