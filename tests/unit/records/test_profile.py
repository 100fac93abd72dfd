"""Profiles: what is valid, and their columns."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.records.samples import (
    BOB,
    CREATED_AT,
    FETCHED_AT_MICROS,
    PROFILE,
    RAW_CID,
    blob,
    pending_of,
    profile,
    reason_of,
    row_of,
    strong_ref,
)
from zeppelin_pipeline.atproto.cid import cid_of, cid_to_text
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.records.reading import read_family
from zeppelin_pipeline.records.registry import FAMILIES


def test_a_profile_keeps_its_names_and_its_bytes():
    record = profile(description="about", createdAt=CREATED_AT, avatar=blob(), pinnedPost=strong_ref())
    row = row_of(record)
    assert (row["rkey"], row["display_name"], row["description"]) == ("self", "Alice", "about")
    assert (row["cid"], row["raw"], row["indexed_at"]) == (cid_of(encode(record)), encode(record), None)


def test_an_empty_profile_is_valid_and_indexed_when_it_was_fetched():
    row = row_of({"$type": PROFILE})
    assert (row["display_name"], row["created_at"]) == (None, None)
    assert row["indexed_at"] == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=FETCHED_AT_MICROS)


def test_a_profile_names_the_starter_pack_by_which_its_account_joined():
    pack = strong_ref(f"at://{BOB}/app.bsky.graph.starterpack/3kabcdefghij2")
    joined, elsewhere = row_of(profile(joinedViaStarterPack=pack)), row_of(profile(joinedViaStarterPack=strong_ref()))
    assert (joined["pack_did"], joined["pack_rkey"]) == (BOB, "3kabcdefghij2")
    assert (elsewhere["pack_did"], elsewhere["pack_rkey"]) == (None, None)


def test_a_legacy_blob_is_valid():
    legacy = {"cid": cid_to_text(RAW_CID), "mimeType": "image/jpeg"}
    assert row_of(profile(avatar=legacy))["display_name"] == "Alice"


def test_only_the_record_key_self_is_a_profile():
    reading = read_family(FAMILIES[PROFILE], pending_of(PROFILE, [encode(profile())], [b"other"]))
    assert [fault.reason for fault in reading.faults] == ["rkey-not-self"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"displayName": "a" * 641}, "display-name-too-long"),
        ({"displayName": "é" * 65}, "display-name-too-long"),
        ({"displayName": None}, "display-name-missing"),
        ({"description": 1}, "description-not-a-string"),
        ({"pronouns": "they/" * 20}, "pronouns-too-long"),
        ({"website": "no scheme"}, "website-not-a-uri"),
        ({"avatar": blob("image/gif")}, "avatar-media-type"),
        ({"avatar": blob(size=1_000_001)}, "avatar-too-large"),
        ({"avatar": blob(size=-1)}, "avatar-size-out-of-range"),
        ({"banner": {**blob(), "extra": 1}}, "banner-not-a-blob"),
        ({"banner": {**blob(), "ref": b"\x01\x71\x12\x20" + bytes(32)}}, "banner-not-a-blob"),
        ({"avatar": {"cid": "?", "mimeType": "image/png"}}, "avatar-not-a-blob"),
        ({"labels": ["porn"]}, "labels-without-type"),
        ({"pinnedPost": {}}, "pinned-post-not-strong-ref"),
        ({"joinedViaStarterPack": {}}, "joined-via-starter-pack-not-strong-ref"),
        ({"createdAt": "2024"}, "created-at-invalid"),
    ],
)
def test_a_profile_that_breaks_its_lexicon_is_refused_with_the_reason(changes: dict[str, object], reason: str):
    assert reason_of(profile(**changes)) == reason
