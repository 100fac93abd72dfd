"""How methods are routed and documented: by their names in the lexicons."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from zeppelin_api.responses import documented

HandlerT = TypeVar("HandlerT", bound=Callable[..., Awaitable[Response]])


class XrpcRouter(APIRouter):
    """The methods of one namespace."""

    def __init__(self, namespace: str) -> None:
        super().__init__(tags=[namespace])
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
