"""`app.bsky.feed.getFeedGenerators`, `getActorFeeds`, `getSuggestedFeeds`."""

from tests.api_client import ApiClient, running_api
from tests.factories import Account, Ref, WarehouseFactory

SEVERAL = "app.bsky.feed.getFeedGenerators"
BY_ACTOR = "app.bsky.feed.getActorFeeds"


def _generator(warehouse: WarehouseFactory, owner: Account, name: str) -> Ref:
    value = {"did": "did:web:feeds.test", "displayName": name}
    return warehouse.record(owner, "app.bsky.feed.generator", value, rkey=name)


async def test_generators_are_given_in_the_order_of_their_uris_with_their_likes(
    api: ApiClient, warehouse: WarehouseFactory
):
    alice, gone = warehouse.account("alice.test"), warehouse.account("gone.test", status="takendown")
    first, second = _generator(warehouse, alice, "first"), _generator(warehouse, alice, "second")
    hidden = _generator(warehouse, gone, "hidden")
    warehouse.record_counts(first, likes=5)
    missing = first.uri + "-missing"

    feeds = (await api.get(SEVERAL, feeds=[second.uri, missing, hidden.uri, first.uri]))["feeds"]

    assert [(feed["uri"], feed["cid"], feed["likeCount"]) for feed in feeds] == [
        (second.uri, second.cid, 0),
        (first.uri, first.cid, 5),
    ]
    assert feeds[0]["creator"]["did"] == alice.did


async def test_an_accounts_generators_run_from_the_newest_to_the_oldest(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    for name in "abc":
        _generator(warehouse, alice, name)
    _generator(warehouse, bob, "other")

    pages = await api.pages(BY_ACTOR, "feeds", actor="alice.test", limit=2)

    assert [[feed["displayName"] for feed in page] for page in pages] == [["c", "b"], ["a"]]


async def test_an_account_that_nobody_knows_has_no_generators(api: ApiClient):
    assert await api.error(BY_ACTOR, actor="nobody.test") == (400, "InvalidRequest")


async def test_the_operator_suggests_generators_and_those_that_are_gone_leave_no_gap(
    api: ApiClient, warehouse: WarehouseFactory, postgres_url: str
):
    alice = warehouse.account("alice.test")
    made = [_generator(warehouse, alice, name).uri for name in "abc"]
    suggested = (made[2], made[0] + "gone", made[0], made[1])

    assert await api.get("app.bsky.feed.getSuggestedFeeds") == {"feeds": []}
    async with running_api(postgres_url, suggested_feeds=suggested) as suggesting:
        pages = await suggesting.pages("app.bsky.feed.getSuggestedFeeds", "feeds", limit=2)
    assert [[feed["displayName"] for feed in page] for page in pages] == [["c", "a"], ["b"]]


async def test_the_queries_do_not_grow_with_the_generators(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")
    uris = [_generator(warehouse, alice, f"feed{number}").uri for number in range(10)]

    await api.get(SEVERAL, feeds=uris[:1])
    of_one = api.queries
    await api.get(SEVERAL, feeds=uris)

    assert of_one == api.queries == 2
