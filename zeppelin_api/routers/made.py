"""One page of what an account made of one kind (a list, a starter pack, a feed); which views is for the methods."""

from collections.abc import Callable

from zeppelin_api.db import Session
from zeppelin_api.hydration.accounts import resolve_actor
from zeppelin_api.hydration.curation import MadeQuery, hydrate_made
from zeppelin_api.hydration.state import Hydration, StoredRecord
from zeppelin_api.pagination import Page, Position, decode_cursor, fill_page
from zeppelin_api.service import Service
from zeppelin_api.views.context import View, ViewContext


async def made_page(
    service: Service,
    session: Session,
    query: MadeQuery,
    actor: str,
    limit: int,
    cursor: str | None,
    view: Callable[[ViewContext, StoredRecord], View | None],
    **filters: object,
) -> Page[View]:
    """The views of what is shown, newest first.

    Args:
        service: whose views.
        session: where to read.
        query: what is asked for.
        actor: handle or DID.
        limit: views of the page.
        cursor: as the client gave it.
        view: of one record.
        filters: parameters of the query beside the account and the page.

    Raises:
        ApiError: InvalidRequest, nobody has the handle, or the cursor is none of ours.
    """
    start = decode_cursor(cursor)
    state = Hydration()
    did = await resolve_actor(session, actor, state)

    async def fetch(position: Position, wanted: int) -> Page[View]:
        page = await hydrate_made(session, state, query, did, position, wanted, **filters)
        context = await service.view_context(session, state)
        return page.shown(lambda stored: None if stored.uri in state.taken_down else view(context, stored))

    return await fill_page(start, limit, fetch)
