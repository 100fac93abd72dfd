"""Images and blobs of accounts, from a host that is there: what is given, and what is refused."""

import asyncio
import io
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import psycopg
import pytest
from PIL import Image

from tests.api_client import running_api
from tests.factories import Account, WarehouseFactory
from tests.fakes.http_host import Reply, Request, error_reply, serving
from zeppelin_api.media import images
from zeppelin_pipeline.atproto.cid import RAW_PREFIX, cid_of, cid_to_text


def _png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (300, 200), "blue").save(file, "PNG")
    return file.getvalue()


IMAGE = _png()
CID = cid_to_text(cid_of(IMAGE, RAW_PREFIX))
BLOB = {"$type": "blob", "ref": {"$link": CID}, "mimeType": "image/png", "size": len(IMAGE)}
_ITEM = {"image": BLOB, "alt": ""}


@asynccontextmanager
async def _api(
    warehouse: WarehouseFactory, url: str, answer: Any, status: str | None = "active", **settings: Any
) -> AsyncGenerator[tuple[httpx2.AsyncClient, str, list[Request]]]:
    """The API, an account whose host answers like that, and what the host was asked."""
    account = warehouse.account("alice.test", status=status)
    async with serving(answer) as host, running_api(url, allow_private_hosts=True, **settings) as api:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("UPDATE identity SET pds = %s", (host.host.url,))
        yield api.http, account.did, host.requests


async def test_an_image_is_resized_and_kept(warehouse: WarehouseFactory, postgres_url: str):
    async with _api(warehouse, postgres_url, lambda _: Reply(IMAGE)) as (http, did, requests):
        answers = [await http.get(f"/img/avatar_thumbnail/plain/{did}/{CID}@webp") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    image = Image.open(io.BytesIO(answers[1].content))
    assert (image.format, image.size) == ("WEBP", (128, 128))
    assert answers[0].headers["content-type"] == "image/webp"
    assert "max-age" in answers[0].headers["cache-control"]
    [request] = requests
    assert request.query == {"did": did, "cid": CID}


async def test_an_image_of_no_format_is_a_jpeg(warehouse: WarehouseFactory, postgres_url: str):
    async with _api(warehouse, postgres_url, lambda _: Reply(IMAGE)) as (http, did, _requests):
        plain, named = [await http.get(f"/img/avatar/plain/{did}/{CID}{suffix}") for suffix in ("", "@jpeg")]

    assert (plain.status_code, plain.headers["content-type"]) == (200, "image/jpeg")
    assert plain.content == named.content


async def test_a_blob_is_given_to_be_saved(warehouse: WarehouseFactory, postgres_url: str):
    async with _api(warehouse, postgres_url, lambda _: Reply(IMAGE)) as (http, did, _requests):
        answer = await http.get(f"/blob/{did}/{CID}")

    assert (answer.status_code, answer.content) == (200, IMAGE)
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("reply", "status", "name"),
    [
        (Reply(IMAGE + b"!"), 502, "UpstreamFailure"),
        (Reply(b"x" * 20_000), 502, "UpstreamFailure"),
        (error_reply(400, "BlobNotFound"), 404, "BlobNotFound"),
        (error_reply(500, "InternalServerError"), 502, "UpstreamFailure"),
        (Reply(IMAGE, cut_after=10), 502, "UpstreamFailure"),
        (Reply(IMAGE, delay_seconds=5), 502, "UpstreamFailure"),
    ],
    ids=["other bytes", "too many bytes", "not there", "broken", "cut off", "too slow"],
)
async def test_what_the_host_does_not_give_right_is_not_given(
    warehouse: WarehouseFactory, postgres_url: str, reply: Reply, status: int, name: str
):
    limits: dict[str, Any] = {"media_max_bytes": 10_000, "media_timeout_seconds": 0.5}
    async with _api(warehouse, postgres_url, lambda _: reply, **limits) as (http, did, _requests):
        answer = await http.get(f"/img/avatar/plain/{did}/{CID}@jpeg")
    assert (answer.status_code, answer.json()["error"]) == (status, name)


