"""Likes and reposts: what is valid, their columns, and when their bytes are kept."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.records.samples import (
    ALICE,
    BOB,
    CREATED_AT_MICROS,
    FETCHED_AT_MICROS,
    LIKE,
    POST,
    RAW_CID,
    RECORD_CID,
    REPOST,
    like,
    read,
    read_blocks,
    reason_of,
    row_of,
    strong_ref,
)
from zeppelin_pipeline.atproto.dag_cbor import encode

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
VIA = strong_ref(f"at://{BOB}/{REPOST}/3kabcdefghij3")


def test_a_usual_like_is_columns_alone():
    assert row_of(like()) == {
        "did": ALICE,
        "rkey": "3kabcdefghi00",
        "subject_did": BOB,
        "subject_collection": POST,
        "subject_rkey": "3kabcdefghij2",
        "subject_cid": RECORD_CID,
        "via_did": None,
        "via_rkey": None,
        "via_cid": None,
        "created_at": EPOCH + timedelta(microseconds=CREATED_AT_MICROS),
        "indexed_at": None,
        "raw": None,
    }


@pytest.mark.parametrize("nsid", [LIKE, REPOST])
def test_a_like_through_a_repost_keeps_the_repost_in_columns(nsid: str):
    row = row_of(like(via=VIA) | {"$type": nsid})
    assert (row["via_did"], row["via_rkey"], row["via_cid"], row["raw"]) == (BOB, "3kabcdefghij3", RECORD_CID, None)


@pytest.mark.parametrize(
    "subject",
    [
        strong_ref("at://did:web:example.test/app.bsky.feed.post/3kabcdefghij2"),
        strong_ref(f"at://{BOB}/app.bsky.feed.generator/whats-hot"),
        strong_ref(f"at://{BOB}/app.bsky.labeler.service/self"),
    ],
)
def test_an_unusual_subject_with_a_numbered_collection_needs_no_raw(subject: dict[str, str]):
    row = row_of(like(subject=subject))
    uri = f"at://{row['subject_did']}/{row['subject_collection']}/{row['subject_rkey']}"
    assert (uri, row["raw"]) == (subject["uri"], None)


@pytest.mark.parametrize(
    "changes",
    [
        {"createdAt": "2024-05-06T07:08:09.123456Z"},
        {"createdAt": "2024-05-06T07:08:09.123000Z"},
        {"createdAt": "2024-05-06T07:08:09Z"},
        {"createdAt": "2024-05-06T09:08:09.123+02:00"},
        {"extra": "field"},
        {"subject": {**strong_ref(), "$type": "com.atproto.repo.strongRef"}},
        {"subject": strong_ref(f"at://{BOB}/com.example.thing/3kabcdefghij2")},
        {"subject": strong_ref(cid=RAW_CID)},
        {"via": strong_ref()},
    ],
)
def test_a_like_that_columns_do_not_determine_keeps_its_bytes(changes: dict[str, object]):
    record = like(**changes)
    row = row_of(record)
    assert row["raw"] == encode(record)
    assert row["subject_did"] == BOB


def test_a_like_of_a_handle_is_valid_without_subject_columns():
    record = like(subject=strong_ref(f"at://bob.test/{POST}/3kabcdefghij2"))
    row = row_of(record)
    assert (row["subject_did"], row["subject_collection"], row["subject_rkey"]) == (None, None, None)
    assert row["raw"] == encode(record)


def test_a_via_that_is_not_a_repost_leaves_its_columns_empty():
    row = row_of(like(via=strong_ref()))
    assert (row["via_did"], row["via_rkey"], row["via_cid"]) == (None, None, None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"subject": None}, "subject-missing"),
        ({"subject": "at://x"}, "subject-not-strong-ref"),
        ({"subject": {"uri": f"at://{BOB}/{POST}/a"}}, "subject-not-strong-ref"),
        ({"subject": {**strong_ref(), "$type": "com.example.ref"}}, "subject-not-strong-ref"),
        ({"subject": strong_ref("https://example.test/")}, "subject-uri-invalid"),
        ({"subject": strong_ref() | {"cid": "not a cid"}}, "subject-cid-invalid"),
        ({"createdAt": None}, "created-at-missing"),
        ({"createdAt": 5}, "created-at-invalid"),
        ({"createdAt": "yesterday"}, "created-at-invalid"),
        ({"createdAt": "2024-02-30T00:00:00.000Z"}, "created-at-invalid"),
        ({"createdAt": "2024-05-06T24:08:09.123Z"}, "created-at-invalid"),
        ({"via": None}, "via-missing"),
        ({"via": strong_ref("nowhere")}, "via-uri-invalid"),
        ({"$type": REPOST}, "type-mismatch"),
    ],
)
def test_a_like_that_breaks_its_lexicon_is_refused_with_the_reason(changes: dict[str, object], reason: str):
    (fault,) = read_blocks(LIKE, encode(like(**changes))).faults
    assert fault.reason == reason


def test_a_like_without_a_subject_is_refused():
    record = like()
    del record["subject"]
    assert reason_of(record) == "subject-missing"


def test_one_bad_like_among_good_ones_costs_only_itself():
    reading = read(like(), like(subject="?"), like(createdAt="2024-05-06T07:08:09Z"), like(via=VIA), like())
    assert [row["rkey"][-2:] for row in reading.rows.to_pylist()] == ["00", "02", "03", "04"]
    assert [fault.position for fault in reading.faults] == [1]


def test_a_like_from_the_future_is_indexed_when_it_was_fetched():
    row = row_of(like(createdAt="2999-01-01T00:00:00.000Z"))
    assert row["indexed_at"] == EPOCH + timedelta(microseconds=FETCHED_AT_MICROS)


def test_a_header_longer_than_needed_is_not_taken_for_canonical():
    block = encode(like())
    longer = block.replace(b"\x67subject", b"\x78\x07subject")
    assert [fault.reason for fault in read_blocks(LIKE, longer).faults] == ["cbor-not-strict"]
