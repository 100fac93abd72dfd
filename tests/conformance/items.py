"""Items of lists: what tells them apart, and the order of those that have none."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

#: By what items of a list are known, so that one that is missing does not make all after it differ.
_NAMES: Final = ("uri", "did", "post", "actor", "subject", "creator", "val", "list")
#: What of an item is its place in a list by time: that of the repost, the post, or its own.
_PLACES: Final = ("reason", "post")


def name_of(item: Any) -> str | None:
    """What tells an item of a list from the others: what it is about, and why it is there."""
    if not isinstance(item, dict):
        return None
    found = [str(_inner_name(item[name])) for name in _NAMES if name in item]
    reason = item.get("reason")
    if isinstance(reason, dict):
        found.append(f"{reason.get('$type')} {reason.get('uri')}")
    return " ".join(found) or None


def _inner_name(value: Any) -> Any:
    return value.get("uri", value.get("did")) if isinstance(value, dict) else value


def settled(items: Iterable[Any]) -> Iterator[Any]:
    """The items, those of one moment by their names: which of them comes first is each service's own choice."""
    for moment, group in groupby(items, _moment_of):
        of_moment = list(group)
        yield from of_moment if moment is None else sorted(of_moment, key=_place)


def _place(item: Any) -> str:
    return name_of(item) or ""


def _moment_of(item: Any) -> str | None:
    if not isinstance(item, dict):
        return None
    placed = next((item[name] for name in _PLACES if isinstance(item.get(name), dict)), item)
    return placed.get("indexedAt")
