"""XRPC as a server speaks it: parameters checked, answers and errors in JSON. Knows no method by name."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from zeppelin_pipeline.atproto.syntax import is_at_identifier, is_did

CAR_TYPE = "application/vnd.ipld.car"


class XrpcError(Exception):
    """An answer that is an error: its name, a sentence, the HTTP status."""

    def __init__(self, name: str, message: str, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        self.status = status
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The HTTP answer."""
        answer = json_response({"error": self.name, "message": self.message}, self.status)
        answer.headers.update(self.headers)
        return answer


@dataclass(frozen=True, slots=True)
class Parameters:
    """The query parameters of a request, read one by one; XrpcError `InvalidRequest` when one is amiss."""

    values: Mapping[str, str]

    def text(self, name: str) -> str:
        """A parameter that must be there."""
        value = self.values.get(name)
        if not value:
            raise XrpcError("InvalidRequest", f'Error: Params must have the property "{name}"')
        return value

    def optional(self, name: str) -> str | None:
        """A parameter that may be missing."""
        return self.values.get(name) or None

    def did(self, name: str = "did") -> str:
        """A DID."""
        value = self.text(name)
        if not is_did(value):
            raise XrpcError("InvalidRequest", f"Error: {name} must be a valid did")
        return value

    def at_identifier(self, name: str) -> str:
        """A DID or handle."""
        value = self.text(name)
        if not is_at_identifier(value):
            raise XrpcError("InvalidRequest", f"Error: {name} must be a valid did or a handle")
        return value

    def limit(self, default: int, maximum: int) -> int:
        """The `limit`, between 1 and the maximum."""
        value = self.values.get("limit", str(default))
        if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= maximum:
            raise XrpcError("InvalidRequest", f"Error: limit must be an integer from 1 to {maximum}")
        return int(value)

    def number_cursor(self) -> int:
        """The `cursor` as a number not below 0; 0 when there is none."""
        value = self.values.get("cursor") or "0"
        if not value.isascii() or not value.isdigit():
            raise XrpcError("InvalidRequest", "Malformed cursor")
        return int(value)


Handler = Callable[[Parameters], Awaitable[Response]]
"""What answers one method."""


def json_response(value: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(value), status, media_type="application/json")


def car_response(car: bytes) -> Response:
    """A CAR as the answer."""
    return Response(car, media_type=CAR_TYPE)


async def answer(methods: Mapping[str, Handler], request: Request) -> Response:
    """Let the method named in the path answer; 501 for one that is unknown, as the specification asks."""
    name = request.path_params["method"]
    handler = methods.get(name)
    if handler is None:
        return XrpcError("MethodNotImplemented", "Method Not Implemented", 501).response()
    if request.method not in {"GET", "HEAD"}:
        return XrpcError("InvalidRequest", f"Incorrect HTTP method ({request.method}) expected GET", 400).response()
    try:
        return await handler(Parameters(request.query_params))
    except XrpcError as error:
        return error.response()


async def not_found(_request: Request, _error: Exception) -> Response:
    """The answer to any other path."""
    return Response("Cannot GET this path", 404, media_type="text/plain")


EXCEPTION_HANDLERS: dict[Any, Any] = {404: not_found, HTTPException: not_found}
