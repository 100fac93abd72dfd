"""Two answers, field by field: where they differ, and both values there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.conformance.answers import Answer
from tests.conformance.items import name_of

ABSENT: Final = "(absent)"
LONGEST_VALUE: Final = 400


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where the answers differ.

    Attributes:
        path: names of fields, `[]` for any item of a list, `[order]` for the order of a list's items.
        official: the official service's value, `(absent)` where it has none.
        ours: our service's value, likewise.
    """

    path: str
    official: Any
    ours: Any


def differences(official: Answer, ours: Answer) -> list[Difference]:
    """All places where the answers differ; none when they are equal."""
    if official.status != ours.status:
        return [Difference("(status)", _outcome(official), _outcome(ours))]
    return [*_compare("", official.body, ours.body), *_compare("(headers)", official.headers, ours.headers)]


def _outcome(answer: Answer) -> str:
    name = answer.body.get("error") if isinstance(answer.body, dict) else None
    return f"{answer.status} {name}" if name else str(answer.status)


def _compare(path: str, official: Any, ours: Any) -> Iterator[Difference]:
    if isinstance(official, dict) and isinstance(ours, dict):
        if official.get("$type") != ours.get("$type"):
            yield Difference(f"{path}.$type", official.get("$type", ABSENT), ours.get("$type", ABSENT))
            return
        for name in official | ours:
            yield from _compare(f"{path}.{name}".lstrip("."), official.get(name, ABSENT), ours.get(name, ABSENT))
    elif isinstance(official, list) and isinstance(ours, list):
        yield from _compare_lists(f"{path}[]", official, ours)
    elif official != ours or type(official) is not type(ours):
        yield Difference(path, shortened(official), shortened(ours))


def _compare_lists(path: str, official: list[Any], ours: list[Any]) -> Iterator[Difference]:
    names, our_names = ([name_of(item) for item in items] for items in (official, ours))
    are_named = all(names) and all(our_names) and len(set(names)) == len(names) and len(set(our_names)) == len(ours)
    if not are_named:
        for number in range(max(len(official), len(ours))):
            one = official[number] if number < len(official) else ABSENT
            other = ours[number] if number < len(ours) else ABSENT
            yield from _compare(path, one, other)
        return
    by_name = dict(zip(our_names, ours, strict=True))
    for name, item in zip(names, official, strict=True):
        if name not in by_name:
            yield Difference(path, shortened(item), ABSENT)
    known = set(names)
    for name, item in by_name.items():
        if name not in known:
            yield Difference(path, ABSENT, shortened(item))
    shared = [name for name in our_names if name in known]
    expected = [name for name in names if name in by_name]
    if shared != expected:
        yield Difference(f"{path.removesuffix('[]')}[order]", expected, shared)
    for name, item in zip(names, official, strict=True):
        if name in by_name:
            yield from _compare(path, item, by_name[name])


def shortened(value: Any) -> Any:
    """A value fit for a report: whole when it is short, else its beginning."""
    text = repr(value)
    return value if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
