"""Declarations of an account: what is valid; they are kept whole, without a reason."""

from typing import Any

import pytest

from tests.unit.records.samples import (
    CHAT,
    FETCHED_AT_MICROS,
    GERM,
    NOTIFICATIONS,
    STATUS,
    germ,
    pending_of,
    read,
    reason_of,
    row_of,
    status,
)
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.lake.schemas import RECORD
from zeppelin_pipeline.records.reading import read_family
from zeppelin_pipeline.records.registry import FAMILIES

EXTERNAL = {
    "$type": "app.bsky.embed.external",
    "external": {"uri": "https://example.test/", "title": "t", "description": "d"},
}
MESSAGE_ME = {"messageMeUrl": "https://germ.test/", "showButtonTo": "everyone"}


def notifications(**changes: Any) -> dict[str, Any]:
    return {"$type": NOTIFICATIONS, "allowSubscriptions": "mutuals", **changes}


def chat(**changes: Any) -> dict[str, Any]:
    return {"$type": CHAT, "allowIncoming": "all", **changes}


@pytest.mark.parametrize(
    "record",
    [
        status(),
        status(embed=EXTERNAL, durationMinutes=5),
        status(embed={"$type": "app.bsky.embed.images"}),
        notifications(),
        chat(allowGroupInvites="none"),
        germ(messageMe=MESSAGE_ME, keyPackage=b"", continuityProofs=[bytes(64)]),
    ],
)
def test_a_valid_declaration_is_kept_whole_without_a_reason(record: dict[str, Any]):
    assert read(record).rows.schema == RECORD
    row = row_of(record)
    assert (row["collection"], row["rkey"], row["reason"]) == (record["$type"], "self", None)
    assert row["raw"] == encode(record)
    assert row["indexed_at"].timestamp() == FETCHED_AT_MICROS / 1_000_000


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (status(status=1), "status-not-a-string"),
        (status(durationMinutes=0), "duration-minutes-out-of-range"),
        (status(embed={"$type": "app.bsky.embed.external"}), "embed-external-not-a-map"),
        (status(embed={}), "embed-without-type"),
        (status(createdAt="x"), "created-at-invalid"),
        (notifications(allowSubscriptions=True), "allow-subscriptions-not-a-string"),
        (chat(allowIncoming=None), "allow-incoming-missing"),
        (chat(allowGroupInvites=1), "allow-group-invites-not-a-string"),
        (germ(version="1.1"), "version-too-short"),
        (germ(version="1.1.0-beta-more"), "version-too-long"),
        (germ(currentKey="AAEC"), "current-key-not-bytes"),
        (germ(keyPackage=1), "key-package-not-bytes"),
        (germ(continuityProofs=[b""] * 1001), "continuity-proofs-too-many"),
        (germ(continuityProofs=["x"]), "continuity-proof-not-bytes"),
        (germ(messageMe=MESSAGE_ME | {"messageMeUrl": "x"}), "message-me-url-not-a-uri"),
        (germ(messageMe=MESSAGE_ME | {"showButtonTo": ""}), "show-button-to-too-short"),
    ],
)
def test_a_declaration_that_breaks_its_lexicon_is_refused(record: dict[str, Any], reason: str):
    assert reason_of(record) == reason


@pytest.mark.parametrize("collection", [STATUS, NOTIFICATIONS, CHAT, GERM])
def test_a_declaration_under_another_key_is_set_aside(collection: str):
    reading = read_family(FAMILIES[collection], pending_of(collection, [encode({"$type": collection})], [b"other"]))
    assert [fault.reason for fault in reading.faults] == ["rkey-not-self"]
