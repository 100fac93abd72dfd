"""`app.bsky.unspecced.getPostThreadV2` and `getPostThreadOtherV2`."""

from typing import Any

import pytest

from tests.api_client import ApiClient, running_api
from tests.factories import Ref, WarehouseFactory

NSID = "app.bsky.unspecced.getPostThreadV2"
OTHER = "app.bsky.unspecced.getPostThreadOtherV2"
GATE = "app.bsky.feed.threadgate"


def _list(body: dict[str, Any]) -> list[tuple[int, str]]:
    """The depth and text of each item; of what is not a post its type."""
    return [
        (
            item["depth"],
            item["value"]["post"]["record"]["text"]
            if "post" in item["value"]
            else item["value"]["$type"].partition("#")[2],
        )
        for item in body["thread"]
    ]


def _values(body: dict[str, Any], field: str) -> list[Any]:
    return [item["value"].get(field) for item in body["thread"]]


def _gate(warehouse: WarehouseFactory, author: Any, root: Ref, *hidden: Ref) -> Ref:
    value = {"post": root.uri, "hiddenReplies": [ref.uri for ref in hidden]}
    return warehouse.record(author, GATE, value, rkey=root.uri.rpartition("/")[2])


async def test_a_thread_is_a_flat_list_around_its_anchor_oldest_replies_first(
    api: ApiClient, warehouse: WarehouseFactory
):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    root = warehouse.post(alice, "root")
    anchor = warehouse.post(bob, "anchor", reply_to=root)
    first = warehouse.post(bob, "first", reply_to=anchor)
    warehouse.post(bob, "second", reply_to=anchor)
    warehouse.post(bob, "below first", reply_to=first)
    warehouse.post(bob, "beside", reply_to=root)

    body = await api.get(NSID, anchor=anchor.uri)

    assert _list(body) == [(-1, "root"), (0, "anchor"), (1, "first"), (2, "below first"), (1, "second")]
    assert body["hasOtherReplies"] is False
    alone = await api.get(NSID, anchor=anchor.uri, above=False, below=0)
    assert _list(alone) == [(0, "anchor")]


