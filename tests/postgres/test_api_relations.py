"""Who likes, reposts and follows: `getLikes`, `getRepostedBy`, `getFollowers`, `getFollows`."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.api_client import ApiClient, running_api
from tests.factories import Account, Ref, WarehouseFactory

LIKES, REPOSTS = "app.bsky.feed.getLikes", "app.bsky.feed.getRepostedBy"
FOLLOWERS, FOLLOWS = "app.bsky.graph.getFollowers", "app.bsky.graph.getFollows"


def _subject_method(nsid: str, warehouse: WarehouseFactory) -> tuple[str, Callable[..., Ref], Callable[[Any], str]]:
    """How a list about a record is called, filled and read."""
    if nsid == LIKES:
        return "likes", warehouse.like, lambda item: item["actor"]["handle"]
    return "repostedBy", warehouse.repost, lambda item: item["handle"]


@pytest.mark.parametrize("nsid", [LIKES, REPOSTS])
async def test_accounts_come_newest_first_and_once_each(api: ApiClient, warehouse: WarehouseFactory, nsid: str):
    items, act, handle_of = _subject_method(nsid, warehouse)
    post = warehouse.post(warehouse.account("author.test"))
    users = [warehouse.account(f"user{number}.test") for number in range(4)]
    for user in users:
        act(user, post)
    act(users[0], post)

    body = await api.get(nsid, uri=post.uri)

    assert [handle_of(item) for item in body[items]] == ["user3.test", "user2.test", "user1.test", "user0.test"]
    assert body["uri"] == post.uri
    assert "cid" not in body
    assert "cursor" not in body


@pytest.mark.parametrize("nsid", [LIKES, REPOSTS])
async def test_only_the_version_asked_for_counts(api: ApiClient, warehouse: WarehouseFactory, nsid: str):
    items, act, handle_of = _subject_method(nsid, warehouse)
    post = warehouse.post(warehouse.account("author.test"))
    earlier = Ref(post.uri, warehouse.post(warehouse.account("other.test")).cid)
    act(warehouse.account("now.test"), post)
    act(warehouse.account("before.test"), earlier)

    body = await api.get(nsid, uri=post.uri, cid=post.cid)

    assert [handle_of(item) for item in body[items]] == ["now.test"]
    assert body["cid"] == post.cid
    strange_cid = "bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    assert (await api.get(nsid, uri=post.uri, cid=strange_cid))[items] == []


@pytest.mark.parametrize("nsid", [LIKES, REPOSTS])
async def test_pages_join_to_the_whole_list_without_hidden_accounts(
    api: ApiClient, warehouse: WarehouseFactory, nsid: str
):
    items, act, handle_of = _subject_method(nsid, warehouse)
    post = warehouse.post(warehouse.account("author.test"))
    shown: list[str] = []
    for number in range(21):
        is_hidden = number % 3 == 0
        account = warehouse.account(f"user{number}.test", status="deactivated" if is_hidden else "active")
        act(account, post, created_at="2024-03-03T03:03:03.003Z" if number < 10 else None)
        shown += [] if is_hidden else [f"user{number}.test"]

    pages = await api.pages(nsid, items, uri=post.uri, limit=4)

    assert [len(page) for page in pages] == [4, 4, 4, 2]
    handles = [handle_of(item) for page in pages for item in page]
    assert sorted(handles) == sorted(shown)
    assert handles == [handle_of(item) for item in (await api.get(nsid, uri=post.uri, limit=100))[items]]


async def test_a_like_tells_when_it_was_made_and_seen(api: ApiClient, warehouse: WarehouseFactory):
    post = warehouse.post(warehouse.account("author.test"))
    seen = warehouse.tick()
    warehouse.like(warehouse.account("fan.test"), post, created_at="2999-01-01T00:00:00.000Z", indexed_at=seen)

    (like,) = (await api.get(LIKES, uri=post.uri))["likes"]

    assert (like["createdAt"], like["indexedAt"]) == ("2999-01-01T00:00:00.000Z", "2024-01-01T00:02:00.000Z")


async def test_any_record_can_be_liked_and_keys_of_other_collections_are_not_mixed_up(
    api: ApiClient, warehouse: WarehouseFactory
):
    maker, fan = warehouse.account("maker.test"), warehouse.account("fan.test")
    post = warehouse.post(maker)
    rkey = post.uri.rpartition("/")[2]
    feed = warehouse.record(maker, "app.bsky.feed.generator", {"did": "did:web:f.test", "displayName": "f"}, rkey=rkey)
    warehouse.like(fan, feed)

    assert len((await api.get(LIKES, uri=feed.uri))["likes"]) == 1
    assert (await api.get(LIKES, uri=post.uri))["likes"] == []
    assert (await api.get(LIKES, uri=f"at://{maker.did}/test.unknown.thing/{rkey}"))["likes"] == []


async def test_followers_and_follows_come_newest_first_and_once_each(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test", {"description": "followed"})
    users = [warehouse.account(f"user{number}.test", {"description": "a user"}) for number in range(3)]
    for user in users:
        warehouse.follow(user, alice)
        warehouse.follow(alice, user)
    warehouse.follow(users[0], alice)
    warehouse.follow(alice, users[0])

    followers = await api.get(FOLLOWERS, actor="alice.test")
    follows = await api.get(FOLLOWS, actor=alice.did, sort="top")

    assert [view["handle"] for view in followers["followers"]] == ["user2.test", "user1.test", "user0.test"]
    assert [view["handle"] for view in follows["follows"]] == ["user2.test", "user1.test", "user0.test"]
    assert followers["subject"] == follows["subject"]
    assert (followers["subject"]["description"], followers["followers"][0]["description"]) == ("followed", "a user")


@pytest.mark.parametrize(("nsid", "items"), [(FOLLOWERS, "followers"), (FOLLOWS, "follows")])
async def test_pages_of_follows_join_to_the_whole_list(
    api: ApiClient, warehouse: WarehouseFactory, nsid: str, items: str
):
    alice = warehouse.account("alice.test")
    shown: set[str] = set()
    for number in range(20):
        is_hidden = number in {2, 3, 4, 5, 11}
        other = warehouse.account(f"user{number}.test", status="takendown" if is_hidden else "active")
        pair = (other, alice) if nsid == FOLLOWERS else (alice, other)
        warehouse.follow(*pair, created_at="2024-03-03T03:03:03.003Z" if number % 2 else None)
        shown |= set() if is_hidden else {f"user{number}.test"}

    pages = await api.pages(nsid, items, actor=alice.did, limit=3)

    handles = [view["handle"] for page in pages for view in page]
    assert len(handles) == 15
    assert set(handles) == shown
    assert [len(page) for page in pages] == [3] * 5


async def test_follows_of_a_mentioned_account_are_not_listed(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")
    warehouse.follow(alice, Account("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", None))

    assert (await api.get(FOLLOWS, actor=alice.did))["follows"] == []


@pytest.mark.parametrize("nsid", [FOLLOWERS, FOLLOWS])
async def test_an_unknown_or_hidden_account_has_no_list(api: ApiClient, warehouse: WarehouseFactory, nsid: str):
    warehouse.account("hidden.test", status="deactivated")

    for actor in ("nobody.test", "hidden.test", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"):
        assert await api.error(nsid, actor=actor) == (400, "InvalidRequest")


async def test_the_queries_do_not_grow_with_the_list(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")
    post = warehouse.post(alice)
    for number in range(30):
        user = warehouse.account(f"user{number}.test")
        warehouse.like(user, post)
        warehouse.follow(user, alice)

    asked: list[tuple[str, dict[str, Any], int]] = [
        (LIKES, {"uri": post.uri}, 2),
        (FOLLOWERS, {"actor": "alice.test"}, 4),
    ]
    for nsid, parameters, limit in asked:
        await api.get(nsid, limit=1, **parameters)
        of_one = api.queries
        await api.get(nsid, limit=30, **parameters)
        assert of_one == api.queries <= limit


async def test_a_like_across_a_block_is_left_out_only_where_the_operator_wants_it(
    api: ApiClient, warehouse: WarehouseFactory, postgres_url: str
):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    post = warehouse.post(alice)
    warehouse.like(bob, post)
    warehouse.block(bob, alice)

    assert len((await api.get("app.bsky.feed.getLikes", uri=post.uri))["likes"]) == 1
    async with running_api(postgres_url, third_party_blocks_hide=True) as strict:
        assert (await strict.get("app.bsky.feed.getLikes", uri=post.uri))["likes"] == []
