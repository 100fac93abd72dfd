"""Labels in answers: whose, which versions, what takedowns remove; and `com.atproto.label.queryLabels`."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api_client import ApiClient, running_api
from tests.factories import WarehouseFactory

ACCEPT = "atproto-accept-labelers"
CONTENT = "atproto-content-labelers"
POSTS = "app.bsky.feed.getPosts"
PROFILE = "app.bsky.actor.getProfile"


def values(view: dict[str, Any]) -> list[str]:
    """What the labels of a view say."""
    return [label["val"] for label in view["labels"]]


async def test_labels_of_the_labelers_asked_for_are_on_posts_and_accounts_and_the_answer_names_them(
    api: ApiClient, warehouse: WarehouseFactory
):
    alice = warehouse.account("alice.test", {"displayName": "Alice"})
    post = warehouse.post(alice)
    one, other = warehouse.labeler("one.test"), warehouse.labeler("other.test")
    warehouse.label(one, post.uri, "spam", cts="2024-05-01T00:00:00.000Z")
    warehouse.label(other, post.uri, "rude")
    warehouse.label(one, alice.did, "bot")
    warehouse.label(one, f"at://{alice.did}/app.bsky.actor.profile/self", "odd-profile")

    body = await api.get(POSTS, {ACCEPT: f"{one.did}, did:plc:nobody;redact"}, uris=[post.uri])

    (view,) = body["posts"]
    assert view["labels"] == [{"src": one.did, "uri": post.uri, "val": "spam", "cts": "2024-05-01T00:00:00.000Z"}]
    assert values(view["author"]) == ["bot", "odd-profile"]
    assert api.headers[CONTENT] == one.did
    both = await api.get(POSTS, {ACCEPT: f"{one.did};redact,{other.did}"}, uris=[post.uri])
    assert sorted(values(both["posts"][0])) == ["rude", "spam"]
    assert api.headers[CONTENT] == f"{one.did};redact, {other.did}"


async def test_without_the_header_the_defaults_label_and_with_an_empty_one_nobody_does(
    postgres_url: str, warehouse: WarehouseFactory
):
    post = warehouse.post(warehouse.account("alice.test"))
    labeler = warehouse.labeler("default.test")
    warehouse.label(labeler, post.uri, "spam")

    async with running_api(postgres_url, labelers=labeler.did) as api:
        assert values((await api.get(POSTS, uris=[post.uri]))["posts"][0]) == ["spam"]
        assert api.headers[CONTENT] == f"{labeler.did};redact"
        assert values((await api.get(POSTS, {ACCEPT: ""}, uris=[post.uri]))["posts"][0]) == []
        assert api.headers[CONTENT] == ""


@pytest.mark.parametrize(
    "header", ["did:plc:a did:plc:b", '"text"', "(did:plc:a)", "did:plc:a,", "alice.test", "did:plc:a;=1"]
)
async def test_a_malformed_header_is_refused(api: ApiClient, header: str):
    assert await api.error(POSTS, {ACCEPT: header}, uris=["at://did:plc:a/app.bsky.feed.post/1"]) == (
        400,
        "InvalidRequest",
    )


async def test_more_labelers_than_clients_may_have_are_refused(api: ApiClient):
    header = ", ".join(f"did:plc:{number}" for number in range(21))

    assert await api.error(POSTS, {ACCEPT: header}, uris=["at://did:plc:a/app.bsky.feed.post/1"]) == (
        400,
        "InvalidRequest",
    )


async def test_negated_and_expired_labels_and_those_of_other_versions_are_not_shown(
    api: ApiClient, warehouse: WarehouseFactory
):
    alice = warehouse.account("alice.test")
    post, other = warehouse.post(alice, "a"), warehouse.post(alice, "b")
    labeler = warehouse.labeler()
    now = datetime.now(UTC).replace(microsecond=0)
    warehouse.label(labeler, post.uri, "negated", neg=True)
    warehouse.label(labeler, post.uri, "expired", expires_at=now - timedelta(seconds=1))
    warehouse.label(labeler, post.uri, "lasting", expires_at=now + timedelta(days=1))
    warehouse.label(labeler, post.uri, "this-version", cid=post.cid)
    warehouse.label(labeler, post.uri, "other-version", cid=other.cid)

    (view,) = (await api.get(POSTS, {ACCEPT: labeler.did}, uris=[post.uri]))["posts"]

    assert sorted(values(view)) == ["lasting", "this-version"]


@pytest.mark.parametrize("value", ["!takedown", "!suspend"])
async def test_a_takedown_removes_content_for_those_who_redact_and_labels_it_for_others(
    api: ApiClient, warehouse: WarehouseFactory, value: str
):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    post, reply = warehouse.post(alice, "gone"), warehouse.post(bob, "there")
    labeler = warehouse.labeler()
    warehouse.label(labeler, post.uri, value)
    warehouse.label(labeler, bob.did, value)
    uris = [post.uri, reply.uri]

    assert (await api.get(POSTS, {ACCEPT: f"{labeler.did};redact"}, uris=uris))["posts"] == []
    assert await api.error(PROFILE, {ACCEPT: f"{labeler.did};redact"}, actor=bob.did) == (400, "AccountTakedown")
    shown = (await api.get(POSTS, {ACCEPT: labeler.did}, uris=uris))["posts"]
    assert [values(view) + values(view["author"]) for view in shown] == [[value], [value]]


async def test_takedowns_of_trusted_labelers_hold_for_everybody_and_their_other_labels_are_not_forced_on_anybody(
    postgres_url: str, warehouse: WarehouseFactory
):
    alice = warehouse.account("alice.test", {"displayName": "Alice"})
    post, kept = warehouse.post(alice, "gone"), warehouse.post(alice, "kept")
    trusted, other = warehouse.labeler(), warehouse.labeler()
    warehouse.label(trusted, post.uri, "!takedown")
    warehouse.label(trusted, kept.uri, "spam")
    warehouse.label(other, kept.uri, "!takedown")
    warehouse.label(trusted, f"at://{alice.did}/app.bsky.actor.profile/self", "!takedown")

    async with running_api(postgres_url, takedown_labelers=trusted.did) as api:
        body = await api.get(POSTS, {ACCEPT: ""}, uris=[post.uri, kept.uri])
        record = {"repo": alice.did, "collection": "app.bsky.feed.post", "rkey": post.uri.rpartition("/")[2]}
        found = await api.error("com.atproto.repo.getRecord", None, **record)

    (view,) = body["posts"]
    assert (view["uri"], view["labels"]) == (kept.uri, [])
    assert "displayName" not in view["author"]
    assert found == (400, "RecordNotFound")


async def test_what_is_under_review_is_kept_out_of_threads_and_quotes(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob, labeler = warehouse.account("alice.test"), warehouse.account("bob.test"), warehouse.labeler()
    root = warehouse.post(alice, "root")
    embed = {"$type": "app.bsky.embed.record", "record": root.strong}
    reviewed = warehouse.post(alice, "reviewed", reply_to=root, embed=embed)
    warehouse.post(bob, "by bob", reply_to=root, embed=embed)
    warehouse.label(labeler, reviewed.uri, "needs-review")
    warehouse.label(labeler, bob.did, "needs-review")

    async def texts(header: str) -> list[list[str]]:
        tree = (await api.get("app.bsky.feed.getPostThread", {ACCEPT: header}, uri=root.uri))["thread"]["replies"]
        flat = await api.get("app.bsky.unspecced.getPostThreadV2", {ACCEPT: header}, anchor=root.uri)
        quotes = await api.get("app.bsky.feed.getQuotes", {ACCEPT: header}, uri=root.uri)
        views = [
            [node["post"] for node in tree],
            [item["value"]["post"] for item in flat["thread"][1:]],
            quotes["posts"],
        ]
        return [[view["record"]["text"] for view in posts] for posts in views]

    assert await texts(f"{labeler.did};redact") == [[], [], []]
    assert [sorted(found) for found in await texts(labeler.did)] == [["by bob", "reviewed"]] * 3
    (view,) = (await api.get(POSTS, {ACCEPT: f"{labeler.did};redact"}, uris=[reviewed.uri]))["posts"]
    assert values(view) == []


async def test_a_status_that_is_taken_down_is_not_shown(api: ApiClient, warehouse: WarehouseFactory):
    alice, labeler = warehouse.account("alice.test"), warehouse.labeler()
    live = {"status": "app.bsky.actor.status#live"}
    status = warehouse.record(alice, "app.bsky.actor.status", live, rkey="self")
    warehouse.label(labeler, status.uri, "!takedown")

    assert "status" in await api.get(PROFILE, {ACCEPT: labeler.did}, actor=alice.did)
    assert "status" not in await api.get(PROFILE, {ACCEPT: f"{labeler.did};redact"}, actor=alice.did)


async def test_labels_take_one_query_however_much_is_shown(api: ApiClient, warehouse: WarehouseFactory):
    posts = [warehouse.post(warehouse.account(), str(number)) for number in range(5)]
    labeler = warehouse.labeler()
    header = {ACCEPT: labeler.did}
    await api.get(POSTS, header, uris=[posts[0].uri])  # which learns who is a labeler
    await api.get(POSTS, {ACCEPT: ""}, uris=[posts[0].uri])
    without = api.queries

    for wanted in (posts[:1], posts):
        await api.get(POSTS, header, uris=[post.uri for post in wanted])
        assert api.queries == without + 1


async def test_labels_are_found_by_subject_and_source_with_their_signatures(
    api: ApiClient, warehouse: WarehouseFactory
):
    alice = warehouse.account("alice.test")
    post = warehouse.post(alice)
    one, other = warehouse.labeler(), warehouse.labeler()
    warehouse.label(one, post.uri, "spam", cid=post.cid)
    warehouse.label(one, alice.did, "bot")
    warehouse.label(one, alice.did, "taken-back", neg=True)
    warehouse.label(other, alice.did, "rude")
    ask = "com.atproto.label.queryLabels"

    found = (await api.get(ask, uriPatterns=[alice.did, post.uri, "at://nobody.test"], sources=[one.did]))["labels"]

    assert [(label["uri"], label["val"]) for label in found] == [(alice.did, "bot"), (post.uri, "spam")]
    assert (found[1]["cid"], found[1]["ver"], len(found[1]["sig"]["$bytes"])) == (post.cid, 1, 86)
    everything: dict[str, Any] = {"uriPatterns": [alice.did, post.uri], "sources": [one.did, other.did]}
    pages = await api.pages(ask, "labels", limit=1, **everything)
    assert [label for page in pages for label in page] == (await api.get(ask, **everything))["labels"]
    assert [len(page) for page in pages] == [1, 1, 1]
    assert await api.error(ask, limit=251, **everything) == (400, "InvalidRequest")
    assert await api.error(ask, uriPatterns=[alice.did]) == (400, "InvalidRequest")
    assert await api.error(ask, uriPatterns=["no-uri"], sources=[one.did]) == (400, "InvalidRequest")
    assert await api.error(ask, uriPatterns=["at://did:plc:a/*"], sources=[one.did]) == (400, "InvalidRequest")
