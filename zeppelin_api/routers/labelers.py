"""`app.bsky.labeler.*`."""

from typing import Annotated, Final

from fastapi import Query
from starlette.responses import Response

from zeppelin_api.hydration.curation import hydrate_records
from zeppelin_api.hydration.keys import LABELER, SELF_RKEY, uri_of
from zeppelin_api.hydration.state import Hydration
from zeppelin_api.lexicon.curation import GetServicesOutput
from zeppelin_api.parameters import Did
from zeppelin_api.responses import json_response
from zeppelin_api.routers.xrpc import XrpcRouter
from zeppelin_api.service import ServiceDep, SessionDep
from zeppelin_api.views.context import typed
from zeppelin_api.views.curation import labeler_detailed, labeler_view

router: Final = XrpcRouter("app.bsky.labeler")


@router.query("getServices", GetServicesOutput)
async def get_services(
    service: ServiceDep,
    session: SessionDep,
    dids: Annotated[list[Did], Query()],
    detailed: Annotated[bool, Query()] = False,  # noqa: FBT002 - a parameter of a URL, always named
) -> Response:
    """Get information about a list of labeler services; accounts that are none are left out."""
    uris = [uri_of(did, LABELER, SELF_RKEY) for did in dids]
    state = Hydration()
    await hydrate_records(session, state, LABELER, uris)
    context = await service.view_context(session, state)
    build, name = (labeler_detailed, "labelerViewDetailed") if detailed else (labeler_view, "labelerView")
    views = [build(context, stored) for uri in uris if (stored := state.shown_record(uri)) is not None]
    return json_response(
        {"views": [typed(f"app.bsky.labeler.defs#{name}", view) for view in views if view is not None]}
    )
