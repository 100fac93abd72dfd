"""The one error that the API answers with, and the handlers that put every failure into its form.

Clients get `{"error": Name, "message": text}`: names are those of the lexicons, or the general ones of XRPC.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from zeppelin_api.responses import json_response

#: How long a client is asked to wait when the warehouse cannot take its request. The pool's own waits are shorter.
RETRY_AFTER_SECONDS: Final = 2
_XRPC_PREFIX: Final = "/xrpc/"
_HTTP_NAMES: Final[Mapping[int, str]] = {404: "NotFound", 405: "MethodNotAllowed"}
#: What a warehouse makes of a query that is away, starts, ends or has no room.
_AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
)


class ApiError(Exception):
    """An answer other than success.

    Attributes:
        name: the error's name in the lexicon, or of XRPC in general (`InvalidRequest`).
        message: what was wrong, for a person.
        status: the HTTP status.
        headers: further headers of the answer.
    """

    def __init__(self, name: str, message: str, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {name}: {message}")
        self.name = name
        self.message = message
        self.status = status
        self.headers = dict(headers or {})


#: Failures that are told from others; whatever else happens is our own fault.
FORESEEN: Final = (ApiError, asyncpg.QueryCanceledError, *_AWAY)


def invalid_request(message: str) -> ApiError:
    """The general error of XRPC for parameters that cannot be served."""
    return ApiError("InvalidRequest", message)


def invalid_parameter(name: str, fault: str) -> ApiError:
    """A parameter that is none of its kind, or missing."""
    return invalid_request(f"Invalid parameter {name}: {fault}")


def unavailable(message: str, headers: Mapping[str, str] | None = None) -> ApiError:
    """The warehouse is away or has no room: the client may try again soon."""
    return ApiError("NotEnoughResources", message, 503, {**(headers or {}), "Retry-After": str(RETRY_AFTER_SECONDS)})


def error_response(error: ApiError) -> Response:
    """The answer that carries an error."""
    return json_response({"error": error.name, "message": error.message}, error.status, error.headers)


def install_error_handlers(app: FastAPI) -> None:
    """Let every failure leave the app as an `ApiError` does."""

    async def render(_request: Request, error: Exception) -> Response:
        return error_response(translate(error))

    async def render_http(request: Request, error: Exception) -> Response:
        return await render(request, _from_http(request, error))

    for kind in (RequestValidationError, *FORESEEN, Exception):
        app.add_exception_handler(kind, render)
    app.add_exception_handler(HTTPException, render_http)


def translate(error: Exception) -> ApiError:
    """The answer to any failure; one that nobody foresaw becomes a bare 500."""
    match error:
        case ApiError():
            return error
        case RequestValidationError():
            return _parameter_error(error)
        case asyncpg.QueryCanceledError():
            return ApiError("UpstreamTimeout", "The request took too long", 504)
        case _ if isinstance(error, _AWAY):
            return unavailable("The service is not ready")
        case _:
            return ApiError("InternalServerError", "Internal Server Error", 500)


def _parameter_error(error: RequestValidationError) -> ApiError:
    """The first fault in words: which parameter, and what about it."""
    first = error.errors()[0]
    name = next((str(part) for part in first["loc"][1:] if isinstance(part, str)), "request")
    return invalid_parameter(name, first["msg"])


def _from_http(request: Request, error: Exception) -> Exception:
    """Routing failures. PDSes crash on a 404 for a method, so that a method without a route is 501 for any verb."""
    if not isinstance(error, HTTPException):
        return error
    if request.url.path.startswith(_XRPC_PREFIX) and error.status_code in _HTTP_NAMES:
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return invalid_request(f"Incorrect HTTP method ({request.method}) expected GET")
        return ApiError("MethodNotImplemented", "Method Not Implemented", 501)
    name = _HTTP_NAMES.get(error.status_code, "InvalidRequest")
    return ApiError(name, str(error.detail), error.status_code, error.headers)
