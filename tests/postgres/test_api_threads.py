"""`app.bsky.feed.getPostThread`."""

from typing import Any

from tests.api_client import ApiClient, running_api
from tests.factories import Ref, WarehouseFactory

NSID = "app.bsky.feed.getPostThread"


def _texts(node: dict[str, Any]) -> dict[str, Any]:
    """The tree below a node: text to the trees of its replies."""
    return {reply["post"]["record"]["text"]: _texts(reply) for reply in node.get("replies", [])}


def _above(node: dict[str, Any]) -> list[str]:
    """The texts above a node, nearest first; of what is not a post its type."""
    texts: list[str] = []
    while "parent" in node:
        node = node["parent"]
        texts.append(node["post"]["record"]["text"] if "post" in node else node["$type"].partition("#")[2])
    return texts


def _chain(warehouse: WarehouseFactory, length: int) -> list[Ref]:
    alice = warehouse.account("alice.test")
    posts = [warehouse.post(alice, "0")]
    for number in range(1, length):
        posts.append(warehouse.post(alice, str(number), reply_to=posts[-1]))
    return posts


async def test_a_thread_has_the_posts_above_and_below_newest_replies_first(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    root = warehouse.post(alice, "root")
    anchor = warehouse.post(bob, "anchor", reply_to=root)
    older = warehouse.post(alice, "older", reply_to=anchor)
    warehouse.post(bob, "newer", reply_to=anchor)
    warehouse.post(bob, "below older", reply_to=older)
    warehouse.post(bob, "beside", reply_to=root)

    thread = (await api.get(NSID, uri=anchor.uri))["thread"]

    assert thread["post"]["uri"] == anchor.uri
    assert _above(thread) == ["root"]
    assert _texts(thread) == {"newer": {}, "older": {"below older": {}}}
    assert list(_texts(thread)) == ["newer", "older"]


async def test_a_thread_is_found_by_its_authors_handle(api: ApiClient, warehouse: WarehouseFactory):
    (post,) = _chain(warehouse, 1)
    by_handle = post.uri.replace(post.uri.split("/")[2], "alice.test")

    assert await api.get(NSID, uri=by_handle) == await api.get(NSID, uri=post.uri)


async def test_depth_and_height_bound_a_thread(api: ApiClient, warehouse: WarehouseFactory):
    posts = _chain(warehouse, 9)

    thread = (await api.get(NSID, uri=posts[4].uri, depth=2, parentHeight=3))["thread"]
    assert _above(thread) == ["3", "2", "1"]
    assert _texts(thread) == {"5": {"6": {}}}
    assert "replies" not in thread["replies"][0]["replies"][0]

    thread = (await api.get(NSID, uri=posts[4].uri, depth=0, parentHeight=0))["thread"]
    assert "replies" not in thread
    assert "parent" not in thread


async def test_very_long_threads_are_cut_and_answered(api: ApiClient, warehouse: WarehouseFactory):
    posts = _chain(warehouse, 320)

    top = (await api.get(NSID, uri=posts[0].uri, depth=1000))["thread"]
    bottom = (await api.get(NSID, uri=posts[-1].uri, parentHeight=1000))["thread"]

    depth = 0
    while top.get("replies"):
        top, depth = top["replies"][0], depth + 1
    assert depth == 100
    assert len(_above(bottom)) == 200


async def test_a_crowd_of_replies_is_cut_at_the_operators_limit(warehouse: WarehouseFactory, postgres_url: str):
    alice = warehouse.account("alice.test")
    root = warehouse.post(alice, "root")
    for _ in range(12):
        warehouse.post(alice, reply_to=root)

    async with running_api(postgres_url, thread_max_replies=10) as api:
        assert len((await api.get(NSID, uri=root.uri))["thread"]["replies"]) == 10


async def test_replies_in_a_circle_are_shown_once_each(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")
    root = warehouse.post(alice, "root")
    place, in_thread = root.uri.rpartition("/")[0], {"reply": {"root": root.strong, "parent": root.strong}}
    one, other = (Ref(f"{place}/{rkey}", root.cid, in_thread) for rkey in ("3jzfcijpj2z2a", "3jzfcijpj2z2b"))
    warehouse.post(alice, "one", reply_to=other, rkey="3jzfcijpj2z2a")
    warehouse.post(alice, "other", reply_to=one, rkey="3jzfcijpj2z2b")
    warehouse.post(alice, "beside", reply_to=one)

    tree = await api.get(NSID, uri=one.uri, depth=6, parentHeight=0)
    flat = await api.get("app.bsky.unspecced.getPostThreadV2", anchor=one.uri, above=False)

    assert _texts(tree["thread"]) == {"beside": {}, "other": {}}
    assert [item["value"]["post"]["record"]["text"] for item in flat["thread"]] == ["one", "other", "beside"]


async def test_what_is_gone_above_ends_the_thread_with_a_mark(api: ApiClient, warehouse: WarehouseFactory):
    alice, gone = warehouse.account("alice.test"), warehouse.account("gone.test", status="takendown")
    root = warehouse.post(alice, "root")
    hidden = warehouse.post(gone, "hidden", reply_to=root)
    anchor = warehouse.post(alice, "anchor", reply_to=hidden)

    thread = (await api.get(NSID, uri=anchor.uri))["thread"]

    assert _above(thread) == ["notFoundPost"]
    assert thread["parent"]["uri"] == hidden.uri


async def test_replies_of_hidden_accounts_and_of_other_threads_are_left_out(
    api: ApiClient, warehouse: WarehouseFactory
):
    alice, gone = warehouse.account("alice.test"), warehouse.account("gone.test", status="deactivated")
    root, elsewhere = warehouse.post(alice, "root"), warehouse.post(alice, "elsewhere")
    warehouse.post(gone, "hidden", reply_to=root)
    liar = Ref(root.uri, root.cid, {"reply": {"root": elsewhere.strong}})
    warehouse.post(alice, "claims another root", reply_to=liar)
    warehouse.post(alice, "kept", reply_to=root)

    assert _texts((await api.get(NSID, uri=root.uri))["thread"]) == {"kept": {}}


async def test_likes_of_the_threads_author_are_told(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    root = warehouse.post(alice, "root")
    reply = warehouse.post(bob, "reply", reply_to=root)
    like = warehouse.like(alice, reply)
    warehouse.like(alice, reply)
    warehouse.like(bob, root)

    thread = (await api.get(NSID, uri=root.uri))["thread"]

    assert thread["threadContext"] == {}
    assert thread["replies"][0]["threadContext"] == {"rootAuthorLike": like.uri}


async def test_the_gate_of_a_thread_is_shown_with_any_of_its_posts(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")
    root = warehouse.post(alice)
    reply = warehouse.post(alice, reply_to=root)
    gate = warehouse.record(
        alice, "app.bsky.feed.threadgate", {"post": root.uri, "allow": []}, rkey=root.uri.rpartition("/")[2]
    )

    for uri in (root.uri, reply.uri):
        assert (await api.get(NSID, uri=uri))["threadgate"]["uri"] == gate.uri


async def test_a_block_between_others_cuts_a_thread_only_where_the_operator_wants_it(
    api: ApiClient, warehouse: WarehouseFactory, postgres_url: str
):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    root = warehouse.post(alice, "root")
    reply = warehouse.post(bob, "reply", reply_to=root)
    warehouse.block(alice, bob)

    assert _texts((await api.get(NSID, uri=root.uri))["thread"]) == {"reply": {}}
    async with running_api(postgres_url, third_party_blocks_hide=True) as strict:
        assert _texts((await strict.get(NSID, uri=root.uri))["thread"]) == {}
        assert _above((await strict.get(NSID, uri=reply.uri))["thread"]) == ["blockedPost"]


async def test_a_reply_that_the_gate_does_not_let_in_is_in_no_thread(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    root = warehouse.post(alice, "root")
    let_in = warehouse.post(alice, "let in", reply_to=root)
    outsider = warehouse.post(bob, "outsider", reply_to=root)
    warehouse.post(alice, "to outsider", reply_to=outsider)
    warehouse.violation(outsider, 1, alice)

    assert _texts((await api.get(NSID, uri=root.uri))["thread"]) == {"let in": {}}
    alone = (await api.get(NSID, uri=outsider.uri))["thread"]
    assert sorted(alone) == ["$type", "post", "threadContext"]
    assert "replies" in (await api.get(NSID, uri=let_in.uri))["thread"]


async def test_a_missing_post_or_one_of_a_hidden_account_is_not_found(api: ApiClient, warehouse: WarehouseFactory):
    alice, gone = warehouse.account("alice.test"), warehouse.account("gone.test", status="takendown")
    hidden = warehouse.post(gone)
    like = warehouse.like(alice, hidden)

    for uri in (hidden.uri, like.uri, f"at://{alice.did}/app.bsky.feed.post/3jzzzzzzzzzzz", f"at://{alice.did}"):
        assert await api.error(NSID, uri=uri) == (400, "NotFound")


async def test_the_queries_do_not_grow_with_the_thread(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    small = warehouse.post(alice)
    warehouse.post(bob, reply_to=warehouse.post(bob, reply_to=small))
    large = warehouse.post(alice)
    for _ in range(20):
        warehouse.post(bob, reply_to=warehouse.post(alice, reply_to=large))

    await api.get(NSID, uri=small.uri)
    of_three = api.queries
    await api.get(NSID, uri=large.uri)

    assert of_three == api.queries <= 6
