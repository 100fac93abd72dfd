"""Cursors of every list, as a client may send them: of other lists, and with any numbers in them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from tests.api_client import ApiClient
from tests.factories import WarehouseFactory
from tests.search_index import make_searchable
from zeppelin_api.pagination import START, Position

_LISTS: Final[Mapping[str, tuple[str, ...]]] = {
    "actor": (
        "app.bsky.feed.getAuthorFeed", "app.bsky.feed.getActorFeeds", "app.bsky.graph.getFollowers",
        "app.bsky.graph.getFollows", "app.bsky.graph.getLists", "app.bsky.graph.getActorStarterPacks",
    ),
    "uri": ("app.bsky.feed.getLikes", "app.bsky.feed.getRepostedBy", "app.bsky.feed.getQuotes"),
    "list": ("app.bsky.feed.getListFeed", "app.bsky.graph.getList"),
    "q": (
        "app.bsky.actor.searchActors", "app.bsky.feed.searchPosts", "app.bsky.graph.searchStarterPacks",
    ),
    "limit": (
        "app.bsky.actor.getSuggestions", "app.bsky.feed.getSuggestedFeeds",
        "app.bsky.unspecced.getPopularFeedGenerators",
    ),
}  # fmt: skip
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_POSITIONS: Final = (
    START,
    Position(datetime(1, 1, 1, tzinfo=UTC), _LEAST, _LEAST),
    Position(datetime(2024, 1, 1, tzinfo=UTC), _MOST, _MOST),
    Position(datetime(2024, 1, 1, tzinfo=UTC), 0, _LEAST),
)


async def test_any_cursor_is_answered_with_a_page(api: ApiClient, warehouse: WarehouseFactory, postgres_url: str):
    alice = warehouse.account("alice.test")
    post = warehouse.post(alice, "word")
    purpose = "app.bsky.graph.defs#curatelist"
    listed = warehouse.record(alice, "app.bsky.graph.list", {"name": "List", "purpose": purpose}, rkey="list")
    make_searchable(postgres_url)
    values: dict[str, Any] = {"actor": alice.did, "uri": post.uri, "list": listed.uri, "q": "word", "limit": 1}

    for name, nsids in _LISTS.items():
        for nsid in nsids:
            for position in _POSITIONS:
                await api.get(nsid, None, **{name: values[name], "cursor": position.encode()})
    for position in _POSITIONS:
        await api.get("app.bsky.feed.searchPosts", q="word", sort="top", cursor=position.encode())
