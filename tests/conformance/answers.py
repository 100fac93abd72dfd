"""A question asked of one service: its answer in a form that can be compared with another's.

What is normalised, because two services that are both right may differ in it:

- `indexedAt` of an account whose profile says no time: when a service took it in;
- `cursor`: opaque to clients, so that only whole walks are compared, not where their pages end;
- the order of `labels`, and of items that have the same time;
- the text of an error, which is for people: its status and its name are compared;
- the version and the DID of the service.

Pictures and videos need nothing: both services are told the same patterns.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Final

import httpx2

from tests.conformance.items import settled
from tests.conformance.questions import Question

TIMEOUT_SECONDS = 60.0
#: A walk over pages longer than this does not end.
MAX_PAGES: Final = 400
_DROPPED: Final = frozenset({"cursor", "version"})
_SETS: Final = frozenset({"labels"})
#: What a web client sends of itself, and what a browser asks before it lets one send more.
_HEADERS: Final[dict[str, dict[str, str]]] = {
    "GET": {"origin": "https://client.example.com"},
    "OPTIONS": {
        "origin": "https://client.example.com",
        "access-control-request-method": "GET",
        "access-control-request-headers": "atproto-accept-labelers,authorization",
    },
}
#: What a browser must be told.
_TOLD: Final = {
    "GET": ("content-type", "access-control-allow-origin"),
    "OPTIONS": ("access-control-allow-origin", "access-control-allow-headers", "access-control-max-age"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said.

    Attributes:
        status: of HTTP, of the first page that was refused, else 200.
        body: normalised.
        headers: of the first page, those that matter to browsers; of types of content the type alone.
    """

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict[str, str])


class Asker:
    """One service. May be used by several threads."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.Client(base_url=f"{url}/xrpc/", timeout=TIMEOUT_SECONDS, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def ask(self, question: Question) -> Answer:
        """One call, or all pages of a walk with their items in one list."""
        answer = self._walk(question, question.walks) if question.walks else self._call(question)
        return replace(answer, body=_normalised(answer.body))

    def _call(self, question: Question, *more: tuple[str, str]) -> Answer:
        """An answer as it was given."""
        answer = self._http.request(
            question.verb,
            question.method,
            params=[*question.parameters, *more],
            headers=_HEADERS[question.verb],
        )
        told = {name: answer.headers[name].partition(";")[0] for name in _TOLD[question.verb] if name in answer.headers}
        if question.verb == "OPTIONS":  # a browser asks no more of it than that it is good
            return Answer(200 if answer.is_success else answer.status_code, None, told)
        try:
            body = answer.json()
        except ValueError:
            return Answer(answer.status_code, answer.text, told)
        return Answer(answer.status_code, body if answer.status_code == 200 else {"error": body.get("error")}, told)

    def _walk(self, question: Question, items: str) -> Answer:
        first = page = self._call(question)
        limit = int(dict(question.parameters).get("limit", "100"))
        found: list[Any] = []
        for pages in range(MAX_PAGES):
            if page.status != 200:
                return page if page is first else Answer(page.status, {"page": pages, **page.body})
            if len(page.body[items]) > limit + 1:  # a pinned post is given beyond the limit
                return Answer(200, {"overfull": len(page.body[items])})
            found += page.body[items]
            cursor = page.body.get("cursor")
            if cursor is None:
                return Answer(200, {**first.body, items: list(settled(found))}, first.headers)
            page = self._call(question, ("cursor", cursor))
        return Answer(200, {"endless": MAX_PAGES})


def _normalised(value: Any) -> Any:
    if isinstance(value, dict):
        dropped = _DROPPED if "handle" not in value or "createdAt" in value else _DROPPED | {"indexedAt"}
        return {
            name: _sorted(_normalised(inner)) if name in _SETS else _normalised(inner)
            for name, inner in value.items()
            if name not in dropped
        }
    return [_normalised(inner) for inner in value] if isinstance(value, list) else value


def _sorted(value: Any) -> Any:
    return sorted(value, key=repr) if isinstance(value, list) else value
