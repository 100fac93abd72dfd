"""Starter packs, verifications, feed generators and labelers: what is valid, and their columns."""

from typing import Any

import pytest

from tests.unit.records.samples import (
    ALICE,
    BOB,
    blob,
    facet,
    generator,
    label_definition,
    labeler,
    pending_of,
    reason_of,
    row_of,
    self_labels,
    starter_pack,
    verification,
)
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.records.reading import read_family
from zeppelin_pipeline.records.registry import FAMILIES

FEED = f"at://{BOB}/app.bsky.feed.generator/sea"


def test_a_starter_pack_has_its_list_and_feeds():
    row = row_of(starter_pack(description="d", feeds=[{"uri": FEED}]))
    assert (row["name"], row["description"], row["feeds"]) == ("pack", "d", [FEED])
    assert (row["list_did"], row["list_rkey"]) == (ALICE, "3klistlistlis")
    assert row_of(starter_pack(list="at://alice.test"))["list_did"] is None
    assert row_of(starter_pack(feeds=[]))["feeds"] is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": ""}, "name-too-short"),
        ({"name": "x" * 51}, "name-too-long"),
        ({"list": "x"}, "list-not-an-at-uri"),
        ({"feeds": [{"uri": FEED}] * 4}, "feeds-too-many"),
        ({"feeds": [FEED]}, "feed-not-a-map"),
        ({"feeds": [{}]}, "feed-missing"),
        ({"descriptionFacets": [{}]}, "facet-index-not-a-map"),
    ],
)
def test_a_starter_pack_that_breaks_its_lexicon_is_refused(changes: dict[str, Any], reason: str):
    assert reason_of(starter_pack(**changes)) == reason


def test_a_verification_says_whom_and_how_it_was_called():
    row = row_of(verification(displayName=""))
    assert (row["subject_did"], row["handle"], row["display_name"]) == (BOB, "bob.test", "")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"handle": "bob"}, "handle-not-a-handle"),
        ({"subject": "bob.test"}, "subject-not-a-did"),
        ({"displayName": None}, "display-name-missing"),
    ],
)
def test_a_verification_that_breaks_its_lexicon_is_refused(changes: dict[str, Any], reason: str):
    assert reason_of(verification(**changes)) == reason


def test_a_generator_has_its_service_and_names():
    rest = {"acceptsInteractions": True, "contentMode": "x", "labels": self_labels(), "descriptionFacets": [facet()]}
    row = row_of(generator(description="d", avatar=blob(), **rest))
    assert (row["service_did"], row["display_name"], row["description"]) == ("did:web:feeds.test", "Sea", "d")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"did": "feeds.test"}, "did-not-a-did"),
        ({"displayName": "x" * 25}, "display-name-too-long"),
        ({"acceptsInteractions": 1}, "accepts-interactions-not-a-boolean"),
        ({"contentMode": 1}, "content-mode-not-a-string"),
        ({"avatar": blob(size=1_000_001)}, "avatar-too-large"),
    ],
)
def test_a_generator_that_breaks_its_lexicon_is_refused(changes: dict[str, Any], reason: str):
    assert reason_of(generator(**changes)) == reason


def test_a_labeler_has_its_values():
    rest = {"reasonTypes": ["x"], "subjectTypes": ["account"], "subjectCollections": ["app.bsky.feed.post"]}
    policies = {"labelValues": ["spam", "bread"], "labelValueDefinitions": [label_definition(adultOnly=False)]}
    assert row_of(labeler(policies=policies, labels=self_labels("x"), **rest))["label_values"] == ["spam", "bread"]
    assert row_of(labeler(policies={"labelValues": []}))["label_values"] is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"policies": {}}, "label-values-not-an-array"),
        ({"policies": None}, "policies-not-a-map"),
        ({"policies": {"labelValues": [1]}}, "label-value-not-a-string"),
        ({"subjectCollections": ["post"]}, "subject-collection-not-an-nsid"),
        ({"reasonTypes": [1]}, "reason-type-not-a-string"),
        ({"subjectTypes": [1]}, "subject-type-not-a-string"),
    ],
)
def test_a_labeler_that_breaks_its_lexicon_is_refused(changes: dict[str, Any], reason: str):
    assert reason_of(labeler(**changes)) == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"identifier": "x" * 101}, "label-identifier-too-long"),
        ({"severity": None}, "label-severity-missing"),
        ({"blurs": 1}, "label-blurs-not-a-string"),
        ({"adultOnly": "no"}, "label-adult-only-not-a-boolean"),
        ({"defaultSetting": 1}, "label-default-setting-not-a-string"),
        ({"locales": [{"lang": "?", "name": "", "description": ""}]}, "label-locale-lang-not-a-language"),
        ({"locales": [{"lang": "en", "name": "x" * 65, "description": ""}]}, "label-locale-name-too-long"),
        ({"locales": [{"lang": "en", "name": ""}]}, "label-locale-description-missing"),
    ],
)
def test_a_labelers_definition_that_breaks_its_lexicon_is_refused(changes: dict[str, Any], reason: str):
    policies = {"labelValues": [], "labelValueDefinitions": [label_definition(**changes)]}
    assert reason_of(labeler(policies=policies)) == reason


def test_a_labeler_under_another_key_is_set_aside():
    family = FAMILIES["app.bsky.labeler.service"]
    reading = read_family(family, pending_of(family.nsid, [encode(labeler())], [b"other"]))
    assert [fault.reason for fault in reading.faults] == ["rkey-not-self"]
