"""The application: settings in, routes out."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware

from zeppelin_api.admission import Admission
from zeppelin_api.db import Database
from zeppelin_api.errors import install_error_handlers
from zeppelin_api.hardening import Hardening
from zeppelin_api.methods import Methods
from zeppelin_api.metrics import Measuring
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
from zeppelin_api.settings import ApiSettings, load_settings

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
#: For how long browsers may keep the answer to a preflight request.
_PREFLIGHT_SECONDS: Final = 86_400


def create_app(settings: ApiSettings | None = None, database: Database | None = None) -> FastAPI:
    """The API, ready to be served; it connects to the warehouse when its lifespan starts.

    Args:
        settings: read from the environment when left out.
        database: made from the settings when left out.
    """
    service = Service.from_settings(settings or load_settings(), database)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        async with service.database, service.feed_services, service.blobs:
            yield

    app = FastAPIOffline(
        title="Zeppelin", version=version("zeppelin"), description=_DESCRIPTION, lifespan=lifespan, redoc_url=None
    )
    app.state.service = service
    routes = [route for router in _ROUTERS for route in router.routes]
    app.add_middleware(Methods, service=service, routes=routes)  # the first that is added is the innermost
    app.add_middleware(Admission, settings=service.settings)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["*"],
        max_age=_PREFLIGHT_SECONDS,
    )
    app.add_middleware(Hardening)
    app.add_middleware(Measuring, metrics=service.metrics)
    install_error_handlers(app)
    for router in _ROUTERS:
        app.include_router(router)
    app.mount("/static", status.static_files)
    correct_openapi(app)
    return app
