"""The application: settings in, routes out."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.types import ASGIApp, Receive, Scope, Send

from zeppelin_api.admission import Admission
from zeppelin_api.db import Database
from zeppelin_api.errors import install_error_handlers
from zeppelin_api.front import Front
from zeppelin_api.methods import Methods
from zeppelin_api.openapi import correct_openapi
from zeppelin_api.routers import (
    app_bsky_actor,
    app_bsky_feed,
    app_bsky_graph,
    com_atproto,
    configuration,
    curation,
    feed_generators,
    labelers,
    media,
    plc,
    search,
    service_routes,
    status,
    threads,
)
from zeppelin_api.service import Service
from zeppelin_api.settings import ApiSettings

_DESCRIPTION: Final = """
The read methods of a Bluesky AppView, over a warehouse of the whole AT Protocol network.
Parameters and answers follow the published lexicons; fields that have no value are left out.
"""
_ROUTERS: Final = (
    app_bsky_actor.router,
    app_bsky_feed.router,
    app_bsky_graph.router,
    curation.router,
    feed_generators.router,
    labelers.router,
    search.actor_router,
    search.feed_router,
    search.graph_router,
    search.unspecced_router,
    configuration.unspecced_router,
    configuration.ageassurance_router,
    threads.feed_router,
    threads.unspecced_router,
    com_atproto.identity_router,
    com_atproto.label_router,
    com_atproto.repo_router,
    media.router,
    plc.router,
    service_routes.router,
    status.router,
)


@dataclass(frozen=True, slots=True)
class Application:
    """The API as it is served.

    Attributes:
        service: what its methods share.
        framework: documents the methods, and routes what has placeholders in its path.
        front: where requests come in; it passes on to the framework what it does not answer.
    """

    service: Service
    framework: FastAPI
    front: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self.front(scope, receive, send)


def create_app(settings: ApiSettings | None = None, database: Database | None = None) -> Application:
    """The API, ready to be served; it connects to the warehouse when its lifespan starts.

    Args:
        settings: read from the environment when left out.
        database: made from the settings when left out.
    """
    service = Service.from_settings(settings or ApiSettings.load(), database)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        async with service.database, service.feed_services, service.blobs:
            yield

    framework = FastAPIOffline(
        title="Zeppelin",
        version=version("zeppelin"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,  # a redirect names a host that the client made up, and a scheme that the proxy changed
    )
    framework.state.service = service
    install_error_handlers(framework)
    for router in _ROUTERS:
        framework.include_router(router)
    framework.mount("/static", status.static_files)
    correct_openapi(framework)
    methods = Methods(framework, service, [route for router in _ROUTERS for route in router.routes])
    return Application(service, framework, Front(methods, Admission(service.settings), service.metrics))
