"""`app.bsky.feed.*` of feed generators, and the feeds that they make."""

from typing import Annotated, Final

from fastapi import Query, Request
from starlette.responses import Response

from zeppelin_api.errors import invalid_request
from zeppelin_api.feed_services import Skeleton
from zeppelin_api.hydration.curation import hydrate_records, load_records_of
from zeppelin_api.hydration.feeds import FeedItem, hydrate_feed_items
from zeppelin_api.hydration.identity import load_service_document
from zeppelin_api.hydration.keys import GENERATOR
from zeppelin_api.hydration.state import Hydration
from zeppelin_api.lexicon.curation import GetFeedGeneratorOutput, GetFeedGeneratorsOutput, PageOfGenerators
from zeppelin_api.lexicon.posts import FeedOutput
from zeppelin_api.pagination import Page, Position, decode_cursor, fill_page, offset_of, position_at
from zeppelin_api.parameters import AtIdentifier, AtUriText, Cursor, Limit
from zeppelin_api.responses import json_response
from zeppelin_api.routers.made import made_page
from zeppelin_api.routers.xrpc import XrpcRouter
from zeppelin_api.service import Service, ServiceDep, SessionDep, Sessions, SessionsDep
from zeppelin_api.views.context import View, present
from zeppelin_api.views.curation import generator_view
from zeppelin_api.views.feeds import present_feed
from zeppelin_pipeline.errors import InvalidDataError, UpstreamError

router: Final = XrpcRouter("app.bsky.feed")

#: What of a request concerns the maker of a feed.
_PASSED_ON: Final = ("accept-language", "x-bsky-topics")
_REPOST_REASON: Final = "app.bsky.feed.defs#skeletonReasonRepost"
_PIN_REASON: Final = "app.bsky.feed.defs#skeletonReasonPin"


@router.query("getFeed", FeedOutput, "UnknownFeed")
async def get_feed(
    service: ServiceDep,
    sessions: SessionsDep,
    request: Request,
    feed: Annotated[AtUriText, Query()],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Get a feed from the service that makes it, which is asked for a page of URIs.

    A page filtered short is not filled up: asking for more would tell the service that what is left out was seen.
    """
    state = Hydration()
    async with sessions() as session:
        await load_records_of(session, state, GENERATOR, [feed])
    stored = state.records.get(feed)
    if stored is None:
        raise invalid_request("could not find feed")
    endpoint = await _endpoint(service, sessions, stored.record["did"])
    parameters: dict[str, str | int] = {"feed": feed, "limit": limit} | ({} if cursor is None else {"cursor": cursor})
    given = {name: request.headers.get(name) for name in _PASSED_ON}
    headers = {name: value for name, value in given.items() if value is not None and value.isascii()}
    answer = await service.feed_services.skeleton(endpoint, parameters, headers)
    async with sessions() as session:
        items = await hydrate_feed_items(session, state, _items(answer.skeleton, limit), service.policy)
        context = await service.view_context(session, state)
    req_id = answer.skeleton.req_id
    views = [view | present(reqId=req_id) for view in present_feed(context, items)]
    body = present(feed=views, cursor=_next_cursor(answer.skeleton, cursor))
    return json_response(body, headers=present(**{"content-language": answer.content_language}))


def _items(skeleton: Skeleton, limit: int) -> list[FeedItem]:
    """The items of a skeleton, no more than were asked for."""
    return [
        FeedItem(
            item.post,
            item.reason.repost if item.reason is not None and item.reason.type == _REPOST_REASON else None,
            is_pinned=item.reason is not None and item.reason.type == _PIN_REASON,
            context=item.feed_context,
        )
        for item in skeleton.feed[:limit]
    ]


def _next_cursor(skeleton: Skeleton, cursor: str | None) -> str | None:
    """Where a feed goes on: not behind an empty page, nor where the page itself began."""
    return None if not skeleton.feed or skeleton.cursor == cursor else skeleton.cursor


@router.query("getFeedGenerator", GetFeedGeneratorOutput)
async def get_feed_generator(
    service: ServiceDep,
    sessions: SessionsDep,
    feed: Annotated[AtUriText, Query(description="AT-URI of the feed generator record.")],
) -> Response:
    """Get information about a feed generator whose service is known; whether that answers now is not looked at."""
    state = Hydration()
    async with sessions() as session:
        await hydrate_records(session, state, GENERATOR, [feed])
        context = await service.view_context(session, state)
    stored = state.shown_record(feed)
    view = None if stored is None else generator_view(context, stored)
    if stored is None or view is None:
        raise invalid_request("could not find feed")
    await _endpoint(service, sessions, stored.record["did"])
    return json_response({"view": view, "isOnline": True, "isValid": True})


async def _endpoint(service: Service, sessions: Sessions, did: str) -> str:
    """The URL of the service that a DID is.

    Raises:
        ApiError: InvalidRequest, the DID has no document, or that names no such service.
    """
    async with sessions() as session:
        document = await load_service_document(session, did)
    if document is None:
        try:
            document = await service.feed_services.resolve(did)
        except (InvalidDataError, UpstreamError) as error:
            raise invalid_request(f"could not resolve identity: {did}") from error
    if document.feed_generator is None:
        raise invalid_request(f"invalid feed generator service details in did document: {did}")
    return document.feed_generator


@router.query("getFeedGenerators", GetFeedGeneratorsOutput)
async def get_feed_generators(
    service: ServiceDep, session: SessionDep, feeds: Annotated[list[AtUriText], Query()]
) -> Response:
    """Get information about a list of feed generators; those that are not found are left out."""
    state = Hydration()
    await hydrate_records(session, state, GENERATOR, feeds)
    context = await service.view_context(session, state)
    found = [stored for uri in feeds if (stored := state.shown_record(uri)) is not None]
    return json_response({"feeds": [view for stored in found if (view := generator_view(context, stored)) is not None]})


@router.query("getSuggestedFeeds", PageOfGenerators)
async def get_suggested_feeds(
    service: ServiceDep, session: SessionDep, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """Get a list of suggested feeds (feed generators): those of the operator's settings, in their order."""
    suggested = service.settings.suggested_feeds
    state = Hydration()

    async def fetch(position: Position, wanted: int) -> Page[View]:
        first = offset_of(position)
        uris = suggested[first : first + wanted]
        await hydrate_records(session, state, GENERATOR, uris)
        context = await service.view_context(session, state)
        found = [stored for uri in uris if (stored := state.shown_record(uri)) is not None]
        is_last = first + wanted >= len(suggested)
        page = Page(found, None if is_last else position_at(first + wanted))
        return page.shown(lambda stored: generator_view(context, stored))

    page = await fill_page(decode_cursor(cursor), limit, fetch)
    return json_response(present(feeds=page.items, cursor=page.cursor))


@router.query("getActorFeeds", PageOfGenerators)
async def get_actor_feeds(
    service: ServiceDep,
    session: SessionDep,
    actor: Annotated[AtIdentifier, Query()],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Get a list of feeds (feed generator records) created by the actor, newest first."""
    page = await made_page(service, session, "get_actor_feeds", actor, limit, cursor, generator_view)
    return json_response(present(feeds=page.items, cursor=page.cursor))
