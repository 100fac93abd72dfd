"""`app.bsky.feed.*`."""

import functools
from collections.abc import Callable
from typing import Annotated, Final

from fastapi import Query
from starlette.responses import Response

from zeppelin_api.db import Session
from zeppelin_api.errors import invalid_request
from zeppelin_api.hydration.accounts import load_accounts, resolve_actor, uri_by_did
from zeppelin_api.hydration.feeds import FEED_FILTERS, FeedFilter, FeedItem, hydrate_author_feed
from zeppelin_api.hydration.keys import LIST, POST, PostKey, did_of, post_key, record_key
from zeppelin_api.hydration.labels import hydrate_labels
from zeppelin_api.hydration.post_lists import PostListQuery, hydrate_post_list
from zeppelin_api.hydration.posts import hydrate_posts
from zeppelin_api.hydration.relations import Relation, SubjectQuery, hydrate_subject_relations
from zeppelin_api.hydration.state import Hydration, Post
from zeppelin_api.lexicon.posts import FeedOutput, GetPostsOutput, GetQuotesOutput
from zeppelin_api.lexicon.profiles import GetLikesOutput, GetRepostedByOutput
from zeppelin_api.pagination import START, Page, Position, decode_cursor, fill_page
from zeppelin_api.parameters import MAX_IDENTIFIERS, AtIdentifier, AtUriText, CidText, Cursor, Limit
from zeppelin_api.responses import json_response
from zeppelin_api.routers.xrpc import XrpcRouter
from zeppelin_api.service import Service, ServiceDep, SessionDep
from zeppelin_api.times import iso
from zeppelin_api.views.context import View, ViewContext, present
from zeppelin_api.views.feeds import feed_view_post, present_feed, self_threads
from zeppelin_api.views.posts import is_hidden_by_block, post_view
from zeppelin_api.views.profiles import pinned_post, profile
from zeppelin_pipeline.atproto.cid import DAG_CBOR_PREFIX, cid_from_text
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.warehouse.keys import nsid_of_number

router: Final = XrpcRouter("app.bsky.feed")


@router.query("getAuthorFeed", FeedOutput, "BlockedActor", "BlockedByActor")
async def get_author_feed(
    service: ServiceDep,
    session: SessionDep,
    actor: Annotated[AtIdentifier, Query()],
    limit: Limit = 50,
    cursor: Cursor = None,
    filter: Annotated[  # noqa: A002 - the lexicon's name
        str,
        Query(
            description="Combinations of post/repost types to include in response.",
            json_schema_extra={"knownValues": list(FEED_FILTERS)},
        ),
    ] = "posts_with_replies",
    includePins: Annotated[bool, Query()] = False,  # noqa: FBT002 - a parameter of a URL, always named
) -> Response:
    """Get a view of an actor's 'author feed' (post and reposts by the author)."""
    start = decode_cursor(cursor)
    state = Hydration()
    did = await resolve_actor(session, actor, state)
    pin = await _own_pin(session, state, did) if includePins and start is START else None
    feed_filter = FEED_FILTERS.get(filter, FEED_FILTERS["posts_with_replies"])

    async def fetch(position: Position, wanted: int) -> Page[View]:
        return await _feed_page(
            service, session, state, did, feed_filter, position, wanted, pin if position is START else None
        )

    page = await fill_page(start, limit, fetch)
    return json_response(present(feed=page.items, cursor=page.cursor))


async def _own_pin(session: Session, state: Hydration, did: str) -> PostKey | None:
    """The post that an account pins, if it is its own; one query."""
    await load_accounts(session, state, [did])
    await hydrate_labels(session, state)
    account = state.active_account(did)
    pinned = None if account is None else pinned_post(account)
    if pinned is None or did_of(pinned["uri"]) != did:
        return None
    return post_key(session.keys, pinned["uri"])


async def _feed_page(
    service: Service,
    session: Session,
    state: Hydration,
    did: str,
    feed_filter: FeedFilter,
    position: Position,
    limit: int,
    pin: PostKey | None,
) -> Page[View]:
    page = await hydrate_author_feed(session, state, did, feed_filter, position, limit, service.policy, pin)
    context = await service.view_context(session, state)
    if state.active_account(did) is None:
        raise invalid_request("Profile not found")
    items = page.items
    pinned_uri = next((post.uri for post in state.posts.values() if post.key == pin), None)
    if pinned_uri is not None:
        items = [
            FeedItem(pinned_uri, is_pinned=True),
            *(item for item in items if item.post_uri != pinned_uri),
        ]
    if feed_filter.is_self_threads_only:
        items = self_threads(items, state.posts)
    return Page(present_feed(context, items), page.next)


@router.query("getPosts", GetPostsOutput)
async def get_posts(
    service: ServiceDep,
    session: SessionDep,
    uris: Annotated[
        list[AtUriText],
        Query(max_length=MAX_IDENTIFIERS, description="List of post AT-URIs to return hydrated views for."),
    ],
) -> Response:
    """Gets post views for a specified list of posts (by AT-URI); those that are not found are left out."""
    wanted = dict.fromkeys(uris)
    keys = [key for uri in wanted if (key := post_key(session.keys, uri)) is not None]
    state = Hydration()
    await hydrate_posts(session, state, keys, service.policy)
    context = await service.view_context(session, state)
    return json_response({"posts": [view for uri in wanted if (view := post_view(context, uri)) is not None]})


