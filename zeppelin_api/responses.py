"""JSON answers, and how the documentation describes them."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from pydantic import BaseModel
from starlette.responses import Response

_CONTENT_TYPE: Final = (b"content-type", b"application/json")


class _JsonResponse(Response):
    """Its two headers are put together here, as each request has them."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        self.raw_headers = [(b"content-length", b"%d" % len(self.body)), _CONTENT_TYPE]
        if headers:
            self.raw_headers += ((name.lower().encode(), value.encode("latin-1")) for name, value in headers.items())


def json_response(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A body of plain values as JSON. Bodies are built to the lexicons and not validated again.

    Args:
        body: the values.
        status: of HTTP.
        headers: beside its length and its type.
    """
    return _JsonResponse(body, status, headers)


class ErrorBody(BaseModel):
    """The body of every answer that is not a success."""

    error: str
    message: str


#: How a parameter that is none is answered, for routes that are no methods.
INVALID_REQUEST: Final[dict[str, Any]] = {"model": ErrorBody, "description": "`InvalidRequest`"}


def documented(model: type[BaseModel], *errors: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI descriptions of a method's answers.

    Args:
        model: the output's shape by the lexicon; for documentation only.
        errors: the method's own error names.
    """
    names = ", ".join(f"`{name}`" for name in ("InvalidRequest", *errors))
    return {
        200: {"model": model, "description": "Success"},
        400: {"model": ErrorBody, "description": f"One of {names}"},
        503: {
            "model": ErrorBody,
            "description": "`NotEnoughResources`: busy, or not ready; see the Retry-After header",
        },
        504: {"model": ErrorBody, "description": "`UpstreamTimeout`: the request took too long"},
    }
