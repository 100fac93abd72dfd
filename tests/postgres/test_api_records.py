"""`com.atproto.repo.getRecord`: byte for byte, from columns too."""

from typing import Any

import pytest

from tests.api_client import ApiClient
from tests.factories import Ref, WarehouseFactory, blob
from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.cid import cid_of, cid_to_text

NSID = "com.atproto.repo.getRecord"


async def _record(api: ApiClient, ref: Ref) -> dict[str, Any]:
    repo, collection, rkey = ref.uri.removeprefix("at://").split("/")
    return await api.get(NSID, repo=repo, collection=collection, rkey=rkey)


async def test_records_of_every_table_are_given_back_with_their_cids(api: ApiClient, warehouse: WarehouseFactory):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    post = warehouse.post(alice, embed={"$type": "app.bsky.embed.images", "images": [{"image": blob("i"), "alt": ""}]})
    odd_post = warehouse.post(alice, rkey="odd:key")
    repost = warehouse.repost(bob, odd_post)
    a_list = warehouse.record(alice, "app.bsky.graph.list", {"name": "l", "purpose": "p"}, rkey="a-list")
    alice_uri = f"at://{alice.did}"
    refs = [
        post,
        warehouse.profile(alice, displayName="Alice"),
        warehouse.like(alice, post),
        warehouse.like(bob, post, via=repost),
        repost,
        warehouse.follow(alice, bob),
        warehouse.block(alice, bob),
        a_list,
        warehouse.record(alice, "app.bsky.graph.listitem", {"list": a_list.uri, "subject": bob.did}),
        warehouse.record(alice, "app.bsky.graph.listitem", {"list": a_list.uri, "subject": bob.did}, rkey="odd"),
        warehouse.record(alice, "app.bsky.graph.listitem", {"list": alice_uri, "subject": bob.did}),
        warehouse.record(bob, "app.bsky.graph.listblock", {"subject": a_list.uri}),
        warehouse.record(bob, "app.bsky.graph.listblock", {"subject": alice_uri}),
        warehouse.record(alice, "app.bsky.graph.starterpack", {"name": "s", "list": a_list.uri}),
        warehouse.record(
            alice, "app.bsky.graph.verification", {"subject": bob.did, "handle": "bob.test", "displayName": ""}
        ),
        warehouse.record(alice, "app.bsky.feed.generator", {"did": bob.did, "displayName": "f"}, rkey="feed"),
        warehouse.record(alice, "app.bsky.labeler.service", {"policies": {"labelValues": ["a"]}}, rkey="self"),
        warehouse.record(alice, "app.bsky.feed.threadgate", {"post": post.uri, "allow": []}),
        warehouse.record(alice, "app.bsky.feed.postgate", {"post": post.uri}),
        warehouse.record(alice, "chat.bsky.actor.declaration", {"allowIncoming": "all"}, rkey="self"),
        warehouse.record(alice, "test.unknown.thing", {"link": blob("x")["ref"], "bytes": {"$bytes": "AAEC"}}),
        warehouse.record(alice, "app.bsky.feed.post", {"text": 1}, reason="text-not-a-string"),
    ]

    for ref in refs:
        assert await _record(api, ref) == {"uri": ref.uri, "cid": ref.cid, "value": ref.value}


async def test_a_record_is_found_by_handle_and_by_its_cid(api: ApiClient, warehouse: WarehouseFactory):
    alice = warehouse.account("alice.test")
    post, other = warehouse.post(alice), warehouse.post(alice, "other")
    name: dict[str, Any] = {
        "repo": "alice.test",
        "collection": "app.bsky.feed.post",
        "rkey": post.uri.rpartition("/")[2],
    }

    assert (await api.get(NSID, **name, cid=post.cid))["uri"] == post.uri
    assert await api.error(NSID, **name, cid=other.cid) == (400, "RecordNotFound")


async def test_missing_records_and_hidden_accounts_are_refused(api: ApiClient, warehouse: WarehouseFactory):
    alice, gone = warehouse.account("alice.test"), warehouse.account("gone.test", status="takendown")
    rkey = warehouse.post(gone).uri.rpartition("/")[2]

    for collection in ("app.bsky.feed.post", "app.bsky.feed.like", "test.unknown.thing"):
        missing: dict[str, Any] = {"repo": alice.did, "collection": collection, "rkey": rkey}
        assert await api.error(NSID, **missing) == (400, "RecordNotFound")
    hidden: dict[str, Any] = {"repo": gone.did, "collection": "app.bsky.feed.post", "rkey": rkey}
    assert await api.error(NSID, **hidden) == (400, "InvalidRequest")


@pytest.mark.parametrize("raw", [b"\xa1\x01\x61a", b"\xa1\x61n\x3b" + b"\xff" * 8])
async def test_a_record_that_has_no_form_in_json_is_refused(api: ApiClient, warehouse: WarehouseFactory, raw: bytes):
    alice = warehouse.account("alice.test")
    warehouse.record(alice, "test.unknown.thing", {}, rkey="self", reason="cbor-map-key")
    warehouse.connection.execute("UPDATE record SET raw = %s", [raw])

    name: dict[str, Any] = {"repo": alice.did, "collection": "test.unknown.thing", "rkey": "self"}
    assert await api.error(NSID, **name) == (400, "InvalidRequest")


@pytest.mark.parametrize("raw", [b"\x01", b"\x08", b"\x61a", b"\xf6"])
async def test_a_record_that_is_no_map_is_given_back_as_it_is(api: ApiClient, warehouse: WarehouseFactory, raw: bytes):
    alice = warehouse.account("alice.test")
    warehouse.record(alice, "app.bsky.feed.post", {}, rkey="self", reason="not-a-map")
    warehouse.connection.execute("UPDATE record SET raw = %s", [raw])

    name = {"repo": alice.did, "collection": "app.bsky.feed.post", "rkey": "self"}
    answer = (await api.http.get(f"/xrpc/{NSID}", params=name)).json()  # the lexicon knows of maps alone
    assert (answer["cid"], answer["value"]) == (cid_to_text(cid_of(raw)), dag_cbor.decode(raw))
