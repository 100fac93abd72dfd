"""Search, and lists of what is popular: accounts, posts, starter packs, feed generators."""

from typing import Annotated, Final

from fastapi import Query
from starlette.responses import Response

from zeppelin_api.db import Session
from zeppelin_api.hydration.accounts import load_accounts, load_actors, resolve_identifiers
from zeppelin_api.hydration.keys import record_key
from zeppelin_api.hydration.posts import hydrate_posts
from zeppelin_api.hydration.records import load_records
from zeppelin_api.hydration.search import (
    ACCOUNTS,
    GENERATORS,
    STARTER_PACKS,
    NameQuery,
    PostQuery,
    find_latest_posts,
    find_names,
    find_top_posts,
)
from zeppelin_api.hydration.state import Hydration, StoredRecord
from zeppelin_api.lexicon.curation import PageOfGenerators, PageOfStarterPacks
from zeppelin_api.lexicon.posts import SearchPostsOutput
from zeppelin_api.lexicon.profiles import PageOfAccounts, SearchActorsTypeaheadOutput
from zeppelin_api.pagination import START, Page, Position, decode_cursor, fill_page
from zeppelin_api.parameters import AtIdentifier, Cursor, Limit
from zeppelin_api.post_queries import read_query
from zeppelin_api.responses import json_response
from zeppelin_api.routers.xrpc import XrpcRouter
from zeppelin_api.service import Service, ServiceDep, SessionDep
from zeppelin_api.views.context import View, present
from zeppelin_api.views.curation import generator_view, starter_pack_basic
from zeppelin_api.views.posts import post_view
from zeppelin_api.views.profiles import profile, profile_basic
from zeppelin_pipeline.atproto.syntax import is_at_identifier
from zeppelin_pipeline.warehouse.search_tables import NAME_SEARCH, POST_SEARCH

actor_router: Final = XrpcRouter("app.bsky.actor")
feed_router: Final = XrpcRouter("app.bsky.feed")
graph_router: Final = XrpcRouter("app.bsky.graph")
unspecced_router: Final = XrpcRouter("app.bsky.unspecced")

Term = Annotated[str | None, Query(description="DEPRECATED: use 'q' instead.", deprecated=True)]
Text = Annotated[str, Query(description="Search query string: words, of which each begins a word of the name.")]


@actor_router.query("searchActors", PageOfAccounts)
async def search_actors(
    service: ServiceDep,
    session: SessionDep,
    q: Annotated[str | None, Query(description="Search query string.")] = None,
    term: Term = None,
    limit: Limit = 25,
    cursor: Cursor = None,
) -> Response:
    """Find actors (profiles) by words of their names and handles, those with the most followers first."""
    await service.search_tables.require(session, NAME_SEARCH)
    query = NameQuery.read(q or term or "")
    page, state = await _accounts_page(session, query, decode_cursor(cursor), limit)
    context = await service.view_context(session, state)
    shown = page.shown(lambda did: profile(context, did))
    return json_response(present(actors=shown.items, cursor=shown.cursor))


@actor_router.query("searchActorsTypeahead", SearchActorsTypeaheadOutput)
async def search_actors_typeahead(
    service: ServiceDep,
    session: SessionDep,
    q: Annotated[str | None, Query(description="Search query prefix; not a full query string.")] = None,
    term: Term = None,
    limit: Limit = 10,
) -> Response:
    """Find actor suggestions for a prefix of names or of a handle, those with the most followers first."""
    await service.search_tables.require(session, NAME_SEARCH)
    query = NameQuery.read(q or term or "")
    page, state = await _accounts_page(session, query, START, limit)
    context = await service.view_context(session, state)
    return json_response({"actors": page.shown(lambda did: profile_basic(context, did)).items})


