"""`app.bsky.feed.getFeed` and `getFeedGenerator`: custom feeds, whose services are asked over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from tests.api_client import ApiClient, running_api
from tests.factories import Account, Ref, WarehouseFactory
from tests.fakes.http_host import HttpHost, Reply, Request, error_reply, json_reply, serving
from zeppelin_api import feed_services

NSID: Final = "app.bsky.feed.getFeed"
GENERATOR: Final = "app.bsky.feed.getFeedGenerator"
SKELETON: Final = "/xrpc/app.bsky.feed.getFeedSkeleton"


class FeedService:
    """A service on loopback, its document, and what it gives next."""

    def __init__(self, host: HttpHost) -> None:
        self.host = host
        self.did = f"did:web:localhost%3A{host.port}"
        self.reply = json_reply({"feed": []})
        self.document: dict[str, Any] = {
            "id": self.did,
            "service": [{"id": "#bsky_fg", "type": "BskyFeedGenerator", "serviceEndpoint": self.endpoint}],
        }
        host.answer = self._answer

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.host.port}"

    def give(self, *items: dict[str, Any], **more: Any) -> None:
        """The skeleton that it gives."""
        self.reply = json_reply({"feed": list(items), **more}, content_language="de")

    def _answer(self, request: Request) -> Reply:
        return json_reply(self.document) if request.path == "/.well-known/did.json" else self.reply


@pytest.fixture
async def feed_service() -> AsyncIterator[FeedService]:
    async with serving(lambda _request: Reply(status=404)) as host:
        yield FeedService(host)


@pytest.fixture
async def open_api(postgres_url: str) -> AsyncIterator[ApiClient]:
    async with running_api(postgres_url, allow_private_hosts=True, feed_timeout_seconds=2) as client:
        yield client


def _generator(warehouse: WarehouseFactory, owner: Account, did: str) -> Ref:
    return warehouse.record(owner, "app.bsky.feed.generator", {"did": did, "displayName": "Feed"}, rkey="feed")


async def test_a_feed_has_the_posts_that_its_service_names_in_its_order(
    open_api: ApiClient, warehouse: WarehouseFactory, feed_service: FeedService
):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    generator = _generator(warehouse, alice, feed_service.did)
    plain, pinned = warehouse.post(alice, "plain"), warehouse.post(alice, "pinned")
    reposted = warehouse.post(alice, "reposted")
    repost = warehouse.repost(bob, reposted)
    reason = {"$type": "app.bsky.feed.defs#skeletonReasonRepost", "repost": repost.uri}
    feed_service.give(
        {"post": pinned.uri, "reason": {"$type": "app.bsky.feed.defs#skeletonReasonPin"}},
        {"post": reposted.uri, "reason": reason},
        {"post": plain.uri, "feedContext": "why"},
        {"post": plain.uri, "reason": reason},
        {"post": plain.uri + "gone"},
        cursor="next",
        reqId="42",
    )

    body = await open_api.get(NSID, feed=generator.uri, limit=30, cursor="before")

    assert [item["post"]["record"]["text"] for item in body["feed"]] == ["pinned", "reposted", "plain"]
    assert [item.get("reason", {}).get("$type", "").partition("#")[2] for item in body["feed"]] == [
        "reasonPin",
        "reasonRepost",
        "",
    ]
    assert (body["feed"][1]["reason"]["uri"], body["feed"][1]["reason"]["cid"]) == (repost.uri, repost.cid)
    assert body["feed"][2]["feedContext"] == "why"
    assert {item["reqId"] for item in body["feed"]} == {"42"}
    assert body["cursor"] == "next"
    asked = feed_service.host.requests[-1]
    assert (asked.path, asked.query) == (SKELETON, {"feed": generator.uri, "limit": "30", "cursor": "before"})


async def test_a_service_is_asked_in_the_readers_language_and_gives_no_more_than_was_asked_for(
    open_api: ApiClient, warehouse: WarehouseFactory, feed_service: FeedService
):
    alice = warehouse.account("alice.test")
    generator = _generator(warehouse, alice, feed_service.did)
    feed_service.give(*({"post": warehouse.post(alice).uri} for _ in range(3)))

    response = await open_api.http.get(
        f"/xrpc/{NSID}", params={"feed": generator.uri, "limit": 2}, headers={"accept-language": "de"}
    )

    assert len(response.json()["feed"]) == 2
    assert response.headers["content-language"] == "de"
    assert feed_service.host.requests[-1].headers["accept-language"] == "de"


async def test_languages_that_no_header_can_name_are_left_out(
    open_api: ApiClient, warehouse: WarehouseFactory, feed_service: FeedService
):
    generator = _generator(warehouse, warehouse.account("alice.test"), feed_service.did)
    feed_service.reply = json_reply({"feed": []}, content_language="日本")

    response = await open_api.http.get(
        f"/xrpc/{NSID}", params={"feed": generator.uri}, headers={b"accept-language": "français".encode()}
    )

    assert (response.status_code, response.json()) == (200, {"feed": []})
    assert "content-language" not in response.headers
    assert "français" not in feed_service.host.requests[-1].headers.get("accept-language", "")


@pytest.mark.parametrize(("items", "cursor"), [(0, "next"), (1, "here")])
async def test_a_feed_ends_where_its_service_makes_no_way(
    open_api: ApiClient, warehouse: WarehouseFactory, feed_service: FeedService, items: int, cursor: str
):
    alice = warehouse.account("alice.test")
    generator = _generator(warehouse, alice, feed_service.did)
    feed_service.give(*[{"post": warehouse.post(alice).uri}] * items, cursor=cursor)

    assert "cursor" not in await open_api.get(NSID, feed=generator.uri, cursor="here")


FAILURES: Final[list[tuple[Reply, tuple[int, str]]]] = [
    (error_reply(400, "UnknownFeed", "no such feed"), (400, "UnknownFeed")),
    (error_reply(401, "AuthenticationRequired"), (401, "AuthenticationRequired")),
    (error_reply(500, "Broken"), (502, "Broken")),
    (Reply(b"<html>", 503), (502, "InvalidFeedResponse")),
    (Reply(b"", 302, {"location": "http://127.0.0.1:1/"}), (502, "InvalidFeedResponse")),
    (json_reply({"posts": []}), (502, "InvalidFeedResponse")),
    (json_reply({"feed": [{"post": 1}]}), (502, "InvalidFeedResponse")),
    (json_reply({"feed": []}, content_encoding="gzip"), (502, "InvalidFeedResponse")),
    (Reply(b" " * 1_100_000), (502, "InvalidFeedResponse")),
    (Reply(b"{}", cut_after=1), (502, "UpstreamFailure")),
    (Reply(b"{}", delay_seconds=30), (502, "UpstreamFailure")),
]


async def test_a_failing_service_is_an_error_that_says_whose(
    open_api: ApiClient, warehouse: WarehouseFactory, feed_service: FeedService
):
    generator = _generator(warehouse, warehouse.account("alice.test"), feed_service.did)

    for reply, error in FAILURES:
        feed_service.reply = reply
        assert await open_api.error(NSID, feed=generator.uri) == error, reply


async def test_a_service_at_a_private_address_is_not_asked(
    api: ApiClient, warehouse: WarehouseFactory, feed_service: FeedService
):
    alice, fed = warehouse.account("alice.test"), warehouse.account("feed.test")
    named = _generator(warehouse, alice, feed_service.did)
    warehouse.connection.execute(
        "UPDATE identity SET feed_generator = %s WHERE handle = 'feed.test'", (feed_service.endpoint,)
    )
    known = warehouse.record(alice, "app.bsky.feed.generator", {"did": fed.did, "displayName": "Feed"}, rkey="known")

    assert await api.error(NSID, feed=named.uri) == (400, "InvalidRequest")
    assert await api.error(NSID, feed=known.uri) == (502, "UpstreamFailure")
    assert feed_service.host.requests == []


async def test_a_service_that_is_an_account_is_found_by_its_stored_document(
    open_api: ApiClient, warehouse: WarehouseFactory, feed_service: FeedService
):
    alice, fed = warehouse.account("alice.test"), warehouse.account("feed.test")
    generator = _generator(warehouse, alice, fed.did)

    assert await open_api.error(NSID, feed=generator.uri) == (400, "InvalidRequest")
    warehouse.connection.execute(
        "UPDATE identity SET feed_generator = %s WHERE handle = 'feed.test'", (feed_service.endpoint,)
    )
    assert await open_api.get(NSID, feed=generator.uri) == {"feed": []}
    assert [request.path for request in feed_service.host.requests] == [SKELETON]


async def test_one_service_that_hangs_takes_only_its_share_of_requests(
    open_api: ApiClient, warehouse: WarehouseFactory, feed_service: FeedService
):
    generator = _generator(warehouse, warehouse.account("alice.test"), feed_service.did)
    await open_api.get(NSID, feed=generator.uri)
    feed_service.reply = Reply(b"{}", delay_seconds=1)

    answers = await asyncio.gather(*(open_api.error(NSID, feed=generator.uri) for _ in range(25)))

    assert answers.count((502, "UpstreamFailure")) == 5
    assert feed_service.host.count("getFeedSkeleton") == 21


async def test_a_document_that_does_not_come_is_waited_for_once(
    open_api: ApiClient, warehouse: WarehouseFactory, feed_service: FeedService
):
    alice = warehouse.account("alice.test")
    generator = _generator(warehouse, alice, feed_service.did)
    async with serving(lambda _: Reply(b"{}", delay_seconds=30)) as hanging:
        did = f"did:web:localhost%3A{hanging.port}"
        slow = warehouse.record(alice, "app.bsky.feed.generator", {"did": did, "displayName": "Feed"})
        hung = [asyncio.create_task(open_api.error(NSID, feed=slow.uri)) for _ in range(25)]
        body = await open_api.get(NSID, feed=generator.uri)
        answers = await asyncio.gather(*hung)

    assert body == {"feed": []}
    assert set(answers) == {(400, "InvalidRequest")}
    assert hanging.count("did.json") == 1


async def test_no_more_are_asked_than_there_is_room_for(
    open_api: ApiClient, warehouse: WarehouseFactory, feed_service: FeedService, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(feed_services, "_MAX_CONNECTIONS", 1)
    alice = warehouse.account("alice.test")
    generator = _generator(warehouse, alice, feed_service.did)
    is_asked = asyncio.Event()

    def hang(_: Request) -> Reply:
        is_asked.set()
        return Reply(b"{}", delay_seconds=30)

    async with serving(hang) as hanging:
        did = f"did:web:localhost%3A{hanging.port}"
        slow = warehouse.record(alice, "app.bsky.feed.generator", {"did": did, "displayName": "Feed"})
        hung = asyncio.create_task(open_api.error(NSID, feed=slow.uri))
        await asyncio.wait_for(is_asked.wait(), timeout=10)
        async with asyncio.timeout(1.5):
            refused = await open_api.error(NSID, feed=generator.uri)
        await hung

    assert refused == (400, "InvalidRequest")
    assert feed_service.host.requests == []
    assert await open_api.get(NSID, feed=generator.uri) == {"feed": []}


async def test_a_generator_is_shown_when_its_service_is_known(
    open_api: ApiClient, warehouse: WarehouseFactory, feed_service: FeedService
):
    alice = warehouse.account("alice.test")
    generator = _generator(warehouse, alice, feed_service.did)

    body = await open_api.get(GENERATOR, feed=generator.uri)

    assert (body["view"]["uri"], body["isOnline"], body["isValid"]) == (generator.uri, True, True)
    await open_api.get(GENERATOR, feed=generator.uri)
    assert feed_service.host.count("did.json") == 1
    assert await open_api.error(GENERATOR, feed=generator.uri + "gone") == (400, "InvalidRequest")


async def test_a_document_that_names_no_service_is_an_error(
    open_api: ApiClient, warehouse: WarehouseFactory, feed_service: FeedService
):
    generator = _generator(warehouse, warehouse.account("alice.test"), feed_service.did)
    feed_service.document = {"id": feed_service.did, "service": []}

    assert await open_api.error(GENERATOR, feed=generator.uri) == (400, "InvalidRequest")
    assert await open_api.error(NSID, feed=generator.uri) == (400, "InvalidRequest")


async def test_a_feed_that_nobody_made_is_an_error(open_api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")

    for uri in (warehouse.post(alice).uri, f"at://{alice.did}/app.bsky.feed.generator/none"):
        assert await open_api.error(NSID, feed=uri) == (400, "InvalidRequest")
