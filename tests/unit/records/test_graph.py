"""Follows and blocks: what is valid, their columns, and when their bytes are kept."""

import pytest

from tests.unit.records.samples import ALICE, BLOCK, BOB, FOLLOW, follow, reason_of, row_of, strong_ref
from zeppelin_pipeline.atproto.dag_cbor import encode


@pytest.mark.parametrize("nsid", [FOLLOW, BLOCK])
@pytest.mark.parametrize("subject", [BOB, "did:web:example.test"])
def test_a_canonical_relation_is_columns_alone(nsid: str, subject: str):
    row = row_of(follow(subject=subject) | {"$type": nsid})
    assert (row["did"], row["subject_did"], row["raw"]) == (ALICE, subject, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"createdAt": "2024-05-06T07:08:09.123456+00:00"},
        {"via": strong_ref()},
        {"note": "why"},
    ],
)
def test_a_relation_that_columns_do_not_determine_keeps_its_bytes(changes: dict[str, object]):
    record = follow(**changes)
    assert row_of(record)["raw"] == encode(record)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"subject": "bob.test"}, "subject-not-a-did"),
        ({"subject": strong_ref()}, "subject-not-a-string"),
        ({"subject": None}, "subject-missing"),
        ({"via": "repost"}, "via-not-strong-ref"),
        ({"createdAt": "now"}, "created-at-invalid"),
    ],
)
def test_a_relation_that_breaks_its_lexicon_is_refused_with_the_reason(changes: dict[str, object], reason: str):
    assert reason_of(follow(**changes)) == reason


def test_a_block_may_have_any_via_as_its_lexicon_knows_none():
    assert row_of(follow(via="anything") | {"$type": BLOCK})["raw"] is not None