@actor_router.query("getSuggestions", PageOfAccounts)
async def get_suggestions(
    service: ServiceDep, session: SessionDep, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Get a list of suggested actors: those with the most followers first."""
    await service.search_tables.require(session, NAME_SEARCH)
    page, state = await _accounts_page(session, NameQuery("", ()), decode_cursor(cursor), limit)
    context = await service.view_context(session, state)
    shown = page.shown(lambda did: profile(context, did))
    return json_response(present(actors=shown.items, cursor=shown.cursor))


async def _accounts_page(
    session: Session, query: NameQuery, start: Position, limit: int
) -> tuple[Page[str], Hydration]:
    """The DIDs of one page of accounts, the one whose handle it is first, with the accounts in the state."""
    state = Hydration()
    exact: list[str] = []
    if is_at_identifier(query.text):
        exact = list((await resolve_identifiers(session, [query.text], state)).values())
        await load_accounts(session, state, exact)

    async def fetch(position: Position, wanted: int) -> Page[str]:
        found = await find_names(session, ACCOUNTS, query, position, wanted)
        dids = await load_actors(session, state, [key.actor for key in found.items])

        def shown(did: str | None) -> str | None:
            account = None if did is None or did in exact else state.active_account(did)
            return did if account is not None and query.matches_account(account) else None

        return Page([dids.get(key.actor) for key in found.items], found.next).shown(shown)

    first = [did for did in exact if start is START and state.active_account(did)]
    if len(first) == limit:
        return Page(first, START), state
    page = await fill_page(start, limit - len(first), fetch)
    return Page(first + page.items, page.next), state


@feed_router.query("searchPosts", SearchPostsOutput, "BadQueryString")
async def search_posts(
    service: ServiceDep,
    session: SessionDep,
    q: Annotated[
        str,
        Query(
            description='Words, "phrases", #tags, and from:, mentions:, lang:, domain:, url:, since:, until:. '
            "A post has to have all of it."
        ),
    ],
    sort: Annotated[
        str,
        Query(
            description="Specifies the ranking order of results.",
            json_schema_extra={"knownValues": ["top", "latest"]},
        ),
    ] = "latest",
    since: Annotated[str | None, Query(description="The earliest time, or day.")] = None,
    until: Annotated[str | None, Query(description="The first time, or day, that is too late.")] = None,
    mentions: Annotated[AtIdentifier | None, Query(description="An account that posts name.")] = None,
    author: Annotated[AtIdentifier | None, Query(description="The account whose posts are asked for.")] = None,
    lang: Annotated[
        str | None, Query(description="A language of posts.", json_schema_extra={"format": "language"})
    ] = None,
    domain: Annotated[str | None, Query(description="A host that posts link to, or a domain.")] = None,
    url: Annotated[str | None, Query(description="What posts link to.", json_schema_extra={"format": "uri"})] = None,
    tag: Annotated[list[str] | None, Query(description="Tags, without the hash; posts have all of them.")] = None,
    limit: Limit = 25,
    cursor: Cursor = None,
) -> Response:
    """Find posts matching search criteria, returning views of those posts."""
    await service.search_tables.require(session, POST_SEARCH)
    start = decode_cursor(cursor)
    parts = read_query(q)
    given = (("since", since), ("until", until), ("mentions", mentions), ("from", author), ("lang", lang))
    for name, value in (*given, ("domain", domain), ("url", url), *(("tag", value) for value in tag or [])):
        if value:
            parts.add(name, value)
    named = parts.authors | parts.mentions
    dids = await resolve_identifiers(session, filter(is_at_identifier, named))
    if not named <= dids.keys():
        return json_response({"posts": []})
    accounts = {f"a:{dids[name]}" for name in parts.authors} | {f"m:{dids[name]}" for name in parts.mentions}
    query = PostQuery(frozenset(parts.terms | accounts), tuple(parts.phrases), parts.since, parts.until)
    page = await _posts_page(service, session, query, start, limit, is_top=sort == "top")
    return json_response(present(posts=page.items, cursor=page.cursor))


async def _posts_page(
    service: Service, session: Session, query: PostQuery, start: Position, limit: int, *, is_top: bool
) -> Page[View]:
    state = Hydration()
    find = find_top_posts if is_top else find_latest_posts

    async def fetch(position: Position, wanted: int) -> Page[View]:
        found = await find(session, query, position, wanted)
        await hydrate_posts(session, state, found.items, service.policy)
        context = await service.view_context(session, state)
        posts = {post.key: post for post in state.posts.values()}
        matching = [posts[key].uri for key in found.items if key in posts and query.matches(posts[key])]
        return Page(matching, found.next).shown(lambda uri: post_view(context, uri))

    return await fill_page(start, limit, fetch)


@graph_router.query("searchStarterPacks", PageOfStarterPacks)
async def search_starter_packs(
    service: ServiceDep, session: SessionDep, q: Text, limit: Limit = 25, cursor: Cursor = None
) -> Response:
    """Find starter packs by words of their names, newest first."""
    await service.search_tables.require(session, NAME_SEARCH)
    state = Hydration()
    page = await _records_page(session, state, STARTER_PACKS, "name", NameQuery.read(q), decode_cursor(cursor), limit)
    context = await service.view_context(session, state)
    shown = page.shown(lambda stored: starter_pack_basic(context, stored.uri))
    return json_response(present(starterPacks=shown.items, cursor=shown.cursor))


@unspecced_router.query("getPopularFeedGenerators", PageOfGenerators)
async def get_popular_feed_generators(
    service: ServiceDep,
    session: SessionDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    query: Annotated[str | None, Query(description="Words, of which each begins a word of the name.")] = None,
) -> Response:
    """An unspecced view of globally popular feed generators: those with the most likes first."""
    await service.search_tables.require(session, NAME_SEARCH)
    state = Hydration()
    wanted = NameQuery.read(query or "")
    page = await _records_page(session, state, GENERATORS, "displayName", wanted, decode_cursor(cursor), limit)
    context = await service.view_context(session, state)
    shown = page.shown(lambda stored: generator_view(context, stored))
    return json_response(present(feeds=shown.items, cursor=shown.cursor))


async def _records_page(
    session: Session, state: Hydration, collection: int, name: str, query: NameQuery, start: Position, limit: int
) -> Page[StoredRecord]:
    """One page of records with such names, with all that their views show put into the state."""

    async def fetch(position: Position, wanted: int) -> Page[StoredRecord]:
        found = await find_names(session, collection, query, position, wanted)
        await load_records(session, state, found.items)
        await load_accounts(session, state, state.dids())
        by_key = {record_key(session.keys, uri): stored for uri, stored in state.records.items()}

        def matching(stored: StoredRecord | None) -> StoredRecord | None:
            if stored is None or state.active_account(stored.did) is None:
                return None
            return stored if query.matches_name(stored.record.get(name)) else None

        return Page([by_key.get(key) for key in found.items], found.next).shown(matching)

    return await fill_page(start, limit, fetch)
