"""`app.bsky.graph.*` of lists and starter packs."""

from typing import Annotated, Final

from fastapi import Query
from starlette.responses import Response

from zeppelin_api.errors import invalid_request
from zeppelin_api.hydration.accounts import uri_by_did
from zeppelin_api.hydration.curation import (
    hydrate_members,
    hydrate_records,
    hydrate_starter_pack,
    load_records_of,
)
from zeppelin_api.hydration.keys import LIST, STARTER_PACK
from zeppelin_api.hydration.state import Hydration, StoredRecord
from zeppelin_api.lexicon.curation import (
    GetListOutput,
    GetListsOutput,
    GetStarterPackOutput,
    GetStarterPacksOutput,
    PageOfStarterPacks,
)
from zeppelin_api.pagination import Page, Position, decode_cursor, fill_page
from zeppelin_api.parameters import MAX_IDENTIFIERS, AtIdentifier, AtUriText, Cursor, Limit
from zeppelin_api.responses import json_response
from zeppelin_api.routers.made import made_page
from zeppelin_api.routers.xrpc import XrpcRouter
from zeppelin_api.service import ServiceDep, SessionDep
from zeppelin_api.views.context import View, ViewContext, present
from zeppelin_api.views.curation import list_view, member_view, starter_pack_basic, starter_pack_view

router: Final = XrpcRouter("app.bsky.graph")

#: Numbers of the purposes that can be asked for (warehouse/rows_curation.py), in the short form and the full one.
_PURPOSES: Final = {
    "modlist": 1,
    "app.bsky.graph.defs#modlist": 1,
    "curatelist": 2,
    "app.bsky.graph.defs#curatelist": 2,
}


@router.query("getList", GetListOutput)
async def get_list(
    service: ServiceDep,
    session: SessionDep,
    list: Annotated[  # noqa: A002 - the lexicon's name
        AtUriText, Query(description="Reference (AT-URI) of the list record to hydrate.")
    ],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Gets a 'view' (with additional context) of a specified list, and who is on it, newest first."""
    start = decode_cursor(cursor)
    state = Hydration()
    uri = await uri_by_did(session, list, state)
    await load_records_of(session, state, LIST, [uri])
    if uri not in state.records:
        raise invalid_request("List not found")

    async def fetch(position: Position, wanted: int) -> Page[View]:
        page = await hydrate_members(session, state, uri, position, wanted, service.policy)
        context = await service.view_context(session, state)
        return page.shown(lambda member: member_view(context, member))

    page = await fill_page(start, limit, fetch)
    stored = state.shown_record(uri)
    view = None if stored is None else list_view(await service.view_context(session, state), stored)
    if view is None:
        raise invalid_request("List not found")
    return json_response(present(list=view, items=page.items, cursor=page.cursor))


@router.query("getLists", GetListsOutput)
async def get_lists(
    service: ServiceDep,
    session: SessionDep,
    actor: Annotated[AtIdentifier, Query(description="The account (actor) to enumerate lists from.")],
    limit: Limit = 50,
    cursor: Cursor = None,
    purposes: Annotated[
        list[str] | None,
        Query(
            description="Optional filter by list purpose. If not specified, all supported types are returned.",
            json_schema_extra={"items": {"type": "string", "knownValues": ["modlist", "curatelist"]}},
        ),
    ] = None,
) -> Response:
    """Enumerates the lists created by a specified account (actor), newest first."""
    wanted = sorted({_PURPOSES[name] for name in purposes or _PURPOSES if name in _PURPOSES})
    page = await made_page(service, session, "get_lists", actor, limit, cursor, list_view, purposes=wanted)
    return json_response(present(lists=page.items, cursor=page.cursor))


@router.query("getStarterPack", GetStarterPackOutput)
async def get_starter_pack(
    service: ServiceDep,
    session: SessionDep,
    starterPack: Annotated[AtUriText, Query(description="Reference (AT-URI) of the starter pack record.")],
) -> Response:
    """Gets a view of a starter pack."""
    state = Hydration()
    uri = await uri_by_did(session, starterPack, state)
    sample = await hydrate_starter_pack(session, state, uri, service.policy)
    view = starter_pack_view(await service.view_context(session, state), uri, sample)
    if view is None:
        raise invalid_request("Starter pack not found")
    return json_response({"starterPack": view})


@router.query("getStarterPacks", GetStarterPacksOutput)
async def get_starter_packs(
    service: ServiceDep,
    session: SessionDep,
    uris: Annotated[list[AtUriText], Query(max_length=MAX_IDENTIFIERS)],
) -> Response:
    """Get views for a list of starter packs; those that are not found are left out."""
    state = Hydration()
    await hydrate_records(session, state, STARTER_PACK, uris)
    context = await service.view_context(session, state)
    views = [starter_pack_basic(context, uri) for uri in uris]
    return json_response({"starterPacks": [view for view in views if view is not None]})


@router.query("getActorStarterPacks", PageOfStarterPacks)
async def get_actor_starter_packs(
    service: ServiceDep,
    session: SessionDep,
    actor: Annotated[AtIdentifier, Query()],
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Get a list of starter packs created by the actor, newest first."""

    def view(context: ViewContext, stored: StoredRecord) -> View | None:
        return starter_pack_basic(context, stored.uri)

    page = await made_page(service, session, "get_starter_packs", actor, limit, cursor, view)
    return json_response(present(starterPacks=page.items, cursor=page.cursor))