async def test_an_account_that_is_hidden_has_no_images(warehouse: WarehouseFactory, postgres_url: str):
    async with _api(warehouse, postgres_url, lambda _: Reply(IMAGE), status="takendown") as (http, did, requests):
        answer = await http.get(f"/blob/{did}/{CID}")
    assert (answer.status_code, requests) == (404, [])


@pytest.mark.parametrize("is_labelled", [False, True], ids=["by its host", "by a label"])
async def test_an_image_that_is_kept_is_not_shown_once_its_account_is_taken_down(
    warehouse: WarehouseFactory, postgres_url: str, is_labelled: bool
):
    moderation = warehouse.labeler("mod.test")
    async with _api(warehouse, postgres_url, lambda _: Reply(IMAGE), takedown_labelers=(moderation.did,)) as (
        http,
        did,
        _requests,
    ):
        path = f"/img/avatar_thumbnail/plain/{did}/{CID}@webp"
        before = await http.get(path)
        if is_labelled:
            warehouse.label(moderation, did, "!takedown")
        else:
            with psycopg.connect(postgres_url, autocommit=True) as connection:
                connection.execute("UPDATE repo SET status = 'deleted'")
        after = [await http.get(path), await http.get(f"/blob/{did}/{CID}")]

    assert (before.status_code, [answer.status_code for answer in after]) == (200, [404, 404])


@pytest.mark.parametrize(
    ("collection", "rkey", "value"),
    [
        ("app.bsky.feed.post", "3jzfcijpj2z2a", {"embed": {"$type": "app.bsky.embed.images", "images": [_ITEM]}}),
        ("app.bsky.actor.profile", "self", {"avatar": BLOB}),
        ("app.bsky.feed.generator", "feed", {"did": "did:web:feed.test", "displayName": "f", "avatar": BLOB}),
        ("app.bsky.graph.list", "list", {"name": "l", "purpose": "app.bsky.graph.defs#modlist", "avatar": BLOB}),
        ("com.example.picture", "one", {"picture": BLOB}),
    ],
)
async def test_the_images_of_a_record_that_a_label_took_down_are_not_shown(
    warehouse: WarehouseFactory, postgres_url: str, collection: str, rkey: str, value: dict[str, Any]
):
    moderation = warehouse.labeler("mod.test")
    async with _api(warehouse, postgres_url, lambda _: Reply(IMAGE), takedown_labelers=(moderation.did,)) as (
        http,
        did,
        _requests,
    ):
        alice, path = Account(did, "alice.test"), f"/img/avatar_thumbnail/plain/{did}/{CID}"
        if collection == "app.bsky.feed.post":
            record = warehouse.post(alice, "look", **value)
            innocent = warehouse.post(alice, "no picture")
        else:
            record = warehouse.record(alice, collection, value, rkey=rkey)
            innocent = warehouse.post(alice, "look", embed={"$type": "app.bsky.embed.images", "images": [_ITEM]})
        before = await http.get(path)
        warehouse.label(moderation, innocent.uri, "spam")
        warehouse.label(moderation, record.uri, "!takedown")
        tag = {"if-none-match": before.headers["etag"]}
        after = [await http.get(path), await http.get(path, headers=tag), await http.get(f"/blob/{did}/{CID}")]

    assert (before.status_code, [answer.status_code for answer in after]) == (200, [404, 404, 404])


async def test_other_images_of_an_account_stay(warehouse: WarehouseFactory, postgres_url: str):
    moderation = warehouse.labeler("mod.test")
    async with _api(warehouse, postgres_url, lambda _: Reply(IMAGE), takedown_labelers=(moderation.did,)) as (
        http,
        did,
        _requests,
    ):
        warehouse.label(moderation, warehouse.post(Account(did, "alice.test"), "no picture").uri, "!takedown")
        answer = await http.get(f"/blob/{did}/{CID}")

    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/img/avatar/plain/{did}/{cid}", "/blob/{did}/{cid}"])
