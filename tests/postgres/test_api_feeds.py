"""`app.bsky.feed.getAuthorFeed`."""

from typing import Any

import pytest

from tests.api_client import ApiClient, running_api
from tests.factories import WarehouseFactory, blob

NSID = "app.bsky.feed.getAuthorFeed"
IMAGES = {"$type": "app.bsky.embed.images", "images": [{"image": blob("image"), "alt": ""}]}
VIDEO = {"$type": "app.bsky.embed.video", "video": blob("video", "video/mp4")}


def _texts(feed: list[dict[str, Any]]) -> list[str]:
    return [item["post"]["record"]["text"] for item in feed]


async def test_a_feed_runs_from_the_newest_post_or_repost_to_the_oldest(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    other = warehouse.post(bob, "by bob")
    warehouse.post(alice, "first")
    repost = warehouse.repost(alice, other)
    warehouse.post(alice, "last")

    feed = (await api.get(NSID, actor="alice.test"))["feed"]

    assert _texts(feed) == ["last", "by bob", "first"]
    assert [sorted(item) for item in feed] == [["post"], ["post", "reason"], ["post"]]
    reason = feed[1]["reason"]
    assert reason["$type"] == "app.bsky.feed.defs#reasonRepost"
    assert reason["by"]["did"] == alice.did
    assert (reason["uri"], reason["cid"]) == (repost.uri, repost.cid)
    assert feed[1]["post"]["author"]["did"] == bob.did


async def test_a_repost_by_way_of_another_has_its_true_cid(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob, carol = (warehouse.account(f"{name}.test") for name in ("alice", "bob", "carol"))
    post = warehouse.post(carol)
    via = warehouse.repost(bob, post, rkey="not-a-tid")
    repost = warehouse.repost(alice, post, via=via)

    (item,) = (await api.get(NSID, actor=alice.did))["feed"]

    assert item["reason"]["cid"] == repost.cid


async def test_of_two_reposts_of_one_post_only_the_first_is_shown(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    post = warehouse.post(bob)
    first = warehouse.repost(alice, post)
    warehouse.repost(alice, post)

    (item,) = (await api.get(NSID, actor=alice.did))["feed"]

    assert item["reason"]["uri"] == first.uri


async def test_reposts_of_what_is_not_shown_are_left_out_and_the_page_is_filled_up(
    api: ApiClient, warehouse: WarehouseFactory
):
    alice, gone = warehouse.account("alice.test"), warehouse.account("gone.test", status="deactivated")
    for number in range(3):
        warehouse.post(alice, str(number))
    for _ in range(5):
        warehouse.repost(alice, warehouse.post(gone))

    body = await api.get(NSID, actor=alice.did, limit=2)

    assert _texts(body["feed"]) == ["2", "1"]
    assert "cursor" in body


async def test_a_reply_shows_what_it_answers(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob, carol = (warehouse.account(f"{name}.test") for name in ("alice", "bob", "carol"))
    root = warehouse.post(bob, "root")
    middle = warehouse.post(carol, "middle", reply_to=root)
    warehouse.post(alice, "to root", reply_to=root)
    warehouse.post(alice, "to middle", reply_to=middle)

    to_middle, to_root = (await api.get(NSID, actor=alice.did))["feed"]

    assert to_middle["reply"]["parent"]["record"]["text"] == "middle"
    assert to_middle["reply"]["root"]["record"]["text"] == "root"
    assert to_middle["reply"]["grandparentAuthor"]["handle"] == "bob.test"
    assert to_root["reply"]["parent"] == to_root["reply"]["root"]
    assert "grandparentAuthor" not in to_root["reply"]


async def test_a_reply_to_what_is_gone_says_so(api: ApiClient, warehouse: WarehouseFactory):
    alice, gone = warehouse.account("alice.test"), warehouse.account("gone.test", status="takendown")
    root = warehouse.post(gone)
    warehouse.post(alice, reply_to=root)

    (item,) = (await api.get(NSID, actor=alice.did))["feed"]

    not_found = {"$type": "app.bsky.feed.defs#notFoundPost", "uri": root.uri, "notFound": True}
    assert item["reply"] == {"root": not_found, "parent": not_found}


async def test_a_block_between_others_hides_a_reply_only_where_the_operator_wants_it(
    api: ApiClient, warehouse: WarehouseFactory, postgres_url: str
):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    root = warehouse.post(bob, "root")
    warehouse.post(alice, reply_to=root)
    warehouse.block(bob, alice)

    (item,) = (await api.get(NSID, actor=alice.did))["feed"]
    assert item["reply"]["parent"]["record"]["text"] == "root"
    async with running_api(postgres_url, third_party_blocks_hide=True) as strict:
        (item,) = (await strict.get(NSID, actor=alice.did))["feed"]
    assert item["reply"]["parent"]["$type"] == "app.bsky.feed.defs#blockedPost"
    assert item["reply"]["root"]["author"] == {"did": bob.did}


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("posts_with_replies", ["repost", "own reply", "reply", "video", "image", "plain"]),
        ("posts_no_replies", ["repost", "video", "image", "plain"]),
        ("posts_with_media", ["image"]),
        ("posts_with_video", ["video"]),
        ("posts_and_author_threads", ["repost", "own reply", "video", "image", "plain"]),
        ("posts_of_an_unknown_kind", ["repost", "own reply", "reply", "video", "image", "plain"]),
    ],
)
async def test_filters_choose_what_a_feed_shows(
    api: ApiClient, warehouse: WarehouseFactory, name: str, texts: list[str]
):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    root = warehouse.post(bob, "root")
    repost = warehouse.post(bob, "repost", embed=IMAGES)
    plain = warehouse.post(alice, "plain")
    warehouse.post(alice, "image", embed=IMAGES)
    warehouse.post(alice, "video", embed=VIDEO)
    warehouse.post(alice, "reply", reply_to=root)
    warehouse.post(alice, "own reply", reply_to=plain)
    warehouse.repost(alice, repost)

    assert _texts((await api.get(NSID, actor=alice.did, filter=name))["feed"]) == texts


async def test_author_threads_show_a_reply_only_with_the_whole_thread_above_it(
    api: ApiClient, warehouse: WarehouseFactory
):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    root = warehouse.post(alice, "root")
    own = warehouse.post(alice, "own", reply_to=root)
    warehouse.post(alice, "own again", reply_to=own)
    between = warehouse.post(bob, "between", reply_to=root)
    warehouse.post(alice, "after another", reply_to=between)

    feed = (await api.get(NSID, actor=alice.did, filter="posts_and_author_threads"))["feed"]

    assert _texts(feed) == ["own again", "own", "root"]


async def test_a_pinned_post_leads_the_first_page_alone(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")
    pinned = warehouse.post(alice, "pinned")
    for number in range(3):
        warehouse.post(alice, str(number))
    warehouse.profile(alice, pinnedPost=pinned.strong)

    body = await api.get(NSID, actor=alice.did, includePins="true", limit=2)
    rest = await api.get(NSID, actor=alice.did, includePins="true", cursor=body["cursor"])

    assert _texts(body["feed"]) == ["pinned", "2", "1"]
    assert body["feed"][0]["reason"] == {"$type": "app.bsky.feed.defs#reasonPin"}
    assert _texts(rest["feed"]) == ["0", "pinned"]
    assert "reason" not in rest["feed"][1]
    assert (await api.get("app.bsky.actor.getProfile", actor=alice.did))["pinnedPost"] == pinned.strong


async def test_a_post_of_another_cannot_be_pinned(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    warehouse.profile(alice, pinnedPost=warehouse.post(bob, "by bob").strong)
    warehouse.post(alice, "own")

    assert _texts((await api.get(NSID, actor=alice.did, includePins="true"))["feed"]) == ["own"]


async def test_pages_join_to_the_whole_feed_even_where_times_and_keys_are_equal(
    api: ApiClient, warehouse: WarehouseFactory
):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    at = "2024-05-05T05:05:05.005Z"
    for number in range(7):
        post = warehouse.post(alice, str(number), created_at=at)
        other = warehouse.post(bob, f"repost {number}")
        warehouse.repost(alice, other, created_at=at, rkey=post.uri.rpartition("/")[2])

    whole = _texts((await api.get(NSID, actor=alice.did))["feed"])
    for limit in (1, 3, 4):
        pages = await api.pages(NSID, "feed", actor=alice.did, limit=limit)
        assert [text for page in pages for text in _texts(page)] == whole
    assert len(set(whole)) == 14


async def test_a_reply_that_the_gate_does_not_let_in_is_shown_as_a_post_of_its_own(
    api: ApiClient, warehouse: WarehouseFactory
):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    reply = warehouse.post(bob, reply_to=warehouse.post(alice))
    warehouse.violation(reply, 1, alice)

    (item,) = (await api.get(NSID, actor=bob.did))["feed"]

    assert sorted(item) == ["post"]


async def test_the_queries_do_not_grow_with_the_feed(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    for _ in range(20):
        quoted = warehouse.post(bob)
        root = warehouse.post(bob, embed={"$type": "app.bsky.embed.record", "record": quoted.strong})
        warehouse.post(alice, reply_to=root)
        warehouse.repost(alice, root)

    await api.get(NSID, actor="alice.test", limit=2)
    of_two = api.queries
    await api.get(NSID, actor="alice.test", limit=40)

    assert of_two == api.queries <= 8


@pytest.mark.parametrize("status", ["takendown", "suspended", "deactivated"])
async def test_a_hidden_account_has_no_feed(api: ApiClient, warehouse: WarehouseFactory, status: str):
    account = warehouse.account("hidden.test", status=status)
    warehouse.post(account)

    assert await api.error(NSID, actor="hidden.test") == (400, "InvalidRequest")
