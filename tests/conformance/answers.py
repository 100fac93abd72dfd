"""A question asked of one service: its answer in a form that can be compared with another's.

What is normalised, because two services that are both right may differ in it:

- `indexedAt`: when a service took a record in;
- `cursor`: opaque to clients, so that only whole walks are compared, not where their pages end;
- the order of `labels`, and of lists that are sets;
- the text of an error, which is for people: its status and its name are compared;
- the version and the DID of the service.

Pictures and videos need nothing: both services are told the same patterns.
"""

from dataclasses import dataclass
from typing import Any, Final

import httpx2

from tests.conformance.questions import Question

TIMEOUT_SECONDS = 60.0
#: A walk over pages longer than this does not end.
MAX_PAGES: Final = 400
_DROPPED: Final = frozenset({"indexedAt", "cursor", "version"})
_SETS: Final = frozenset({"labels"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service said.

    Attributes:
        status: of HTTP, of the first page that was refused, else 200.
        body: normalised.
    """

    status: int
    body: Any


class Asker:
    """One service. May be used by several threads."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.Client(base_url=f"{url}/xrpc/", timeout=TIMEOUT_SECONDS, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def ask(self, question: Question) -> Answer:
        """One call, or all pages of a walk with their items in one list."""
        return self._walk(question, question.walks) if question.walks else self._call(question)[0]

    def _call(self, question: Question, *more: tuple[str, str]) -> tuple[Answer, str | None]:
        """An answer, and the cursor of the page after it."""
        answer = self._http.get(question.method, params=[*question.parameters, *more])
        try:
            body = answer.json()
        except ValueError:
            return Answer(answer.status_code, answer.text), None
        if answer.status_code != 200:
            return Answer(answer.status_code, {"error": body.get("error")}), None
        return Answer(200, _normalised(body)), body.get("cursor")

    def _walk(self, question: Question, items: str) -> Answer:
        first, cursor = self._call(question)
        if first.status != 200:
            return first
        limit = int(dict(question.parameters).get("limit", "100"))
        found: list[Any] = list(first.body.get(items, []))
        pages = 1
        while cursor is not None:
            page, cursor = self._call(question, ("cursor", cursor))
            if page.status != 200:
                return Answer(page.status, {"page": pages, **page.body})
            if len(page.body[items]) > limit + 1:  # a pinned post is given beyond the limit
                return Answer(200, {"overfull": len(page.body[items])})
            found += page.body[items]
            pages += 1
            if pages > MAX_PAGES:
                return Answer(200, {"endless": pages})
        return Answer(200, {**first.body, items: found})


def _normalised(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _sorted(_normalised(inner)) if name in _SETS else _normalised(inner)
            for name, inner in value.items()
            if name not in _DROPPED
        }
    return [_normalised(inner) for inner in value] if isinstance(value, list) else value


def _sorted(value: Any) -> Any:
    return sorted(value, key=repr) if isinstance(value, list) else value
