"""`app.bsky.feed.getQuotes`, `getListFeed`, `getActorLikes`."""

from typing import Any

from tests.api_client import ApiClient, running_api
from tests.factories import Account, Ref, WarehouseFactory

QUOTES = "app.bsky.feed.getQuotes"
LIST_FEED = "app.bsky.feed.getListFeed"


def _quote(ref: Ref) -> dict[str, Any]:
    return {"$type": "app.bsky.embed.record", "record": ref.strong}


def _list(warehouse: WarehouseFactory, owner: Account, *members: Account) -> Ref:
    value = {"name": "l", "purpose": "app.bsky.graph.defs#curatelist"}
    a_list = warehouse.record(owner, "app.bsky.graph.list", value)
    for member in members:
        warehouse.record(owner, "app.bsky.graph.listitem", {"subject": member.did, "list": a_list.uri})
    return a_list


def _texts(posts: list[dict[str, Any]]) -> list[str]:
    return [post["record"]["text"] for post in posts]


async def test_quotes_run_from_the_newest_to_the_oldest_page_by_page(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    quoted = warehouse.post(alice)
    media = {"$type": "app.bsky.embed.external", "external": {"uri": "https://a.test", "title": "", "description": ""}}
    warehouse.post(bob, "first", embed=_quote(quoted))
    with_media = {"$type": "app.bsky.embed.recordWithMedia", "record": _quote(quoted), "media": media}
    warehouse.post(bob, "second", embed=with_media)
    warehouse.post(alice, "third", embed=_quote(quoted))
    warehouse.post(bob, "other", embed=_quote(warehouse.post(alice)))

    pages = await api.pages(QUOTES, "posts", uri=quoted.uri, limit=2)

    assert [_texts(page) for page in pages] == [["third", "second"], ["first"]]
    by_handle = quoted.uri.replace(alice.did, "alice.test")
    assert len((await api.get(QUOTES, uri=by_handle))["posts"]) == 3


async def test_quotes_of_one_version_are_only_those(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")
    quoted, other = warehouse.post(alice), warehouse.post(alice)
    warehouse.post(alice, "of this", embed=_quote(quoted))
    warehouse.post(alice, "of another", embed=_quote(Ref(quoted.uri, other.cid)))

    body = await api.get(QUOTES, uri=quoted.uri, cid=quoted.cid)

    assert _texts(body["posts"]) == ["of this"]
    assert (body["uri"], body["cid"]) == (quoted.uri, quoted.cid)


async def test_quotes_by_the_blocked_are_left_out_only_where_the_operator_wants_it(
    api: ApiClient, warehouse: WarehouseFactory, postgres_url: str
):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    quoted = warehouse.post(alice)
    warehouse.post(bob, "by bob", embed=_quote(quoted))
    warehouse.block(alice, bob)

    assert _texts((await api.get(QUOTES, uri=quoted.uri))["posts"]) == ["by bob"]
    async with running_api(postgres_url, third_party_blocks_hide=True) as strict:
        assert (await strict.get(QUOTES, uri=quoted.uri))["posts"] == []


async def test_what_is_no_post_has_no_quotes(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")
    a_list = _list(warehouse, alice)
    warehouse.post(alice, embed=_quote(a_list))

    assert await api.get(QUOTES, uri=a_list.uri) == {"uri": a_list.uri, "posts": []}


async def test_a_list_feed_has_the_posts_of_its_members_newest_first(api: ApiClient, warehouse: WarehouseFactory):
    owner, alice, bob, carol = (warehouse.account(f"{name}.test") for name in ("owner", "alice", "bob", "carol"))
    a_list = _list(warehouse, owner, alice, bob, alice)
    for number in range(6):
        warehouse.post((alice, bob, carol)[number % 3], str(number))

    pages = await api.pages(LIST_FEED, "feed", list=a_list.uri, limit=3)

    assert [[item["post"]["record"]["text"] for item in page] for page in pages] == [["4", "3", "1"], ["0"]]


async def test_a_reply_in_a_list_feed_shows_what_it_answers(api: ApiClient, warehouse: WarehouseFactory):
    owner, alice = warehouse.account("owner.test"), warehouse.account("alice.test")
    root = warehouse.post(owner, "root")
    warehouse.post(alice, "reply", reply_to=root)

    (item,) = (await api.get(LIST_FEED, list=_list(warehouse, owner, alice).uri))["feed"]

    assert item["reply"]["root"]["uri"] == item["reply"]["parent"]["uri"] == root.uri


async def test_members_whom_the_lists_owner_blocks_are_left_out_only_where_the_operator_wants_it(
    api: ApiClient, warehouse: WarehouseFactory, postgres_url: str
):
    owner, alice = warehouse.account("owner.test"), warehouse.account("alice.test")
    a_list = _list(warehouse, owner, alice)
    warehouse.post(alice)
    warehouse.block(owner, alice)

    assert len((await api.get(LIST_FEED, list=a_list.uri))["feed"]) == 1
    async with running_api(postgres_url, third_party_blocks_hide=True) as strict:
        assert (await strict.get(LIST_FEED, list=a_list.uri))["feed"] == []


async def test_the_queries_of_a_list_feed_do_not_grow(api: ApiClient, warehouse: WarehouseFactory):
    owner = warehouse.account("owner.test")
    members = [warehouse.account(f"m{number}.test") for number in range(15)]
    a_list = _list(warehouse, owner, *members)
    for member in members:
        warehouse.post(member, embed=_quote(warehouse.post(owner)))

    await api.get(LIST_FEED, list=a_list.uri, limit=1)
    of_one = api.queries
    await api.get(LIST_FEED, list=a_list.uri, limit=30)

    assert of_one == api.queries <= 5


async def test_nobody_sees_what_an_account_likes(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")
    warehouse.like(alice, warehouse.post(alice))

    assert await api.error("app.bsky.feed.getActorLikes", actor="alice.test") == (400, "InvalidRequest")
