"""The documentation of the API, made right where the framework's own is not."""

from typing import Any, Final

from fastapi import FastAPI

_NEVER_ANSWERED: Final = "422"


def correct_openapi(app: FastAPI) -> None:
    """Take out of the documentation what the framework adds and the API never answers: bad parameters are 400."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        for item in document["paths"].values():
            for operation in item.values():
                operation["responses"].pop(_NEVER_ANSWERED, None)
        for unused in ("HTTPValidationError", "ValidationError"):
            document["components"]["schemas"].pop(unused, None)
        return document

    app.openapi = openapi
