"""GraphQL over HTTP to Dagster's webserver: one request, one answer, and every way of failing as one error."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self, TypeAlias, cast

import httpx2

from zeppelin_pipeline.errors import ZeppelinError

JsonObject: TypeAlias = dict[str, Any]
TIMEOUT_SECONDS: Final = 60.0


class DagsterError(ZeppelinError):
    """Dagster refused a request, or answered with an error of its own.

    Attributes:
        kind: Dagster's name of the error (`RunConfigValidationInvalid`, …), `transport` when there was no answer.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"Dagster: {kind}: {detail}")
        self.kind = kind


class GraphQLClient:
    """A connection to one webserver."""

    def __init__(self, base_url: str) -> None:
        """Connect lazily to the webserver at `base_url` (`http://127.0.0.1:3000`)."""
        # Proxies of the environment are for the network outside, never for a server of our own on loopback.
        self._http = httpx2.Client(base_url=base_url, timeout=TIMEOUT_SECONDS, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(self, document: str, variables: Mapping[str, Any] | None = None) -> JsonObject:
        """The `data` of the answer.

        Raises:
            DagsterError: there was no answer, no success, or the answer names errors.
        """
        try:
            response = self._http.post("/graphql", json={"query": document, "variables": dict(variables or {})})
            answer = cast("JsonObject", response.json())
        except (httpx2.TransportError, ValueError) as error:
            raise DagsterError("transport", str(error)) from error
        errors = cast("list[JsonObject]", answer.get("errors") or [])
        if errors or not response.is_success:
            messages = "; ".join(str(fault.get("message")) for fault in errors) or f"HTTP {response.status_code}"
            raise DagsterError("GraphQL", messages)
        return cast("JsonObject", answer["data"])

    def ask_one(self, document: str, variables: Mapping[str, Any] | None = None, *, expect: str) -> JsonObject:
        """The answer to a document with one field, which must be of the type `expect`.

        Raises:
            DagsterError: as `ask`, or the field is of one of Dagster's error types.
        """
        (result,) = self.ask(document, variables).values()
        found = cast("JsonObject", result)
        if found["__typename"] != expect:
            raise DagsterError(found["__typename"], _message(found))
        return found


def _message(error: JsonObject) -> str:
    """The words of any of Dagster's error types: a message, or a list of errors with messages."""
    if "message" in error:
        return str(error["message"])
    inner = cast("list[JsonObject]", error.get("errors") or [])
    return "; ".join(str(one.get("message")) for one in inner) or "no further word"
