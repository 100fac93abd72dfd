"""The pages for people, and the numbers behind them: how complete and how fresh the warehouse is."""

from dataclasses import asdict
from importlib.resources import files
from typing import Final

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles

from zeppelin_api.errors import FORESEEN
from zeppelin_api.hardening import PAGE_POLICY
from zeppelin_api.responses import json_response
from zeppelin_api.service import ServiceDep

router: Final = APIRouter(tags=["service"])
_PAGES: Final = files("zeppelin_api") / "pages"
#: Scripts and styles of the pages.
static_files: Final = StaticFiles(packages=[("zeppelin_api", "pages/static")])
_PROMETHEUS: Final = "text/plain; version=1.0.0; charset=utf-8"


def _page(name: str) -> Response:
    content = (_PAGES / name).read_bytes()
    return Response(content, media_type="text/html", headers={"content-security-policy": PAGE_POLICY})


@router.get("/", include_in_schema=False)
async def status_page() -> Response:
    """Coverage, lag and age, with charts."""
    return _page("status.html")


@router.get("/profile/{actor}", include_in_schema=False)
@router.get("/profile/{actor}/post/{rkey}", include_in_schema=False)
async def reader_page() -> Response:
    """A profile or a thread, drawn by the page itself from the methods."""
    return _page("reader.html")


@router.get("/status.json", operation_id="status.json", response_model=None)
async def status_numbers(service: ServiceDep) -> Response:
    """How complete and how fresh the warehouse is; not older than the settings say."""
    return json_response(asdict(await service.overview.read()))


@router.get("/metrics", operation_id="metrics", response_class=PlainTextResponse)
async def metrics(service: ServiceDep) -> Response:
    """Requests, and the pipeline's state, in Prometheus' text format."""
    try:
        overview = await service.overview.read()
    except FORESEEN:
        overview = None  # one of the gauges says so
    return Response(service.metrics.text(overview), media_type=_PROMETHEUS)