async def test_who_has_an_image_is_told_that_it_stands(warehouse: WarehouseFactory, postgres_url: str, path: str):
    async with _api(warehouse, postgres_url, lambda _: Reply(IMAGE), media_cache_seconds=60) as (http, did, requests):
        url = path.format(did=did, cid=CID)
        first = await http.get(url)
        asked = len(requests)
        tags = [first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*", '"other"']
        answers = [await http.get(url, headers={"if-none-match": tag}) for tag in tags]

    assert [answer.status_code for answer in answers] == [304, 304, 304, 200]
    assert (answers[0].content, answers[0].headers["etag"]) == (b"", first.headers["etag"])
    assert {answer.headers["cache-control"] for answer in [first, *answers]} == {"public, max-age=60"}
    assert asked == 1


async def test_images_that_wait_to_be_resized_are_no_more_than_may_be_fetched(
    warehouse: WarehouseFactory, postgres_url: str, monkeypatch: pytest.MonkeyPatch
):
    may_end, is_room_full = threading.Event(), asyncio.Event()
    given: list[Request] = []

    def give(request: Request) -> Reply:
        given.append(request)
        if len(given) == 2:
            is_room_full.set()
        return Reply(IMAGE)

    def resize_later(*_: object) -> bytes:
        may_end.wait(10)
        return b"image"

    monkeypatch.setattr(images, "resize", resize_later)
    async with _api(warehouse, postgres_url, give, media_max_fetches=4, media_threads=1) as (http, did, _requests):
        paths = [f"/img/{preset}/plain/{did}/{CID}" for preset in images.PRESETS]
        asked = [asyncio.create_task(http.get(path)) for path in paths]
        await asyncio.wait_for(is_room_full.wait(), timeout=10)
        await asyncio.wait(asked, timeout=0.5)
        held = len(given)
        may_end.set()
        answers = await asyncio.gather(*asked)

    assert held == 2
    assert [answer.status_code for answer in answers] == [200] * len(paths)


async def test_a_host_that_hangs_holds_up_no_other(warehouse: WarehouseFactory, postgres_url: str):
    bob, asked = warehouse.account("bob.test"), asyncio.Event()

    def hang(_: Request) -> Reply:
        asked.set()
        return Reply(IMAGE, delay_seconds=30)

    async with (
        _api(warehouse, postgres_url, hang, media_max_fetches=2, media_timeout_seconds=2) as (http, did, requests),
        serving(lambda _: Reply(IMAGE)) as other,
    ):
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            actor = warehouse.keys.actor_id(bob.did)
            connection.execute("UPDATE identity SET pds = %s WHERE actor_id = %s", (other.host.url, actor))
        hanging = [asyncio.create_task(http.get(f"/blob/{did}/{CID}")) for _ in range(4)]
        await asyncio.wait_for(asked.wait(), timeout=10)
        given = await http.get(f"/blob/{bob.did}/{CID}")
        is_held_up, most = any(task.done() for task in hanging), len(requests)
        answers = await asyncio.gather(*hanging)

    assert (given.status_code, is_held_up, most) == (200, False, 1)
    assert [answer.status_code for answer in answers] == [502] * 4


async def test_a_host_at_a_private_address_is_not_asked(warehouse: WarehouseFactory, postgres_url: str):
    warehouse.account("alice.test")
    async with serving(lambda _: Reply(IMAGE)) as host, running_api(postgres_url) as api:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("UPDATE identity SET pds = %s", (host.host.url,))
            [(did,)] = connection.execute("SELECT did FROM actor").fetchall()
        answer = await api.http.get(f"/blob/{did}/{CID}")
    assert (answer.status_code, host.requests) == (502, [])


@pytest.mark.parametrize(
    "path",
    ["/img/huge/plain/{did}/{cid}@jpeg", "/img/avatar/plain/{did}/{cid}@exe", "/img/avatar/plain/nobody/{cid}",
     "/img/avatar/plain/{did}/abc", "/blob/{did}/abc"],
)  # fmt: skip
async def test_what_is_not_asked_rightly_is_refused(warehouse: WarehouseFactory, postgres_url: str, path: str):
    async with _api(warehouse, postgres_url, lambda _: Reply(IMAGE)) as (http, did, requests):
        answer = await http.get(path.format(did=did, cid=CID))
    assert (answer.status_code, answer.json()["error"], requests) == (400, "InvalidRequest", [])
