"""Threadgates and postgates: what is valid, where they must stand, and their columns."""

from typing import Any

import pytest

from tests.unit.records.samples import (
    ALICE,
    BOB,
    RKEY,
    list_uri,
    post_uri,
    postgate,
    reason_of,
    row_of,
    threadgate,
)
from zeppelin_pipeline.atproto.dag_cbor import encode

GATE = "app.bsky.feed.threadgate"


def rule(name: str, **fields: Any) -> dict[str, Any]:
    return {"$type": f"{GATE}#{name}", **fields}


@pytest.mark.parametrize(
    ("changes", "allow"),
    [
        ({}, None),
        ({"allow": []}, 0),
        ({"allow": [rule("mentionRule")]}, 1),
        ({"allow": [rule("followingRule"), rule("followerRule")]}, 6),
        ({"allow": [rule("listRule", list=list_uri()), rule("mentionRule")]}, 9),
        ({"allow": [{"$type": "com.example.rule"}]}, 16),
    ],
)
def test_who_may_reply_is_told_by_bits(changes: dict[str, Any], allow: int | None):
    row = row_of(threadgate(**changes))
    assert row["allow"] == allow
    assert row["raw"] == encode(threadgate(**changes))


def test_lists_and_hidden_replies_are_pairs():
    lists = [rule("listRule", list=uri) for uri in (list_uri(), list_uri(BOB, "a"), f"at://{BOB}")]
    row = row_of(threadgate(allow=lists, hiddenReplies=[post_uri(BOB, "r"), "at://bob.test", list_uri()]))
    assert (row["list_dids"], row["list_rkeys"]) == ([ALICE, BOB], ["3klistlistlis", "a"])
    assert (row["hidden_dids"], row["hidden_rkeys"]) == ([BOB], ["r"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"post": "x"}, "post-not-an-at-uri"),
        ({"allow": [rule("mentionRule")] * 6}, "allow-too-many"),
        ({"allow": [{}]}, "rule-without-type"),
        ({"allow": [rule("listRule")]}, "rule-list-missing"),
        ({"hiddenReplies": [post_uri()] * 301}, "hidden-replies-too-many"),
        ({"hiddenReplies": ["x"]}, "hidden-replies-not-an-at-uri"),
        ({"hiddenReplies": None}, "hidden-replies-not-an-array"),
    ],
)
def test_a_threadgate_that_breaks_its_lexicon_is_refused(changes: dict[str, Any], reason: str):
    assert reason_of(threadgate(**changes)) == reason


@pytest.mark.parametrize("make", [threadgate, postgate])
@pytest.mark.parametrize("uri", [post_uri(BOB), post_uri(ALICE, "other"), f"at://{ALICE}/com.example.thing/{RKEY}"])
def test_a_gate_of_another_post_is_set_aside(make: Any, uri: str):
    assert reason_of(make(post=uri)) == "gate-of-another-post"


def test_a_postgate_has_its_rule_and_the_posts_that_it_left():
    rules = [{"$type": "app.bsky.feed.postgate#disableRule"}]
    row = row_of(postgate(embeddingRules=rules, detachedEmbeddingUris=[post_uri(BOB, "q")]))
    assert (row["is_embedding_disabled"], row["detached_dids"], row["detached_rkeys"]) == (True, [BOB], ["q"])


@pytest.mark.parametrize("changes", [{}, {"embeddingRules": []}, {"embeddingRules": [{"$type": "com.example.rule"}]}])
def test_a_postgate_without_the_rule_that_is_known_disables_nothing(changes: dict[str, Any]):
    row = row_of(postgate(**changes))
    assert (row["is_embedding_disabled"], row["detached_dids"]) == (False, None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"embeddingRules": [{}]}, "rule-without-type"),
        ({"embeddingRules": [{"$type": "x"}] * 6}, "embedding-rules-too-many"),
        ({"detachedEmbeddingUris": [post_uri()] * 51}, "detached-embedding-uris-too-many"),
    ],
)
def test_a_postgate_that_breaks_its_lexicon_is_refused(changes: dict[str, Any], reason: str):
    assert reason_of(postgate(**changes)) == reason
