"""How methods are routed and documented: by their names in the lexicons."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from zeppelin_api.labelers import CONTENT_HEADER, Labelers
from zeppelin_api.responses import documented

HandlerT = TypeVar("HandlerT", bound=Callable[..., Awaitable[Response]])


class _XrpcRoute(APIRoute):
    """A method: an empty parameter is none, as to the official service; the answer says whose labels it shows."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The method's handler, without empty parameters and with the header."""
        handle = super().get_route_handler()

        async def handle_labelled(request: Request) -> Response:
            request.scope["query_string"] = _without_empty(request.scope["query_string"])
            response = await handle(request)
            labelers: Labelers | None = getattr(request.state, "labelers", None)
            if labelers is not None:
                response.headers[CONTENT_HEADER] = labelers.header
            return response

        return handle_labelled


def _without_empty(query: bytes) -> bytes:
    return b"&".join(pair for pair in query.split(b"&") if pair.partition(b"=")[2])


class XrpcRouter(APIRouter):
    """The methods of one namespace."""

    def __init__(self, namespace: str) -> None:
        super().__init__(tags=[namespace], route_class=_XrpcRoute)
        self._namespace = namespace

    def query(self, name: str, output: type[BaseModel], *errors: str, **options: Any) -> Callable[[HandlerT], HandlerT]:
        """Serve a query of this namespace.

        Args:
            name: the last part of its NSID.
            output: its answer's shape.
            errors: its own errors' names.
            options: further options of the route.
        """
        nsid = f"{self._namespace}.{name}"
        return self.get(
            f"/xrpc/{nsid}",
            operation_id=nsid,
            name=nsid,
            summary=nsid,
            response_class=Response,
            response_model=None,
            responses=documented(output, *errors),
            **options,
        )
