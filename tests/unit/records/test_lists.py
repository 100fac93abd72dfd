"""Lists, list items and list blocks: what is valid, their columns, and when these determine the bytes."""

from typing import Any

import pytest

from tests.unit.records.samples import (
    ALICE,
    BOB,
    CREATED_AT,
    LIST,
    blob,
    encode_row,
    facet,
    list_block,
    list_item,
    list_record,
    list_uri,
    read,
    reason_of,
    row_of,
    self_labels,
)
from zeppelin_pipeline.atproto.dag_cbor import encode


def test_a_list_has_its_name_purpose_and_description():
    full = {"description": "d", "descriptionFacets": [facet()], "avatar": blob(), "labels": self_labels("x")}
    row = row_of(list_record(**full))
    assert (row["name"], row["purpose"], row["description"]) == ("friends", "app.bsky.graph.defs#modlist", "d")
    assert row["raw"] == encode(list_record(**full))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": ""}, "name-too-short"),
        ({"name": "x" * 65}, "name-too-long"),
        ({"name": None}, "name-missing"),
        ({"purpose": 1}, "purpose-not-a-string"),
        ({"description": "x" * 301}, "description-too-long"),
        ({"descriptionFacets": {}}, "facets-not-an-array"),
        ({"avatar": blob("image/gif")}, "avatar-media-type"),
        ({"labels": {}}, "labels-without-type"),
        ({"createdAt": "yesterday"}, "created-at-invalid"),
    ],
)
def test_a_list_that_breaks_its_lexicon_is_refused(changes: dict[str, Any], reason: str):
    assert reason_of(list_record(**changes)) == reason


def test_a_purpose_that_nobody_knows_is_valid():
    assert row_of(list_record(purpose="com.example.defs#other"))["purpose"] == "com.example.defs#other"


def test_a_canonical_list_item_is_its_columns():
    row = row_of(list_item())
    assert (row["did"], row["subject_did"], row["list_rkey"]) == (ALICE, BOB, "3klistlistlis")
    assert row["raw"] is None
    assert encode_row("app.bsky.graph.listitem", row) == encode(list_item())


@pytest.mark.parametrize(
    "changes",
    [
        {"createdAt": "2024-05-06T07:08:09Z"},
        {"note": 1},
        {"list": f"at://{ALICE}"},
        {"list": f"at://{ALICE}/app.bsky.feed.post/3kabcdefghij2"},
    ],
)
def test_a_list_item_of_another_form_keeps_its_bytes(changes: dict[str, Any]):
    row = row_of(list_item(**changes))
    assert row["raw"] == encode(list_item(**changes))
    assert (row["list_rkey"] is None) == ("list" in changes)


@pytest.mark.parametrize("uri", [list_uri(BOB), "at://alice.test/app.bsky.graph.list/3klistlistlis", f"at://{BOB}"])
def test_an_item_of_a_list_that_is_not_its_owners_is_set_aside(uri: str):
    assert reason_of(list_item(list=uri)) == "list-of-another-account"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"list": "friends"}, "list-not-an-at-uri"),
        ({"list": None}, "list-missing"),
        ({"subject": "bob.test"}, "subject-not-a-did"),
        ({"list": list_uri(BOB), "createdAt": 5}, "created-at-invalid"),
    ],
)
def test_a_list_item_that_breaks_its_lexicon_is_refused(changes: dict[str, Any], reason: str):
    assert reason_of(list_item(**changes)) == reason


def test_a_canonical_list_block_is_its_columns():
    row = row_of(list_block())
    assert (row["subject_did"], row["subject_rkey"], row["raw"]) == (BOB, "3klistlistlis", None)
    assert encode_row("app.bsky.graph.listblock", row) == encode(list_block())


@pytest.mark.parametrize("uri", [f"at://{BOB}", f"at://bob.test/{LIST}/a", f"at://{BOB}/app.bsky.feed.post/a"])
def test_a_block_of_what_is_no_list_has_no_subject(uri: str):
    row = row_of(list_block(subject=uri))
    assert (row["subject_did"], row["subject_rkey"], row["raw"]) == (None, None, encode(list_block(subject=uri)))


def test_a_list_block_of_no_at_uri_is_refused():
    assert reason_of(list_block(subject=BOB)) == "subject-not-an-at-uri"


def test_valid_and_invalid_items_are_told_apart_in_one_reading():
    records = [list_item(), list_item(list=list_uri(BOB)), list_item(createdAt=CREATED_AT[:19] + "Z")]
    reading = read(*records)
    assert reading.rows["rkey"].to_pylist() == ["3kabcdefghi00", "3kabcdefghi02"]
    assert [(fault.position, fault.reason) for fault in reading.faults] == [(1, "list-of-another-account")]
