"""`app.bsky.feed.getPosts`, and with it all that a post's view shows."""

from typing import Any

import pytest

from tests.api_client import ApiClient, running_api
from tests.factories import A_LIST, Account, Ref, WarehouseFactory, blob


def _quote(subject: Ref) -> dict[str, Any]:
    return {"$type": "app.bsky.embed.record", "record": subject.strong}


async def _post(api: ApiClient, ref: Ref) -> dict[str, Any]:
    (view,) = (await api.get("app.bsky.feed.getPosts", uris=[ref.uri]))["posts"]
    return view


async def test_a_post_has_its_record_counts_author_and_cid(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test", {"displayName": "Alice"})
    post = warehouse.post(alice, "hello", created_at="2024-02-03T04:05:06.789Z", langs=["en"])
    warehouse.post_counts(post, likes=4, reposts=3, replies=2, quotes=1)

    view = await _post(api, post)

    assert (view["uri"], view["cid"]) == (post.uri, post.cid)
    assert view["record"] == post.value
    assert view["author"]["displayName"] == "Alice"
    assert "description" not in view["author"]
    assert (view["likeCount"], view["repostCount"], view["replyCount"], view["quoteCount"]) == (4, 3, 2, 1)
    assert view["indexedAt"] == "2024-02-03T04:05:06.789Z"
    assert "viewer" not in view


async def test_a_post_is_dated_when_it_was_first_seen_if_it_claims_to_be_from_the_future(
    api: ApiClient, warehouse: WarehouseFactory
):
    alice = warehouse.account("alice.test")
    seen = warehouse.tick()
    post = warehouse.post(alice, created_at="2999-01-01T00:00:00.000Z", indexed_at=seen)

    assert (await _post(api, post))["indexedAt"] == "2024-01-01T00:01:00.000Z"


async def test_a_post_without_counts_has_zeros(api: ApiClient, warehouse: WarehouseFactory):
    view = await _post(api, warehouse.post(warehouse.account("alice.test")))

    assert (view["likeCount"], view["repostCount"], view["replyCount"], view["quoteCount"]) == (0, 0, 0, 0)


async def test_posts_come_in_the_order_asked_for_once_each_without_the_missing(
    api: ApiClient, warehouse: WarehouseFactory
):
    alice = warehouse.account("alice.test")
    gone = warehouse.account("gone.test", status="deactivated")
    posts = [warehouse.post(alice, str(number)) for number in range(3)]
    odd = warehouse.post(alice, "odd", rkey="not-a-tid")
    hidden = warehouse.post(gone)
    missing = f"at://{alice.did}/app.bsky.feed.post/3jzzzzzzzzzzz"
    like = warehouse.like(alice, posts[0])

    asked = [posts[2].uri, missing, odd.uri, hidden.uri, posts[0].uri, like.uri, posts[2].uri, "at://alice.test"]
    body = await api.get("app.bsky.feed.getPosts", uris=asked)

    assert [view["record"]["text"] for view in body["posts"]] == ["2", "odd", "0"]


async def test_authors_label_their_own_posts(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")
    labels = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "nudity"}]}
    post = warehouse.post(alice, labels=labels)

    assert (await _post(api, post))["labels"] == [
        {"src": alice.did, "uri": post.uri, "cid": post.cid, "val": "nudity", "cts": "2024-01-01T00:01:00.000Z"}
    ]


