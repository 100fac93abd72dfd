"""`app.bsky.graph.*`."""

from typing import Annotated, Final, Literal

from fastapi import Query
from starlette.responses import Response

from zeppelin_api.db import Session
from zeppelin_api.errors import invalid_request
from zeppelin_api.hydration.accounts import resolve_identifiers
from zeppelin_api.hydration.relations import hydrate_follows
from zeppelin_api.hydration.relationships import load_relationships
from zeppelin_api.hydration.state import Hydration
from zeppelin_api.lexicon.profiles import GetFollowersOutput, GetFollowsOutput, GetRelationshipsOutput
from zeppelin_api.pagination import Page, Position, decode_cursor, fill_page
from zeppelin_api.parameters import AtIdentifier, Cursor, Limit
from zeppelin_api.responses import json_response
from zeppelin_api.routers.xrpc import XrpcRouter
from zeppelin_api.service import Service, ServiceDep, SessionDep
from zeppelin_api.views.context import View, present, typed
from zeppelin_api.views.profiles import profile
from zeppelin_pipeline.atproto.syntax import is_did

router: Final = XrpcRouter("app.bsky.graph")

Sort = Annotated[
    str | None,
    Query(
        description="`latest` is the only order that there is; any other is answered in that order too.",
        json_schema_extra={"knownValues": ["latest", "top"]},
    ),
]


@router.query("getFollowers", GetFollowersOutput)
async def get_followers(
    service: ServiceDep,
    session: SessionDep,
    actor: Annotated[AtIdentifier, Query()],
    limit: Limit = 50,
    cursor: Cursor = None,
    sort: Sort = None,  # noqa: ARG001 - a parameter of the lexicon
) -> Response:
    """Enumerates accounts which follow a specified account (actor), newest first, each account once."""
    subject, page = await _follows_page(service, session, "get_followers", actor, limit, cursor)
    return json_response(present(subject=subject, followers=page.items, cursor=page.cursor))


@router.query("getFollows", GetFollowsOutput)
async def get_follows(
    service: ServiceDep,
    session: SessionDep,
    actor: Annotated[AtIdentifier, Query()],
    limit: Limit = 50,
    cursor: Cursor = None,
    sort: Sort = None,  # noqa: ARG001 - a parameter of the lexicon
) -> Response:
    """Enumerates accounts which a specified account (actor) follows, newest first, each account once."""
    subject, page = await _follows_page(service, session, "get_follows", actor, limit, cursor)
    return json_response(present(subject=subject, follows=page.items, cursor=page.cursor))


@router.query("getRelationships", GetRelationshipsOutput, "ActorNotFound")
async def get_relationships(
    session: SessionDep,
    actor: Annotated[AtIdentifier, Query(description="Primary account requesting relationships for.")],
    others: Annotated[
        list[AtIdentifier] | None,
        Query(max_length=30, description="List of 'other' accounts to be related back to the primary."),
    ] = None,
) -> Response:
    """Enumerates public relationships between one account, and a list of other accounts."""
    wanted = others or []
    did = (await resolve_identifiers(session, [actor])).get(actor)
    dids = set(filter(is_did, wanted))  # the official service takes DIDs only, too
    found = {} if did is None else await load_relationships(session, did, dids)

    def view(other: str) -> View:
        if did is None or other not in dids:
            return typed("app.bsky.graph.defs#notFoundActor", {"actor": other, "notFound": True})
        return typed("app.bsky.graph.defs#relationship", {"did": other, **found.get(other, {})})

    return json_response(present(actor=did, relationships=[view(other) for other in wanted]))


async def _follows_page(
    service: Service,
    session: Session,
    query: Literal["get_followers", "get_follows"],
    actor: str,
    limit: int,
    cursor: str | None,
) -> tuple[View, Page[View]]:
    """The account that was asked for, and one page of those it is related to that are shown."""
    start = decode_cursor(cursor)
    state = Hydration()
    did = (await resolve_identifiers(session, [actor], state)).get(actor, "")

    async def fetch(position: Position, wanted: int) -> Page[View]:
        page = await hydrate_follows(session, state, query, did, position, wanted, service.policy)
        context = await service.view_context(session, state)
        return page.shown(lambda relation: profile(context, relation.did))

    page = await fill_page(start, limit, fetch)
    subject = profile(await service.view_context(session, state), did)
    if subject is None:
        raise invalid_request(f"Actor not found: {actor}")
    return subject, page
