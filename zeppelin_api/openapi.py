"""The documentation of the API, made right where the framework's own is not."""

from typing import Any, Final

from fastapi import FastAPI

_NEVER_ANSWERED: Final = "422"
_FRAMEWORKS_OWN: Final = ("HTTPValidationError", "ValidationError")


def correct_openapi(app: FastAPI) -> None:
    """Take out of the documentation what the framework adds and the API never answers: bad parameters are 400.

    Members of unions are told apart by `$type` alone, and a union may get more of them: any of them is right.
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        for item in document["paths"].values():
            for operation in item.values():
                if _FRAMEWORKS_OWN[0] in str(operation["responses"].get(_NEVER_ANSWERED)):
                    del operation["responses"][_NEVER_ANSWERED]
        for unused in _FRAMEWORKS_OWN:
            document["components"]["schemas"].pop(unused, None)
        return _with_open_unions(document)

    app.openapi = openapi


def _with_open_unions(part: Any) -> Any:
    if isinstance(part, dict):
        return {"anyOf" if name == "oneOf" else name: _with_open_unions(inner) for name, inner in part.items()}
    return [_with_open_unions(inner) for inner in part] if isinstance(part, list) else part