async def test_media_are_shown_by_their_urls(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")
    ratio = {"width": 2, "height": 1}
    image = blob("image")
    cid = image["ref"]["$link"]
    images = {
        "$type": "app.bsky.embed.images",
        "images": [{"image": image, "alt": "a", "aspectRatio": ratio}, {"image": image, "alt": ""}],
    }
    gallery_item = {"$type": "app.bsky.embed.gallery#image", "image": image, "alt": "g", "aspectRatio": ratio}
    gallery = {"$type": "app.bsky.embed.gallery", "items": [gallery_item] * 12}
    mp4 = blob("video", "video/mp4")
    video = {"$type": "app.bsky.embed.video", "video": mp4, "alt": "v", "aspectRatio": ratio}
    external = {
        "$type": "app.bsky.embed.external",
        "external": {"uri": "https://example.test/", "title": "t", "description": "d", "thumb": image},
    }
    unknown = {"$type": "test.embed.unknown", "what": "ever"}
    base = f"https://cdn.bsky.app/img/%s/plain/{alice.did}/{cid}"

    assert (await _post(api, warehouse.post(alice, embed=images)))["embed"] == {
        "$type": "app.bsky.embed.images#view",
        "images": [
            {"thumb": base % "feed_thumbnail", "fullsize": base % "feed_fullsize", "alt": "a", "aspectRatio": ratio},
            {"thumb": base % "feed_thumbnail", "fullsize": base % "feed_fullsize", "alt": ""},
        ],
    }
    assert len((await _post(api, warehouse.post(alice, embed=gallery)))["embed"]["items"]) == 10
    video_view = (await _post(api, warehouse.post(alice, embed=video)))["embed"]
    assert video_view["playlist"] == (
        f"https://video.bsky.app/watch/{alice.did.replace(':', '%3A')}/{mp4['ref']['$link']}/playlist.m3u8"
    )
    assert (await _post(api, warehouse.post(alice, embed=external)))["embed"]["external"] == {
        "uri": "https://example.test/",
        "title": "t",
        "description": "d",
        "thumb": base % "feed_thumbnail",
    }
    assert "embed" not in await _post(api, warehouse.post(alice, embed=unknown))


async def test_quotes_are_shown_two_levels_deep(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    bottom = warehouse.post(alice, "bottom")
    middle = warehouse.post(bob, "middle", embed=_quote(bottom))
    upper = warehouse.post(alice, "upper", embed=_quote(middle))
    media = {"$type": "app.bsky.embed.images", "images": [{"image": blob("i"), "alt": ""}]}
    top = warehouse.post(
        bob,
        "top",
        embed={"$type": "app.bsky.embed.recordWithMedia", "record": {"record": upper.strong}, "media": media},
    )
    warehouse.post_counts(upper, quotes=1)

    embed = (await _post(api, top))["embed"]

    assert embed["$type"] == "app.bsky.embed.recordWithMedia#view"
    assert embed["media"]["$type"] == "app.bsky.embed.images#view"
    first = embed["record"]["record"]
    assert (first["value"]["text"], first["quoteCount"], first["author"]["handle"]) == ("upper", 1, "alice.test")
    second = first["embeds"][0]["record"]
    assert second["value"]["text"] == "middle"
    assert "embeds" not in second


async def test_quotes_that_cannot_be_shown_say_so(api: ApiClient, warehouse: WarehouseFactory):
    alice, gone = warehouse.account("alice.test"), warehouse.account("gone.test", status="takendown")
    hidden = warehouse.post(gone)
    missing = Ref(f"at://{alice.did}/app.bsky.feed.post/3jzzzzzzzzzzz", hidden.cid)
    strange = Ref(f"at://{alice.did}/test.strange.collection/3jzzzzzzzzzzz", hidden.cid)

    for subject in (hidden, missing, strange):
        embed = (await _post(api, warehouse.post(alice, embed=_quote(subject))))["embed"]
        assert embed["record"] == {
            "$type": "app.bsky.embed.record#viewNotFound",
            "uri": subject.uri,
            "notFound": True,
        }


async def test_a_post_can_embed_what_accounts_make(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test", {"description": "maker"})
    made = {
        "app.bsky.feed.defs#generatorView": warehouse.record(
            alice,
            "app.bsky.feed.generator",
            {"did": "did:web:feeds.test", "displayName": "Feed", "avatar": blob("feed")},
            rkey="feed",
        ),
        "app.bsky.graph.defs#listView": warehouse.record(
            alice, "app.bsky.graph.list", {"name": "list", "purpose": "app.bsky.graph.defs#modlist", "description": "d"}
        ),
        "app.bsky.graph.defs#starterPackViewBasic": warehouse.record(
            alice, "app.bsky.graph.starterpack", {"name": "pack", "list": A_LIST}
        ),
        "app.bsky.labeler.defs#labelerView": warehouse.record(
            alice, "app.bsky.labeler.service", {"policies": {"labelValues": []}}, rkey="self"
        ),
    }

    for type_name, ref in made.items():
        record = (await _post(api, warehouse.post(alice, embed=_quote(ref))))["embed"]["record"]
        assert record["$type"] == type_name
        assert (record["uri"], record["cid"]) == (ref.uri, ref.cid)
        assert record["creator"]["did"] == alice.did


@pytest.mark.parametrize(
    ("collection", "value", "count"),
    [
        ("app.bsky.feed.generator", {"did": "did:web:feeds.test", "displayName": "Feed"}, "likeCount"),
        ("app.bsky.graph.list", {"name": "l", "purpose": "app.bsky.graph.defs#curatelist"}, "listItemCount"),
        ("app.bsky.labeler.service", {"policies": {"labelValues": []}}, "likeCount"),
    ],
)
async def test_an_embedded_record_shows_its_count(
    api: ApiClient, warehouse: WarehouseFactory, collection: str, value: dict[str, Any], count: str
):
    alice = warehouse.account("alice.test")
    rkey = "self" if collection.endswith("service") else "made"
    counted = warehouse.record(alice, collection, value, rkey=rkey)
    post = warehouse.post(alice, embed=_quote(counted))

    assert (await _post(api, post))["embed"]["record"][count] == 0
    warehouse.record_counts(counted, likes=3, items=3)
    assert (await _post(api, post))["embed"]["record"][count] == 3


async def test_a_made_record_that_breaks_its_lexicon_is_not_found(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")
    nameless = warehouse.record(
        alice, "app.bsky.feed.generator", {"did": "did:web:feeds.test"}, reason="display-name-missing"
    )

    embed = (await _post(api, warehouse.post(alice, embed=_quote(nameless))))["embed"]

    assert embed["record"]["$type"] == "app.bsky.embed.record#viewNotFound"


@pytest.mark.parametrize(
    ("collection", "value"),
    [
        ("app.bsky.graph.listitem", {"list": A_LIST}),
        ("app.bsky.graph.listblock", {"subject": A_LIST}),
        ("app.bsky.graph.verification", {"handle": "alice.test", "displayName": "Alice"}),
    ],
)
async def test_an_embedded_record_of_a_collection_without_a_view_is_not_found(
    api: ApiClient, warehouse: WarehouseFactory, collection: str, value: dict[str, Any]
):
    alice = warehouse.account("alice.test")
    without_view = warehouse.record(alice, collection, {"subject": alice.did} | value)

    embed = (await _post(api, warehouse.post(alice, embed=_quote(without_view))))["embed"]

    assert embed["record"]["$type"] == "app.bsky.embed.record#viewNotFound"


async def test_the_first_post_of_a_thread_shows_its_gate(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")
    post = warehouse.post(alice)
    a_list = warehouse.record(alice, "app.bsky.graph.list", {"name": "l", "purpose": "app.bsky.graph.defs#curatelist"})
    rules = [
        {"$type": "app.bsky.feed.threadgate#mentionRule"},
        {"$type": "app.bsky.feed.threadgate#listRule", "list": a_list.uri},
    ]
    gate = warehouse.record(
        alice, "app.bsky.feed.threadgate", {"post": post.uri, "allow": rules}, rkey=post.uri.rpartition("/")[2]
    )
    reply = warehouse.post(alice, reply_to=post)

    view = (await _post(api, post))["threadgate"]

    assert (view["uri"], view["cid"], view["record"]) == (gate.uri, gate.cid, gate.value)
    assert [item["name"] for item in view["lists"]] == ["l"]
    assert "threadgate" not in await _post(api, reply)


async def test_the_queries_do_not_grow_with_the_posts(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")
    quoting = [_quoting_post(warehouse, alice) for _ in range(25)]

    await api.get("app.bsky.feed.getPosts", uris=[quoting[0].uri])
    of_one = api.queries
    await api.get("app.bsky.feed.getPosts", uris=[ref.uri for ref in quoting])

    assert of_one == api.queries <= 5


def _quoting_post(warehouse: WarehouseFactory, author: Account) -> Ref:
    bottom = warehouse.post(author)
    return warehouse.post(author, embed=_quote(warehouse.post(author, embed=_quote(bottom))))


async def test_blocks_and_detachments_hide_quotes_only_where_the_operator_wants_it(
    api: ApiClient, warehouse: WarehouseFactory, postgres_url: str
):
    alice, bob, carol = (warehouse.account(f"{name}.test") for name in ("alice", "bob", "carol"))
    quoted = warehouse.post(alice, "quoted")
    by_bob = warehouse.post(bob, "by bob", embed=_quote(quoted))
    by_carol = warehouse.post(carol, "by carol", embed=_quote(quoted))
    warehouse.block(alice, bob)
    gate = {"post": quoted.uri, "detachedEmbeddingUris": [by_carol.uri]}
    warehouse.record(alice, "app.bsky.feed.postgate", gate, rkey=quoted.uri.rpartition("/")[2])

    for post in (by_bob, by_carol):
        assert (await _post(api, post))["embed"]["record"]["value"]["text"] == "quoted"
    async with running_api(postgres_url, third_party_blocks_hide=True, detached_quotes_hide=True) as strict:
        blocked = (await _post(strict, by_bob))["embed"]["record"]
        assert (blocked["$type"], blocked["author"]) == ("app.bsky.embed.record#viewBlocked", {"did": alice.did})
        detached = (await _post(strict, by_carol))["embed"]["record"]
        assert detached["$type"] == "app.bsky.embed.record#viewDetached"


async def test_an_embed_that_the_quoted_author_does_not_let_stand_is_detached_where_the_operator_wants_it(
    api: ApiClient, warehouse: WarehouseFactory, postgres_url: str
):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    quote = warehouse.post(bob, embed=_quote(warehouse.post(alice, "quoted")))
    warehouse.violation(quote, 2, alice)

    assert (await _post(api, quote))["embed"]["record"]["value"]["text"] == "quoted"
    async with running_api(postgres_url, detached_quotes_hide=True) as strict:
        assert (await _post(strict, quote))["embed"]["record"]["$type"] == "app.bsky.embed.record#viewDetached"
