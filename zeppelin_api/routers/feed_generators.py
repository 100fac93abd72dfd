"""`app.bsky.feed.*` of feed generators."""

from typing import Annotated, Final

from fastapi import Query
from starlette.responses import Response

from zeppelin_api.errors import invalid_request
from zeppelin_api.hydration.accounts import resolve_identifiers
from zeppelin_api.hydration.generators import hydrate_actor_feeds, hydrate_generators
from zeppelin_api.hydration.state import Hydration
from zeppelin_api.lexicon.curation import GetFeedGeneratorsOutput, PageOfGenerators
from zeppelin_api.pagination import Page, Position, decode_cursor, fill_page
from zeppelin_api.parameters import AtIdentifier, AtUriText, Cursor, Limit
from zeppelin_api.responses import json_response
from zeppelin_api.routers.xrpc import XrpcRouter
from zeppelin_api.service import ServiceDep, SessionDep
from zeppelin_api.views.context import View, present
from zeppelin_api.views.curation import generator_view

router: Final = XrpcRouter("app.bsky.feed")


@router.query("getFeedGenerators", GetFeedGeneratorsOutput)
async def get_feed_generators(
    service: ServiceDep, session: SessionDep, feeds: Annotated[list[AtUriText], Query()]
) -> Response:
    """Get information about a list of feed generators; those that are not found are left out."""
    state = Hydration()
    await hydrate_generators(session, state, feeds)
    context = service.view_context(state)
    found = [stored for uri in feeds if (stored := state.records.get(uri)) is not None]
    return json_response({"feeds": [view for stored in found if (view := generator_view(context, stored)) is not None]})


@router.query("getActorFeeds", PageOfGenerators)
async def get_actor_feeds(
    service: ServiceDep,
    session: SessionDep,
    actor: Annotated[AtIdentifier, Query()],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Get a list of feeds (feed generator records) created by the actor, newest first."""
    start = decode_cursor(cursor)
    did = (await resolve_identifiers(session, [actor])).get(actor)
    if did is None:
        raise invalid_request("Profile not found")
    state = Hydration()

    async def fetch(position: Position, wanted: int) -> Page[View]:
        page = await hydrate_actor_feeds(session, state, did, position, wanted)
        context = service.view_context(state)
        return page.shown(lambda stored: generator_view(context, stored))

    page = await fill_page(start, limit, fetch)
    return json_response(present(feeds=page.items, cursor=page.cursor))
