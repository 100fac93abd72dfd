"""The API under test in this process: a client, its counted queries, its answers checked against the lexicons."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2
from asyncpg import Connection, Record
from pydantic import BaseModel

from zeppelin_api.app import create_app
from zeppelin_api.db import Database
from zeppelin_api.lexicon.configuration import AgeAssuranceConfig, GetConfigOutput, GetTaggedSuggestionsOutput
from zeppelin_api.lexicon.curation import (
    GetFeedGeneratorOutput,
    GetFeedGeneratorsOutput,
    GetListOutput,
    GetListsOutput,
    GetServicesOutput,
    GetStarterPackOutput,
    GetStarterPacksOutput,
    PageOfGenerators,
    PageOfStarterPacks,
)
from zeppelin_api.lexicon.posts import (
    FeedOutput,
    GetPostsOutput,
    GetPostThreadOutput,
    GetQuotesOutput,
    SearchPostsOutput,
)
from zeppelin_api.lexicon.profiles import (
    GetFollowersOutput,
    GetFollowsOutput,
    GetLikesOutput,
    GetProfilesOutput,
    GetRelationshipsOutput,
    GetRepostedByOutput,
    PageOfAccounts,
    ProfileViewDetailed,
    SearchActorsTypeaheadOutput,
)
from zeppelin_api.lexicon.repo import (
    GetRecordOutput,
    IdentityInfo,
    QueryLabelsOutput,
    ResolveDidOutput,
    ResolveHandleOutput,
)
from zeppelin_api.lexicon.threads import GetPostThreadOtherV2Output, GetPostThreadV2Output
from zeppelin_api.settings import ApiSettings

OUTPUTS: Final[Mapping[str, type[BaseModel]]] = {
    "app.bsky.actor.getProfile": ProfileViewDetailed,
    "app.bsky.actor.getProfiles": GetProfilesOutput,
    "app.bsky.feed.getAuthorFeed": FeedOutput,
    "app.bsky.feed.getQuotes": GetQuotesOutput,
    "app.bsky.feed.getListFeed": FeedOutput,
    "app.bsky.feed.getActorLikes": FeedOutput,
    "app.bsky.feed.getFeed": FeedOutput,
    "app.bsky.feed.getFeedGenerator": GetFeedGeneratorOutput,
    "app.bsky.feed.getFeedGenerators": GetFeedGeneratorsOutput,
    "app.bsky.feed.getSuggestedFeeds": PageOfGenerators,
    "app.bsky.feed.getActorFeeds": PageOfGenerators,
    "app.bsky.feed.getPosts": GetPostsOutput,
    "app.bsky.feed.getPostThread": GetPostThreadOutput,
    "app.bsky.feed.getLikes": GetLikesOutput,
    "app.bsky.feed.getRepostedBy": GetRepostedByOutput,
    "app.bsky.actor.searchActors": PageOfAccounts,
    "app.bsky.actor.searchActorsTypeahead": SearchActorsTypeaheadOutput,
    "app.bsky.actor.getSuggestions": PageOfAccounts,
    "app.bsky.feed.searchPosts": SearchPostsOutput,
    "app.bsky.graph.searchStarterPacks": PageOfStarterPacks,
    "app.bsky.unspecced.getPopularFeedGenerators": PageOfGenerators,
    "app.bsky.ageassurance.getConfig": AgeAssuranceConfig,
    "app.bsky.unspecced.getConfig": GetConfigOutput,
    "app.bsky.unspecced.getTaggedSuggestions": GetTaggedSuggestionsOutput,
    "app.bsky.labeler.getServices": GetServicesOutput,
    "app.bsky.graph.getList": GetListOutput,
    "app.bsky.graph.getLists": GetListsOutput,
    "app.bsky.graph.getStarterPack": GetStarterPackOutput,
    "app.bsky.graph.getStarterPacks": GetStarterPacksOutput,
    "app.bsky.graph.getActorStarterPacks": PageOfStarterPacks,
    "app.bsky.graph.getRelationships": GetRelationshipsOutput,
    "app.bsky.graph.getFollowers": GetFollowersOutput,
    "app.bsky.graph.getFollows": GetFollowsOutput,
    "app.bsky.unspecced.getPostThreadV2": GetPostThreadV2Output,
    "app.bsky.unspecced.getPostThreadOtherV2": GetPostThreadOtherV2Output,
    "com.atproto.label.queryLabels": QueryLabelsOutput,
    "com.atproto.identity.resolveHandle": ResolveHandleOutput,
    "com.atproto.identity.resolveDid": ResolveDidOutput,
    "com.atproto.identity.resolveIdentity": IdentityInfo,
    "com.atproto.repo.getRecord": GetRecordOutput,
}


class ApiClient:
    """Calls methods by their NSIDs.

    Attributes:
        http: the client below, for what is not a method.
        queries: how many queries the last call made.
        headers: of the last answer.
    """

    def __init__(self, http: httpx2.AsyncClient, statements: list[str]) -> None:
        self.http = http
        self._statements = statements
        self.queries = 0
        self.headers: Mapping[str, str] = {}

    async def get(self, nsid: str, headers: Mapping[str, str] | None = None, **parameters: Any) -> dict[str, Any]:
        """A successful answer. It has only fields that the lexicon knows, all that it requires, and no nulls."""
        response = await self._call(nsid, parameters, headers)
        self.headers = dict(response.headers)
        assert response.status_code == 200, response.text
        body = response.json()
        OUTPUTS[nsid].model_validate(body, extra="forbid", strict=True)
        assert not _has_null(body), body
        return body

    async def error(self, nsid: str, headers: Mapping[str, str] | None = None, **parameters: Any) -> tuple[int, str]:
        """The status and name of an answer that is an error."""
        response = await self._call(nsid, parameters, headers)
        body = response.json()
        assert set(body) == {"error", "message"}, body
        return response.status_code, body["error"]

    async def pages(self, nsid: str, items: str, **parameters: Any) -> list[list[Any]]:
        """All pages of a list, by following its cursors."""
        pages: list[list[Any]] = []
        cursor: dict[str, str] = {}
        while True:
            body = await self.get(nsid, None, **parameters, **cursor)
            pages.append(body[items])
            if "cursor" not in body:
                return pages
            assert len(pages) < 1000, "the cursors do not end"
            cursor = {"cursor": body["cursor"]}

    async def _call(
        self, nsid: str, parameters: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        self._statements.clear()
        response = await self.http.get(f"/xrpc/{nsid}", params=parameters, headers=headers)
        self.queries = len(self._statements)
        return response


@asynccontextmanager
async def running_api(postgres_url: str, **settings: Any) -> AsyncGenerator[ApiClient]:
    """The API over that database, without a socket; no labeler is a default unless told."""
    statements: list[str] = []

    class CountingConnection(Connection):
        async def fetch(self, query: str, *arguments: Any, **options: Any) -> list[Record]:
            statements.append(query)
            return await super().fetch(query, *arguments, **options)

    settings.setdefault("labelers", ())
    api_settings = ApiSettings(postgres_url=postgres_url, **settings)
    app = create_app(api_settings, Database(api_settings, connection_class=CountingConnection))
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.framework.router.lifespan_context(app.framework),
        httpx2.AsyncClient(transport=transport, base_url="http://api") as http,
    ):
        yield ApiClient(http, statements)


def _has_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_null(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_null(item) for item in value)
    return value is None