async def test_replies_are_sorted_as_asked_with_the_authors_own_first(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    root = warehouse.post(alice, "root")
    old = warehouse.post(bob, "old", reply_to=root)
    liked = warehouse.post(bob, "liked", reply_to=root)
    by_author = warehouse.post(bob, "liked by the author", reply_to=root)
    warehouse.post(alice, "own", reply_to=root)
    warehouse.post(alice, "own later", reply_to=root)
    warehouse.post_counts(old, likes=1)
    warehouse.post_counts(liked, likes=10)
    warehouse.post_counts(by_author, likes=9)
    warehouse.like(alice, by_author)

    async def texts(sort: str) -> list[str]:
        return [text for _, text in _list(await api.get(NSID, anchor=root.uri, sort=sort))][1:]

    assert await texts("oldest") == ["own", "own later", "old", "liked", "liked by the author"]
    assert await texts("newest") == ["own", "own later", "liked by the author", "liked", "old"]
    assert await texts("top") == ["own", "own later", "liked by the author", "liked", "old"]
    assert await texts("unheard-of") == await texts("newest")


async def test_branches_are_cut_below_the_first_level_and_say_how_many_are_missing(
    api: ApiClient, warehouse: WarehouseFactory
):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    root = warehouse.post(alice, "root")
    branches = [warehouse.post(bob, f"{number}", reply_to=root) for number in range(3)]
    leaves = [warehouse.post(bob, f"0.{number}", reply_to=branches[0]) for number in range(3)]
    warehouse.post_counts(root, replies=3)
    warehouse.post_counts(branches[0], replies=3)
    warehouse.post_counts(leaves[0], replies=7)

    body = await api.get(NSID, anchor=root.uri, branchingFactor=2, below=2)

    assert _list(body) == [(0, "root"), (1, "0"), (2, "0.0"), (2, "0.1"), (1, "1"), (1, "2")]
    assert _values(body, "moreReplies") == [0, 1, 7, 0, 0, 0]


async def test_the_authors_own_thread_is_marked_and_numbered(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    root = warehouse.post(alice, "1")
    second = warehouse.post(alice, "2", reply_to=root)
    warehouse.post(alice, "aside", reply_to=root)
    warehouse.post(bob, "bob", reply_to=root)
    warehouse.post(alice, "3", reply_to=second)

    body = await api.get(NSID, anchor=root.uri, below=1, sort="newest")

    assert [text for _, text in _list(body)] == ["1", "2", "aside", "bob"]
    assert _values(body, "opThread") == [True, True, False, False]
    assert _values(body, "opThreadPostIndex") == [1, 2, None, None]
    assert _values(body, "opThreadPostCount") == [3, 3, None, None]


async def test_a_thread_without_more_of_its_author_marks_the_first_post_alone(
    api: ApiClient, warehouse: WarehouseFactory
):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    root = warehouse.post(alice, "root")
    by_bob = warehouse.post(bob, "bob", reply_to=root)
    warehouse.post(alice, "back", reply_to=by_bob)

    body = await api.get(NSID, anchor=by_bob.uri)

    assert _values(body, "opThread") == [True, False, False]
    assert _values(body, "opThreadPostIndex") == [None, None, None]


async def test_posts_above_end_where_one_is_missing(api: ApiClient, warehouse: WarehouseFactory):
    alice, gone = warehouse.account("alice.test"), warehouse.account("gone.test", status="deactivated")
    root = warehouse.post(gone, "root")
    reply = warehouse.post(alice, "reply", reply_to=root)
    anchor = warehouse.post(alice, "anchor", reply_to=reply)

    body = await api.get(NSID, anchor=anchor.uri)

    assert _list(body) == [(-2, "threadItemNotFound"), (-1, "reply"), (0, "anchor")]
    assert body["thread"][0]["uri"] == root.uri


async def test_at_most_fifty_posts_above_are_shown_and_the_first_says_that_there_are_more(
    api: ApiClient, warehouse: WarehouseFactory
):
    alice = warehouse.account("alice.test")
    post = warehouse.post(alice, "0")
    for number in range(1, 53):
        post = warehouse.post(alice, str(number), reply_to=post)

    body = await api.get(NSID, anchor=post.uri)

    assert _list(body)[0] == (-50, "2")
    assert _values(body, "moreParents") == [True, *[False] * 50]
    assert _values(body, "opThreadPostIndex")[0] == 3


async def test_a_block_cuts_a_thread_only_where_the_operator_wants_it(
    api: ApiClient, warehouse: WarehouseFactory, postgres_url: str
):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    root = warehouse.post(alice, "root")
    reply = warehouse.post(bob, "reply", reply_to=root)
    warehouse.block(alice, bob)

    assert _list(await api.get(NSID, anchor=root.uri)) == [(0, "root"), (1, "reply")]
    async with running_api(postgres_url, third_party_blocks_hide=True) as strict:
        assert _list(await strict.get(NSID, anchor=root.uri)) == [(0, "root")]
        body = await strict.get(NSID, anchor=reply.uri)
        assert _list(body) == [(-1, "threadItemBlocked"), (0, "reply")]
        assert body["thread"][0]["value"]["author"] == {"did": alice.did}


async def test_hidden_replies_and_pushpins_are_kept_apart(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    root = warehouse.post(alice, "root")
    hidden = warehouse.post(bob, "hidden", reply_to=root)
    warehouse.post(bob, "below hidden", reply_to=hidden)
    warehouse.post(bob, " \N{PUSHPIN}\n", reply_to=root)
    warehouse.post(bob, "shown", reply_to=root)
    gate = _gate(warehouse, alice, root, hidden)

    body = await api.get(NSID, anchor=root.uri)
    other = await api.get(OTHER, anchor=root.uri)

    assert _list(body) == [(0, "root"), (1, "shown")]
    assert body["hasOtherReplies"] is True
    assert body["threadgate"]["uri"] == gate.uri
    assert _list(other) == [(1, " \N{PUSHPIN}\n"), (1, "hidden")]
    assert _values(other, "hiddenByThreadgate") == [False, True]


async def test_what_the_gate_does_not_let_in_stands_alone(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    root = warehouse.post(alice, "root")
    outsider = warehouse.post(bob, "outsider", reply_to=root)
    warehouse.post(alice, "to outsider", reply_to=outsider)
    warehouse.violation(outsider, 1, alice)

    assert _list(await api.get(NSID, anchor=root.uri)) == [(0, "root")]
    assert _list(await api.get(NSID, anchor=outsider.uri)) == [(0, "outsider")]


async def test_an_account_that_wants_signed_in_readers_only_is_not_shown_in_threads(
    api: ApiClient, warehouse: WarehouseFactory
):
    labels = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "!no-unauthenticated"}]}
    alice, shy = warehouse.account("alice.test"), warehouse.account("shy.test", {"labels": labels})
    root = warehouse.post(shy, "root")
    reply = warehouse.post(alice, "reply", reply_to=root)
    warehouse.post(shy, "shy", reply_to=reply)

    assert _list(await api.get(NSID, anchor=reply.uri)) == [(-1, "threadItemNoUnauthenticated"), (0, "reply")]
    assert _list(await api.get(NSID, anchor=root.uri)) == [(0, "threadItemNoUnauthenticated")]


@pytest.mark.parametrize(
    "uri", ["at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.post/3jzzzzzzzzzzz", "at://no.test"]
)
async def test_a_thread_around_nothing_says_so(api: ApiClient, uri: str):
    body = await api.get(NSID, anchor=uri)

    assert body["thread"] == [
        {"uri": uri, "depth": 0, "value": {"$type": "app.bsky.unspecced.defs#threadItemNotFound"}}
    ]
    assert await api.get(OTHER, anchor=uri) == {"thread": []}


async def test_the_queries_do_not_grow_with_the_thread(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    small, large = warehouse.post(alice), warehouse.post(alice)
    warehouse.post(bob, reply_to=warehouse.post(alice, reply_to=small))
    for _ in range(20):
        warehouse.post(bob, reply_to=warehouse.post(alice, reply_to=large))

    await api.get(NSID, anchor=small.uri)
    of_three = api.queries
    await api.get(NSID, anchor=large.uri)

    assert of_three == api.queries <= 7
