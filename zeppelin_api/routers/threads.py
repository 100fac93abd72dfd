"""Threads: `app.bsky.feed.getPostThread`, and its successors under `app.bsky.unspecced`."""

from typing import Annotated, Final

from fastapi import Query
from starlette.responses import Response

from zeppelin_api.db import Session
from zeppelin_api.errors import ApiError
from zeppelin_api.hydration.accounts import uri_by_did
from zeppelin_api.hydration.keys import post_key
from zeppelin_api.hydration.labels import hydrate_labels
from zeppelin_api.hydration.state import Hydration
from zeppelin_api.hydration.threads import (
    MAX_DEPTH,
    MAX_FLAT_HEIGHT,
    MAX_HEIGHT,
    Thread,
    hydrate_thread,
    with_op_thread,
)
from zeppelin_api.lexicon.posts import GetPostThreadOutput
from zeppelin_api.lexicon.threads import GetPostThreadOtherV2Output, GetPostThreadV2Output
from zeppelin_api.parameters import AtUriText
from zeppelin_api.responses import json_response
from zeppelin_api.routers.xrpc import XrpcRouter
from zeppelin_api.service import Service, ServiceDep, SessionDep
from zeppelin_api.views.context import present
from zeppelin_api.views.curation import threadgate_view
from zeppelin_api.views.threads import thread_view
from zeppelin_api.views.threads_v2 import ThreadShape, has_other_replies, not_found_item, other_items, thread_items

feed_router: Final = XrpcRouter("app.bsky.feed")
unspecced_router: Final = XrpcRouter("app.bsky.unspecced")

Anchor = Annotated[AtUriText, Query(description="Reference (AT-URI) to post record. This is the anchor post.")]


@feed_router.query("getPostThread", GetPostThreadOutput, "NotFound")
async def get_post_thread(
    service: ServiceDep,
    session: SessionDep,
    uri: Annotated[AtUriText, Query(description="Reference (AT-URI) to post record.")],
    depth: Annotated[
        int,
        Query(ge=0, le=1000, description="How many levels of reply depth should be included in response."),
    ] = 6,
    parentHeight: Annotated[
        int,
        Query(ge=0, le=1000, description="How many levels of parent (and grandparent, etc) post to include."),
    ] = 80,
) -> Response:
    """Get posts in a thread. At most 200 posts above and 100 levels below are answered."""
    height, levels = min(parentHeight, MAX_HEIGHT), min(depth, MAX_DEPTH)
    state = Hydration()
    thread = await _shown_thread(service, session, state, await uri_by_did(session, uri, state), height, levels)
    context = await service.view_context(session, state)
    view = None if thread is None else thread_view(context, thread, height, levels)
    if thread is None or view is None:
        raise ApiError("NotFound", f"Post not found: {uri}")
    return json_response(present(thread=view, threadgate=threadgate_view(context, thread.anchor.root_uri)))


@unspecced_router.query("getPostThreadV2", GetPostThreadV2Output)
async def get_post_thread_v2(
    service: ServiceDep,
    session: SessionDep,
    anchor: Anchor,
    above: Annotated[bool, Query(description="Whether to include parents above the anchor.")] = True,  # noqa: FBT002 - a parameter of a URL, always named
    below: Annotated[
        int, Query(ge=0, le=20, description="How many levels of replies to include below the anchor.")
    ] = 6,
    branchingFactor: Annotated[
        int,
        Query(
            ge=0,
            le=100,
            description="Maximum of replies to include at each level, except for the direct replies to the anchor.",
        ),
    ] = 10,
    sort: Annotated[
        str,
        Query(
            description="Sorting for the thread replies.",
            json_schema_extra={"knownValues": ["newest", "oldest", "top"]},
        ),
    ] = "oldest",
) -> Response:
    """Get posts in a thread as a flat list: those above the anchor (at most 50), the anchor, and replies below it."""
    shape = ThreadShape(MAX_FLAT_HEIGHT if above else 0, below, branchingFactor, sort)
    state = Hydration()
    uri = await uri_by_did(session, anchor, state)
    thread = await _shown_thread(service, session, state, uri, shape.above, below)
    if thread is None:
        return json_response({"thread": [not_found_item(uri)], "hasOtherReplies": False})
    thread = await with_op_thread(session, thread)
    context = await service.view_context(session, state)
    return json_response(
        present(
            thread=thread_items(context, thread, shape),
            threadgate=threadgate_view(context, thread.anchor.root_uri),
            hasOtherReplies=has_other_replies(context, thread),
        )
    )


@unspecced_router.query("getPostThreadOtherV2", GetPostThreadOtherV2Output)
async def get_post_thread_other_v2(service: ServiceDep, session: SessionDep, anchor: Anchor) -> Response:
    """Get the replies to the anchor that `getPostThreadV2` keeps apart, such as those hidden by the thread's author."""
    state = Hydration()
    thread = await _shown_thread(service, session, state, await uri_by_did(session, anchor, state), 0, 1)
    items = [] if thread is None else other_items(await service.view_context(session, state), thread)
    return json_response({"thread": items})


async def _shown_thread(
    service: Service, session: Session, state: Hydration, uri: str, height: int, depth: int
) -> Thread | None:
    """The thread around a post; None when the post or its author is not shown."""
    key = post_key(session.keys, uri)
    if key is None:
        return None
    thread = await hydrate_thread(
        session, state, key, height, depth, service.settings.thread_max_replies, service.policy
    )
    await hydrate_labels(session, state)
    return None if thread is None or state.shown_post(thread.anchor.uri) is None else thread
