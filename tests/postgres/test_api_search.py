"""Search over a real database: posts, accounts, starter packs, feed generators."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api_client import ApiClient
from tests.factories import A_LIST, WarehouseFactory
from tests.search_index import make_searchable

POSTS, ACTORS, TYPEAHEAD = (
    "app.bsky.feed.searchPosts",
    "app.bsky.actor.searchActors",
    "app.bsky.actor.searchActorsTypeahead",
)


@pytest.fixture
def index(postgres_url: str) -> Any:
    """Makes what can be searched of all that is in the warehouse."""

    return lambda: make_searchable(postgres_url)


async def _texts(api: ApiClient, q: str, **parameters: Any) -> list[str]:
    return [post["record"]["text"] for post in (await api.get(POSTS, q=q, **parameters))["posts"]]


async def test_posts_are_found_by_all_that_is_asked_for(api: ApiClient, warehouse: WarehouseFactory, index: Any):
    alice, bob = warehouse.account("alice.test"), warehouse.account("bob.test")
    hidden = warehouse.account("hidden.test", status="deactivated")
    mention = {"index": {"byteStart": 0, "byteEnd": 1}, "features": [
        {"$type": "app.bsky.richtext.facet#mention", "did": bob.did},
        {"$type": "app.bsky.richtext.facet#link", "uri": "https://www.news.test/1"},
    ]}  # fmt: skip
    warehouse.post(alice, "the red cat sat", langs=["en"], created_at="2024-02-01T00:00:00.000Z")
    warehouse.post(alice, "Red is the CAT", langs=["de"], tags=["Pets"], created_at="2024-02-02T00:00:00.000Z")
    warehouse.post(bob, "a cat, red", facets=[mention], created_at="2024-02-03T00:00:00.000Z")
    warehouse.post(hidden, "red cat of nobody", created_at="2024-02-04T00:00:00.000Z")
    index()

    everything = ["a cat, red", "Red is the CAT", "the red cat sat"]
    assert await _texts(api, "red cat") == await _texts(api, "CAT red") == everything
    assert await _texts(api, '"red cat"') == ["the red cat sat"]
    assert await _texts(api, "cat from:alice.test") == await _texts(api, "cat", author=alice.did) == everything[1:]
    assert await _texts(api, "mentions:bob.test") == await _texts(api, "cat", mentions=bob.did) == everything[:1]
    assert await _texts(api, "lang:de") == await _texts(api, "#pets") == everything[1:2]
    assert await _texts(api, "cat", tag="pets") == everything[1:2]
    assert await _texts(api, "domain:news.test") == await _texts(api, "url:https://www.news.test/1") == everything[:1]
    assert await _texts(api, "cat since:2024-02-02 until:2024-02-03") == everything[1:2]
    assert await _texts(api, "cat", since="2024-02-02T00:00:00Z", until="2024-02-03T00:00:00.000Z") == everything[1:2]
    assert await _texts(api, "dog") == await _texts(api, "cat from:nobody.test") == []
    assert await api.error(POSTS, q="cat", since="soon") == (400, "BadQueryString")
    assert await api.error(POSTS) == await api.error(POSTS, q="", tag="pets") == (400, "InvalidRequest")


async def test_searching_is_not_implemented_while_its_index_is_not_made(
    api: ApiClient, warehouse: WarehouseFactory, index: Any
):
    warehouse.post(warehouse.account("alice.test", {"displayName": "Alice"}), "cat")
    starter_packs, popular = "app.bsky.graph.searchStarterPacks", "app.bsky.unspecced.getPopularFeedGenerators"
    suggestions = "app.bsky.actor.getSuggestions"
    asked: list[tuple[str, dict[str, Any]]] = [
        (nsid, {"q": "a"}) for nsid in (POSTS, ACTORS, TYPEAHEAD, starter_packs)
    ] + [
        (popular, {}),
        (suggestions, {}),
    ]

    assert {await api.error(nsid, **parameters) for nsid, parameters in asked} == {(501, "MethodNotImplemented")}
    assert await api.error(POSTS) == (400, "InvalidRequest")
    index()
    for nsid, parameters in asked:
        await api.get(nsid, **parameters)
    await api.get(POSTS, q="none")
    assert api.queries == 1


@pytest.mark.parametrize("sort", ["latest", "top"])
async def test_pages_of_posts_join_to_the_whole(api: ApiClient, warehouse: WarehouseFactory, index: Any, sort: str):
    users = [warehouse.account(f"user{number}.test") for number in range(3)]
    posts = [
        warehouse.post(
            users[number % 3], f"word number{number}", created_at="2024-02-01T00:00:00.000Z" if number % 2 else None
        )
        for number in range(20)
    ]
    for number, post in enumerate(posts):
        warehouse.post_counts(post, likes=number // 4)
    index()

    pages = await api.pages(POSTS, "posts", q="word", limit=6, sort=sort)

    uris = [post["uri"] for page in pages for post in page]
    assert sorted(uris) == sorted(post.uri for post in posts)
    assert uris == [post["uri"] for post in (await api.get(POSTS, q="word", limit=100, sort=sort))["posts"]]
    if sort == "top":
        likes = [post["likeCount"] for page in pages for post in page]
        assert likes == sorted(likes, reverse=True)
    many = api.queries
    await api.get(POSTS, q="word", limit=2, sort=sort)
    assert api.queries <= many <= 4


@pytest.mark.parametrize("sort", ["latest", "top"])
async def test_posts_that_come_while_one_reads_on_shift_nothing(
    api: ApiClient, warehouse: WarehouseFactory, index: Any, sort: str
):
    alice = warehouse.account("alice.test")
    before = {warehouse.post(alice, "word").uri for _ in range(9)}
    soon = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while not seen or cursor:
        index()
        page = await api.get(POSTS, q="word", limit=2, sort=sort, **cursor)
        seen += [post["uri"] for post in page["posts"]]
        cursor = {"cursor": page["cursor"]} if "cursor" in page else {}
        new = warehouse.post(alice, "word", created_at=soon.isoformat(), indexed_at=soon)
        warehouse.post_counts(new, likes=100)

    assert (len(seen), set(seen)) == (9, before)


async def test_names_that_begin_alike_for_long_are_told_apart(api: ApiClient, warehouse: WarehouseFactory, index: Any):
    for number in range(101):
        warehouse.actor_counts(warehouse.account(f"jonathan{number}.test"), followers=1)
    warehouse.account("jonathansmith.test")
    index()

    for q in ("jonathans", "jonathansmi", "jonathansmith", "jonathansmith.t"):
        found = await api.get(TYPEAHEAD, q=q, limit=1)
        assert [actor["handle"] for actor in found["actors"]] == ["jonathansmith.test"]


async def test_a_post_that_changed_is_not_found_by_what_it_said(
    api: ApiClient, warehouse: WarehouseFactory, index: Any
):
    alice = warehouse.account("alice.test")
    before, gone = warehouse.post(alice, "before"), warehouse.post(alice, "gone")
    index()
    after = warehouse.post(alice, "after", rkey="3kabcdefghij2")
    raw = warehouse.connection.execute("SELECT raw FROM post ORDER BY created_at DESC LIMIT 1").fetchone()
    assert raw is not None
    rkey = before.uri.rpartition("/")[2]
    warehouse.connection.execute("UPDATE post SET raw = %s WHERE rkey = %s", (raw[0], warehouse.keys.rkey_id(rkey)))
    gone_rkey = warehouse.keys.rkey_id(gone.uri.rpartition("/")[2])
    warehouse.connection.execute("DELETE FROM post WHERE rkey = %s", (gone_rkey,))

    assert await _texts(api, "before") == await _texts(api, "gone") == await _texts(api, "after") == []
    index()
    assert [post["uri"] for post in (await api.get(POSTS, q="after"))["posts"]] == [after.uri]
    row = warehouse.connection.execute("SELECT count(*) FROM post_search WHERE rkey = %s", (gone_rkey,)).fetchone()
    assert row == (0,)


async def test_accounts_are_found_as_one_types_by_name_and_handle_the_most_followed_first(
    api: ApiClient, warehouse: WarehouseFactory, index: Any
):
    names = {"alice.test": "Wonder Land", "alina.bsky.social": "Bob", "wonder.test": "alixandra", "other.test": "x"}
    for followers, (handle, name) in enumerate(names.items()):
        account = warehouse.account(handle, {"displayName": name})
        warehouse.actor_counts(account, followers=followers)
    warehouse.account("alioth.test", status="takendown")
    index()

    async def handles(q: str, nsid: str = TYPEAHEAD, **parameters: Any) -> list[str]:
        return [actor["handle"] for actor in (await api.get(nsid, q=q, **parameters))["actors"]]

    assert await handles("ALI") == ["wonder.test", "alina.bsky.social", "alice.test"]
    assert await handles("land won") == ["alice.test"]
    assert await handles("@alina.bs") == ["alina.bsky.social"]
    assert await handles("wonder.test") == ["wonder.test"]
    assert await handles("nothing") == await handles("\N{PARTY POPPER}") == await handles("...") == []
    assert await handles("wonder", ACTORS) == ["wonder.test", "alice.test"]
    pages = await api.pages(ACTORS, "actors", q="ali", limit=1)
    assert [[actor["handle"] for actor in page] for page in pages if page] == [
        ["wonder.test"],
        ["alina.bsky.social"],
        ["alice.test"],
    ]
    suggested = await api.get("app.bsky.actor.getSuggestions", limit=2)
    assert [actor["handle"] for actor in suggested["actors"]] == ["other.test", "wonder.test"]


async def test_a_handle_is_found_at_every_letter_that_one_types(
    api: ApiClient, warehouse: WarehouseFactory, index: Any
):
    whole = ["al-ice.bsky.social", "ben.a.bsky.social", "carla.news.example.com"]
    for handle in whole:
        warehouse.account(handle)
    index()

    for handle in whole:
        for end in range(1, len(handle) + 1):
            found = await api.get(TYPEAHEAD, q=handle[:end].upper())
            assert handle in [actor["handle"] for actor in found["actors"]], handle[:end]


async def test_names_are_found_without_their_accents_and_by_any_ideograph(
    api: ApiClient, warehouse: WarehouseFactory, index: Any
):
    for number, name in enumerate(("Jos\u00e9", "\u9ed2\u732b")):
        warehouse.account(f"user{number}.test", {"displayName": name})
    index()

    for number, q in ((0, "jose"), (0, "JOS\u00c9"), (1, "\u9ed2"), (1, "\u732b"), (1, "\u9ed2\u732b")):
        found = await api.get(TYPEAHEAD, q=q)
        assert [actor["handle"] for actor in found["actors"]] == [f"user{number}.test"], q


async def test_whatever_is_asked_is_answered(api: ApiClient, warehouse: WarehouseFactory, index: Any):
    alice = warehouse.account("alice.test", {"displayName": "Alice"})
    texts = (
        "\u9ed2\u732b \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u05e9\u05dc\u05d5\u05dd don\u2019t caf\u00e9",
        "100% o'reilly's \\ x_y",
    )
    for text in texts:
        warehouse.post(alice, text)
    index()

    for q in (
        "\u732b",
        "\u0e2a\u0e27\u0e31",
        "\u202e\u05e9\u05dc\u05d5\u05dd\u202c",
        "DON'T",
        "cafe",
        '"cafe',
        "from:alice.test \u9ed2\u732b",
    ):
        assert await _texts(api, q) == [texts[0]], q
    for q in ("100%", "o'reilly's", "x_y \\", '"100 o\u2019reilly\u2019s"'):
        assert await _texts(api, q) == [texts[1]], q
    everyone = ("from:alice.test", "from:@ALICE.test", alice.did, "since:2000-01-01", "*", " ")
    for q in everyone:
        assert sorted(await _texts(api, q)) == sorted(texts), q
    nobody = (
        "\x00",
        "cafe\x00s",
        "from:\x00",
        'from:""',
        "mentions:%",
        "lang:\x00",
        "'; DROP TABLE post; --",
        "%",
        '"',
        '""',
        "since:2024-01-02 until:2024-01-01",
        "cafe " * 1_000 + "tea",
    )
    for q in nobody:
        assert await _texts(api, q) == [], q
    for q in ("\x00", "%", "_", "'", "a\x00", ".", "@", "a" * 3_000, "\u202e", "did:plc:a", "did:\x00"):
        for nsid in (ACTORS, TYPEAHEAD):
            await api.get(nsid, q=q)


async def test_whose_handle_it_is_comes_first_and_once(api: ApiClient, warehouse: WarehouseFactory, index: Any):
    for handle in ("alice.test", "alice.tester"):
        warehouse.account(handle)
    index()

    for q in ("alice.test", "alice.tester"):
        pages = await api.pages(ACTORS, "actors", q=q, limit=1)
        found = [[actor["handle"] for actor in page] for page in pages if page]
        assert found == [["alice.test"], ["alice.tester"]][q == "alice.tester" :]


async def test_packs_and_generators_are_found_by_their_names(api: ApiClient, warehouse: WarehouseFactory, index: Any):
    alice = warehouse.account("alice.test")
    packs = [
        warehouse.record(alice, "app.bsky.graph.starterpack", {"name": name, "list": A_LIST})
        for name in ("Science people", "Art", "Scientists")
    ]
    for name in ("Science", "Cats"):
        warehouse.record(alice, "app.bsky.feed.generator", {"did": "did:web:f.test", "displayName": name})
    index()

    found = await api.pages("app.bsky.graph.searchStarterPacks", "starterPacks", q="scien", limit=1)
    popular = await api.get("app.bsky.unspecced.getPopularFeedGenerators")
    science = await api.get("app.bsky.unspecced.getPopularFeedGenerators", query="science")

    assert [pack["uri"] for page in found for pack in page] == [packs[2].uri, packs[0].uri]
    assert sorted(feed["displayName"] for feed in popular["feeds"]) == ["Cats", "Science"]
    assert [feed["displayName"] for feed in science["feeds"]] == ["Science"]
