"""The demo's check of itself finds what is wrong: a check that cannot fail would prove nothing."""

import json
from typing import Any

import httpx2
import pytest

from zeppelin_pipeline.stack.answers import (
    ApiClient,
    check_feed,
    check_labels,
    check_post,
    check_profile,
    check_totals,
)
from zeppelin_pipeline.stack.tally import Status, Tally
from zeppelin_pipeline.stack.truth import Truth

ANN, BOB = "did:plc:ann", "did:plc:bob"
URI = f"at://{ANN}/app.bsky.feed.post/3kxyz"


@pytest.fixture
def truth() -> Truth:
    truth = Truth(active={ANN}, inactive={BOB}, entries=3, profiles={ANN: {"displayName": "Ann"}})
    truth.posts[URI] = {"text": "hello"}
    truth.likes[URI].add(BOB)
    truth.followers[ANN].add(BOB)
    return truth


PROFILE = {
    "did": ANN,
    "handle": "ann.test",
    "displayName": "Ann",
    "followersCount": 1,
    "followsCount": 0,
    "postsCount": 1,
}
POST = {"uri": URI, "record": {"text": "hello"}, "likeCount": 1, "repostCount": 0, "replyCount": 0, "quoteCount": 0}


def api_with(**changes: Any) -> ApiClient:
    """An API that answers rightly but for the changes."""
    answers = {
        "app.bsky.actor.getProfile": PROFILE | changes.get("profile", {}),
        "com.atproto.identity.resolveIdentity": {
            "did": changes.get("resolved", ANN),
            "didDoc": {"alsoKnownAs": changes.get("names", ["at://ann.test"])},
        },
        "app.bsky.feed.getPosts": {"posts": changes.get("posts", [POST | changes.get("post", {})])},
    }

    def answer(request: httpx2.Request) -> httpx2.Response:
        method = request.url.path.rpartition("/")[2]
        if method == "app.bsky.feed.getAuthorFeed":
            pages = changes.get("pages", [[{"post": POST}]])
            number = int(request.url.params.get("cursor", "0"))
            cursor = {"cursor": str(number + 1)} if number + 1 < len(pages) else {}
            return httpx2.Response(200, content=json.dumps({"feed": pages[number]} | cursor))
        return httpx2.Response(200, content=json.dumps(answers[method]))

    return ApiClient(httpx2.Client(transport=httpx2.MockTransport(answer), base_url="http://api.test"))


def test_right_answers_leave_nothing_to_say(truth: Truth) -> None:
    api = api_with()
    assert [*check_profile(api, truth, ANN), *check_post(api, truth, URI), *check_feed(api, truth, ANN)] == []


@pytest.mark.parametrize(
    "change",
    [
        {"profile": {"followersCount": 2}},
        {"profile": {"followsCount": 1}},
        {"profile": {"postsCount": 0}},
        {"profile": {"displayName": "Anne"}},
        {"profile": {"description": "invented"}},
        {"resolved": BOB},
        {"names": ["at://other.test"]},
    ],
)
def test_a_wrong_profile_is_found(truth: Truth, change: dict[str, Any]) -> None:
    assert len(list(check_profile(api_with(**change), truth, ANN))) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"post": {"likeCount": 0}},
        {"post": {"replyCount": 1}},
        {"post": {"quoteCount": 1}},
        {"post": {"record": {"text": "hullo"}}},
        {"posts": []},
    ],
)
def test_a_wrong_post_is_found(truth: Truth, change: dict[str, Any]) -> None:
    assert len(list(check_post(api_with(**change), truth, URI))) == 1


def test_a_feed_is_read_to_its_last_page_and_reposts_are_not_counted(truth: Truth) -> None:
    repost = {"post": POST | {"uri": f"at://{BOB}/app.bsky.feed.post/1"}, "reason": {"by": {}}}
    assert list(check_feed(api_with(pages=[[repost], [{"post": POST}]]), truth, ANN)) == []
    assert len(list(check_feed(api_with(pages=[[{"post": POST}], [{"post": POST}]]), truth, ANN))) == 1
    assert len(list(check_feed(api_with(pages=[[]]), truth, ANN))) == 1


def label(value: str, src: str = BOB) -> dict[str, str]:
    return {"src": src, "uri": URI, "val": value, "cts": "2026-01-01T00:00:00.000Z"}


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"post": {"labels": [label("bread"), label("mine", ANN)]}}, 0),
        ({}, 1),
        ({"post": {"labels": [label("bread"), label("taken-back")]}}, 1),
        ({"post": {"labels": [label("bread", ANN)]}}, 1),
        ({"post": {"labels": [label("bread")]}, "profile": {"labels": [label("bread")]}}, 1),
    ],
)
def test_labels_that_lack_or_should_not_be_there_are_found(changes: dict[str, Any], wrong: int) -> None:
    truth = Truth(labeler=BOB, labels={URI: ["bread"], ANN: []})
    assert len(list(check_labels(api_with(**changes), truth, 0.0))) == wrong


def status(**changes: Any) -> Status:
    right: dict[str, Any] = {
        "tally": Tally(shards=1, entries=3, quarantined=1),
        "hosts": {},
        "repositories": {"synchronized": 1, "absent, deactivated": 1},
        "rows": {"post": 2},
        "rejected": {},
        "bytes_stored": 1,
    }
    return Status(**(right | changes))


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({}, 0),
        ({"rows": {"post": 1}}, 1),
        ({"tally": Tally(shards=1, entries=4, quarantined=2)}, 1),
        ({"repositories": {"synchronized": 1}}, 1),
        ({"repositories": {"absent, deactivated": 2}}, 1),
    ],
)
def test_totals_that_do_not_close_are_found(truth: Truth, changes: dict[str, Any], wrong: int) -> None:
    assert len(list(check_totals(status(**changes), truth))) == wrong