@router.query("getQuotes", GetQuotesOutput)
async def get_quotes(
    service: ServiceDep,
    session: SessionDep,
    uri: Annotated[AtUriText, Query(description="Reference (AT-URI) of post record")],
    cid: Annotated[
        CidText | None,
        Query(description="If supplied, filters to quotes of specific version (by CID) of the post record."),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Get a list of quotes for a given post, newest first."""

    def view(context: ViewContext, post: Post) -> View | None:
        embedded = post.embedded
        is_of_version = cid is None or (embedded is not None and embedded["cid"] == cid)
        is_hidden = is_hidden_by_block(context, post, post.embedded_uri) or context.state.is_under_review(post)
        return post_view(context, post.uri) if is_of_version and not is_hidden else None

    page = await _post_page(service, session, "get_quotes", POST, uri, limit, cursor, view)
    return json_response(present(uri=uri, cid=cid, posts=page.items, cursor=page.cursor))


@router.query("getListFeed", FeedOutput, "UnknownList")
async def get_list_feed(
    service: ServiceDep,
    session: SessionDep,
    list: Annotated[AtUriText, Query(description="Reference (AT-URI) to the list record.")],  # noqa: A002 - the lexicon's name
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Get a feed of recent posts from a list (posts by those on it), newest first."""

    def view(context: ViewContext, post: Post) -> View | None:
        is_hidden = is_hidden_by_block(context, post, list)
        return None if is_hidden else feed_view_post(context, FeedItem(post.uri))

    page = await _post_page(service, session, "get_list_feed", LIST, list, limit, cursor, view)
    return json_response(present(feed=page.items, cursor=page.cursor))


async def _post_page(
    service: Service,
    session: Session,
    query: PostListQuery,
    collection: str,
    uri: str,
    limit: int,
    cursor: str | None,
    view: Callable[[ViewContext, Post], View | None],
) -> Page[View]:
    """The posts that have to do with a record of that collection and are shown; none for any other record."""
    start = decode_cursor(cursor)
    state = Hydration()
    by_did = await uri_by_did(session, uri, state)
    subject = record_key(session.keys, by_did)
    if subject is None or subject.collection != session.keys.collection_id(collection):
        return Page([], None)

    async def fetch(position: Position, wanted: int) -> Page[View]:
        page = await hydrate_post_list(
            session,
            state,
            query,
            subject,
            position,
            wanted,
            service.policy,
            with_replied_to=query == "get_list_feed",
            owner=did_of(by_did) if query == "get_list_feed" else None,
        )
        return page.shown(functools.partial(view, await service.view_context(session, state)))

    return await fill_page(start, limit, fetch)


@router.query("getActorLikes", FeedOutput, "BlockedActor", "BlockedByActor")
async def get_actor_likes(
    actor: Annotated[AtIdentifier, Query()],  # noqa: ARG001 - parameters of the lexicon
    limit: Limit = 50,  # noqa: ARG001
    cursor: Cursor = None,
) -> Response:
    """Get a list of posts liked by an actor. Accounts see their own likes only, and nobody is signed in."""
    decode_cursor(cursor)
    raise invalid_request("Profile not found")


@router.query("getLikes", GetLikesOutput)
async def get_likes(
    service: ServiceDep,
    session: SessionDep,
    uri: Annotated[AtUriText, Query(description="AT-URI of the subject (eg, a post record).")],
    cid: Annotated[
        CidText | None,
        Query(description="CID of the subject record (aka, specific version of record), to filter likes."),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Get like records which reference a subject (by AT-URI and CID), newest first, each account once."""

    def view(context: ViewContext, relation: Relation) -> View | None:
        actor = profile(context, relation.did)
        times = {"createdAt": iso(relation.created_at), "indexedAt": iso(relation.sort_at)}
        return None if actor is None else {"actor": actor, **times}

    page = await _subject_page(service, session, "get_likes", uri, cid, limit, cursor, view)
    return json_response(present(uri=uri, cid=cid, likes=page.items, cursor=page.cursor))


@router.query("getRepostedBy", GetRepostedByOutput)
async def get_reposted_by(
    service: ServiceDep,
    session: SessionDep,
    uri: Annotated[AtUriText, Query(description="Reference (AT-URI) of post record")],
    cid: Annotated[
        CidText | None,
        Query(description="If supplied, filters to reposts of specific version (by CID) of the post record."),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Get a list of reposts for a given post, newest first, each account once."""

    def view(context: ViewContext, relation: Relation) -> View | None:
        return profile(context, relation.did)

    page = await _subject_page(service, session, "get_reposters", uri, cid, limit, cursor, view)
    return json_response(present(uri=uri, cid=cid, repostedBy=page.items, cursor=page.cursor))


async def _subject_page(
    service: Service,
    session: Session,
    query: SubjectQuery,
    uri: str,
    cid: str | None,
    limit: int,
    cursor: str | None,
    view: Callable[[ViewContext, Relation], View | None],
) -> Page[View]:
    """The accounts related to a record that are shown; none for a record of a collection that nobody can like."""
    start = decode_cursor(cursor)
    state = Hydration()
    by_did = await uri_by_did(session, uri, state)
    subject = record_key(session.keys, by_did)
    cid_hash = None if cid is None else _cid_hash(cid)
    if subject is None or nsid_of_number(subject.collection) is None or (cid is not None and cid_hash is None):
        return Page([], None)

    async def fetch(position: Position, wanted: int) -> Page[View]:
        page = await hydrate_subject_relations(
            session, state, query, subject, did_of(by_did), cid_hash, position, wanted, service.policy
        )
        return page.shown(functools.partial(view, await service.view_context(session, state)))

    return await fill_page(start, limit, fetch)


def _cid_hash(text: str) -> bytes | None:
    """The SHA-256 in a record's CID; None for a CID that no record can have."""
    try:
        cid = cid_from_text(text)
    except InvalidDataError:
        return None
    return cid.removeprefix(DAG_CBOR_PREFIX) if cid.startswith(DAG_CBOR_PREFIX) else None
