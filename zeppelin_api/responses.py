"""JSON answers, and how the documentation describes them."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from pydantic import BaseModel
from starlette.responses import Response


def json_response(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A body of plain values as JSON. Bodies are built to the lexicons and not validated again."""
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


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
