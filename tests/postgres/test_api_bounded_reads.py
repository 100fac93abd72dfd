"""However much an account, a post or a list has, a page of it is made of few rows, and no page is lost for it."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, LiteralString, cast

import psycopg
import pytest

from tests.api_client import ApiClient, running_api
from tests.factories import WarehouseFactory, blob
from zeppelin_api.hydration import feeds, post_lists, relations
from zeppelin_pipeline.warehouse.queries import load_queries, sql_folder

ROWS = 5_000
#: One account answers, is answered, likes, reposts and quotes, and is on a list with many others.
FILL = """
INSERT INTO post (
    actor_id, rkey, created_at, embed, raw, reply_parent_actor, reply_parent_rkey, reply_root_actor, reply_root_rkey
)
SELECT 1, n, to_timestamp(n), 0, '', 2, 9, 2, 9 FROM generate_series(1, %(rows)s) AS n;
INSERT INTO post (actor_id, rkey, created_at, embed, raw, quote_actor, quote_rkey, quote_collection)
SELECT 1000 + n, n, to_timestamp(n), 4, '', 2, 9, 1 FROM generate_series(1, %(rows)s) AS n;
INSERT INTO "like" SELECT 1000 + n, n, 2, 9, to_timestamp(n), NULL, 1, '' FROM generate_series(1, %(rows)s) AS n;
INSERT INTO repost SELECT 1000 + n, n, 2, 9, to_timestamp(n), NULL, 1, '' FROM generate_series(1, %(rows)s) AS n;
INSERT INTO repost SELECT 1, n, 2, 9, to_timestamp(n), NULL, 1, '' FROM generate_series(1, %(rows)s) AS n;
INSERT INTO list_item SELECT 3, n, 7, 1000 + n, to_timestamp(n), NULL, NULL FROM generate_series(1, %(rows)s) AS n;
"""
START = {
    "before_at": datetime.max.replace(tzinfo=UTC),
    "before_rkey": 2**63 - 1,
    "before_actor": 2**63 - 1,
    "limit": 20,
}
POST = {"actor": 2, "rkey": 9, "collection": 1, "cid": None}
FEED = {"actor": 1, "embed_bits": 0, "with_reposts": True, "before_is_repost": 2, "scanned": 100}
IMAGES = {"$type": "app.bsky.embed.images", "images": [{"image": blob("image"), "alt": ""}]}


@pytest.fixture
def filled(postgres_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for statement in FILL.split(";\n"):
            connection.execute(statement, {"rows": ROWS})
        connection.execute(cast("LiteralString", (sql_folder() / "indexes.sql").read_text(encoding="utf-8")))
        connection.execute("VACUUM ANALYZE")
        yield connection


def _rows_read(node: Mapping[str, Any]) -> float:
    """By all nodes of a plan that read a table, those that it left out included."""
    own = 0
    if "Scan" in node["Node Type"]:
        left_out = sum(node.get(name, 0) for name in ("Rows Removed by Filter", "Rows Removed by Index Recheck"))
        own = (node["Actual Rows"] + left_out) * node["Actual Loops"]
    return own + sum(map(_rows_read, node.get("Plans", [])))


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("get_author_feed", {**FEED, "replies": "none"}),
        ("get_author_feed", {**FEED, "replies": "own-threads"}),
        ("get_author_feed", {**FEED, "replies": "all", "embed_bits": 17, "with_reposts": False}),
        ("get_likes", {**POST, "most_sorted": 100}),
        ("get_likes_by_account", {**POST, "more_than": 100}),
        ("get_reposters", {**POST, "most_sorted": 100}),
        ("get_reposters_by_account", {**POST, "more_than": 100}),
        ("get_quotes", POST),
        ("get_list_feed", {"actor": 3, "rkey": 7, "most_members": 100}),
        ("get_op_thread", POST),
    ],
)
def test_a_page_reads_no_more_than_its_bounds(filled: psycopg.Connection, query: str, parameters: dict[str, Any]):
    text = f"EXPLAIN (ANALYZE, FORMAT JSON) {load_queries()[query]}"
    [(plans,)] = filled.execute(text, {**START, **parameters}).fetchall()

    assert _rows_read(plans[0]["Plan"]) < 1_000, json.dumps(plans)


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_a_feed_of_which_little_is_wanted_is_given_whole(
    api: ApiClient, warehouse: WarehouseFactory, monkeypatch: pytest.MonkeyPatch, limit: int
):
    monkeypatch.setattr(feeds, "_SCANNED", 2)
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    root = warehouse.post(bob, "root")
    wanted: list[str] = []
    for number in range(30):
        if number % 7 == 3:
            warehouse.repost(alice, warehouse.post(bob, f"reposted {number}"))
            wanted.append(f"reposted {number}")
        elif number % 5 == 2:
            warehouse.post(alice, str(number), embed=IMAGES)
            wanted.append(str(number))
        else:
            warehouse.post(alice, "reply", reply_to=root)

    pages = await api.pages(
        "app.bsky.feed.getAuthorFeed", "feed", actor=alice.did, filter="posts_no_replies", limit=limit
    )
    media = await api.pages(
        "app.bsky.feed.getAuthorFeed", "feed", actor=alice.did, filter="posts_with_media", limit=limit
    )

    assert [item["post"]["record"]["text"] for page in pages for item in page] == wanted[::-1]
    assert [item["post"]["record"]["text"] for page in media for item in page] == [
        text for text in wanted[::-1] if text.isdigit()
    ]


async def test_an_empty_page_of_a_feed_that_goes_on_says_where(
    api: ApiClient, warehouse: WarehouseFactory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(feeds, "_SCANNED", 2)
    alice = warehouse.account("alice.test")
    warehouse.post(alice, "picture", embed=IMAGES)
    for _ in range(25):
        warehouse.post(alice)

    pages = await api.pages("app.bsky.feed.getAuthorFeed", "feed", actor=alice.did, filter="posts_with_media")

    assert [len(page) for page in pages] == [0, 1]


@pytest.mark.parametrize("method", ["getLikes", "getRepostedBy"])
async def test_of_what_very_many_did_each_is_listed_once(
    api: ApiClient, warehouse: WarehouseFactory, monkeypatch: pytest.MonkeyPatch, method: str
):
    monkeypatch.setattr(relations, "_MOST_SORTED", 4)
    post = warehouse.post(warehouse.account("alice.test"))
    act = warehouse.like if method == "getLikes" else warehouse.repost
    accounts = [warehouse.account(f"a{number}.test") for number in range(7)]
    for account in [*accounts, accounts[3], accounts[3]]:
        act(account, post)

    name = "likes" if method == "getLikes" else "repostedBy"
    pages = await api.pages(f"app.bsky.feed.{method}", name, uri=post.uri, limit=3)
    of_version = await api.pages(f"app.bsky.feed.{method}", name, uri=post.uri, cid=post.cid, limit=3)
    of_another = await api.get(f"app.bsky.feed.{method}", uri=post.uri, cid=warehouse.post(accounts[0]).cid)

    dids = [item.get("actor", item)["did"] for page in pages for item in page]
    assert sorted(dids) == sorted(account.did for account in accounts)
    assert pages == of_version
    assert [len(page) for page in pages] == [3, 3, 1]
    assert of_another[name] == []


async def test_a_list_that_has_come_to_very_many_goes_on_as_it_began(
    warehouse: WarehouseFactory, postgres_url: str, monkeypatch: pytest.MonkeyPatch
):
    post = warehouse.post(warehouse.account("alice.test"))
    for number in range(6):
        warehouse.like(warehouse.account(f"a{number}.test"), post)
    async with running_api(postgres_url) as api:
        monkeypatch.setattr(relations, "_MOST_SORTED", 5)
        first = await api.get("app.bsky.feed.getLikes", uri=post.uri, limit=4)
        monkeypatch.setattr(relations, "_MOST_SORTED", 10)  # some were taken back
        rest = await api.get("app.bsky.feed.getLikes", uri=post.uri, limit=4, cursor=first["cursor"])

    assert len({like["actor"]["did"] for like in first["likes"] + rest["likes"]}) == 6
    assert "cursor" not in rest


async def test_a_feed_of_a_very_long_list_is_of_those_added_last(
    api: ApiClient, warehouse: WarehouseFactory, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(post_lists, "_MOST_MEMBERS", 2)
    owner = warehouse.account("owner.test")
    value = {"name": "l", "purpose": "app.bsky.graph.defs#curatelist"}
    a_list = warehouse.record(owner, "app.bsky.graph.list", value)
    for number in range(3):
        member = warehouse.account(f"m{number}.test")
        warehouse.record(owner, "app.bsky.graph.listitem", {"subject": member.did, "list": a_list.uri})
        warehouse.post(member, str(number))

    feed = (await api.get("app.bsky.feed.getListFeed", list=a_list.uri))["feed"]

    assert [item["post"]["record"]["text"] for item in feed] == ["2", "1"]
