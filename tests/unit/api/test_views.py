"""Views, where the rows are odd."""

from datetime import UTC, datetime

import pytest

from zeppelin_api.hydration.feeds import FeedItem
from zeppelin_api.hydration.posts import PostKey
from zeppelin_api.hydration.state import Post
from zeppelin_api.times import iso, read_time
from zeppelin_api.views.context import present
from zeppelin_api.views.feeds import self_threads
from zeppelin_api.views.labels import self_labels
from zeppelin_api.views.media_urls import MediaUrls, blob_cid

AT = datetime(2024, 1, 1, tzinfo=UTC)


def _post(name: str, parent: str | None = None) -> Post:
    reply = {} if parent is None else {"reply": {"root": {"uri": "0"}, "parent": {"uri": parent}}}
    return Post(PostKey(0, 0), name, "cid", "did", {"text": name, **reply}, AT, 0, 0, 0, 0)


def _shown(*posts: Post, unlisted: tuple[Post, ...] = ()) -> list[str]:
    items = [FeedItem(post.uri) for post in posts]
    return [item.post_uri for item in self_threads(items, {post.uri: post for post in (*posts, *unlisted)})]


def test_a_self_thread_is_shown_whole():
    assert _shown(_post("2", "1"), _post("1", "0"), _post("0")) == ["2", "1", "0"]


def test_a_reply_below_a_gap_is_left_out_of_a_self_thread():
    assert _shown(_post("2", "1"), _post("0"), unlisted=(_post("1", "0"),)) == ["0"]


def test_replies_in_a_circle_are_left_out_and_end():
    assert _shown(_post("1", "2"), _post("2", "1"), _post("3", "3")) == []


def test_reposts_and_pins_need_no_thread():
    items = [FeedItem("a", is_pinned=True), FeedItem("b", repost_uri="r"), FeedItem("c")]
    posts = {name: _post(name, "gone") for name in "abc"}

    assert self_threads(items, posts) == items[:2]


@pytest.mark.parametrize(
    ("blob", "cid"),
    [
        ({"$type": "blob", "ref": {"$link": "new"}, "mimeType": "image/png", "size": 1}, "new"),
        ({"cid": "old", "mimeType": "image/png"}, "old"),
        ({"$type": "blob", "ref": "text"}, None),
        ({"$type": "blob", "ref": {"$link": 1}}, None),
        ({}, None),
        ("text", None),
        (None, None),
    ],
)
def test_a_blobs_cid_is_read_from_both_its_forms_and_nothing_else(blob: object, cid: str | None):
    assert blob_cid(blob) == cid


def test_urls_follow_the_patterns_and_video_hosts_get_the_did_escaped():
    urls = MediaUrls("i/{preset}/{did}/{cid}", "p/{did}/{cid}", "t/{did}/{cid}")

    assert urls.image("avatar", "did:plc:a", {"cid": "x"}) == "i/avatar/did:plc:a/x"
    assert urls.image("avatar", "did:plc:a", None) is None
    assert urls.playlist("did:plc:a", "x") == "p/did%3Aplc%3Aa/x"
    assert urls.thumbnail("did:plc:a", "x") == "t/did%3Aplc%3Aa/x"


def test_an_author_labels_a_record_with_what_it_calls_itself():
    labels = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "a"}, {"val": 1}, "b"]}
    uri = "at://did:plc:a/c/r"

    label = {"src": "did:plc:a", "uri": uri, "cid": "x", "val": "a", "cts": "2024-01-02T03:04:05.670Z"}
    assert self_labels(uri, "x", {"labels": labels, "createdAt": "2024-01-02T03:04:05.67Z"}) == [label]
    assert self_labels(uri, "x", {"labels": labels})[0]["cts"] == "1970-01-01T00:00:00.000Z"
    assert self_labels(uri, "x", {"labels": {"values": [{"val": "a"}]}}) == []
    assert self_labels(uri, None, None) == []


def test_times_are_cut_to_milliseconds_and_written_with_z():
    assert iso(datetime(2024, 1, 2, 3, 4, 5, 678999, tzinfo=UTC)) == "2024-01-02T03:04:05.678Z"
    assert iso(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00.000Z"


@pytest.mark.parametrize("value", ["yesterday", "", None, 5, "2024-13-01T00:00:00Z"])
def test_a_claim_that_is_no_time_is_none(value: object):
    assert read_time(value) is None


def test_what_is_none_is_left_out_and_what_is_empty_is_kept():
    assert present(a=None, b=0, c="", d=[], e=False) == {"b": 0, "c": "", "d": [], "e": False}
