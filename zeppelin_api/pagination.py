"""Cursors and pages: a cursor is the last row's sort keys, opaque to clients."""

import base64
import binascii
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar

from zeppelin_api.errors import ApiError, invalid_request
from zeppelin_pipeline.atproto.datetimes import micros_of, time_of

_KEYS: Final = struct.Struct(">qqq")
_MAX_INT64: Final = (1 << 63) - 1
#: Rounds that fill one page when many of its rows turn out not to be shown; the official service takes as many.
_MAX_ROUNDS: Final = 10

ItemT = TypeVar("ItemT")
ViewT = TypeVar("ViewT")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ends: the sort keys of its last row.

    Attributes:
        at: least(created_at, indexed_at).
        rkey: the record's key in the warehouse.
        last: the third key, which makes the order total; each list has its own.
    """

    at: datetime
    rkey: int
    last: int

    def encode(self) -> str:
        """The cursor that continues after this position."""
        return base64.urlsafe_b64encode(_KEYS.pack(micros_of(self.at), self.rkey, self.last)).decode()


#: Before every row: lists run from the newest to the oldest.
START: Final = Position(datetime.max.replace(tzinfo=UTC), _MAX_INT64, _MAX_INT64)


@dataclass(frozen=True, slots=True)
class Page(Generic[ItemT]):
    """Some items of a list, and where the next page starts; None at the end."""

    items: list[ItemT]
    next: Position | None

    @property
    def cursor(self) -> str | None:
        """The next page's cursor."""
        return None if self.next is None else self.next.encode()

    def shown(self, view: Callable[[ItemT], ViewT | None]) -> "Page[ViewT]":
        """The views of the items, without those that are not shown."""
        return Page([made for item in self.items if (made := view(item)) is not None], self.next)


def end_of_page(rows: Sequence[ItemT], limit: int, place: Callable[[ItemT], Position]) -> Position | None:
    """Behind which of the rows, asked for with one more than the page has, the next page starts; None at the end."""
    return place(rows[limit - 1]) if len(rows) > limit else None


def decode_cursor(cursor: str | None) -> Position:
    """The position that a client's cursor names; the start without one.

    Raises:
        ApiError: InvalidRequest, when it is not one of ours.
    """
    if not cursor:
        return START
    try:
        micros, rkey, last = _KEYS.unpack(base64.b64decode(cursor, altchars=b"-_", validate=True))
        return Position(time_of(micros), rkey, last)
    except (binascii.Error, struct.error, OverflowError, ValueError) as error:
        raise _malformed() from error


def position_at(offset: int) -> Position:
    """The position before which there are so many items, in a list whose items have no keys."""
    return Position(START.at, offset, 0)


def offset_of(position: Position) -> int:
    """How many items are before a position of `position_at`; none before the start."""
    return 0 if position is START else max(position.rkey, 0)


def _malformed() -> ApiError:
    return invalid_request("Malformed cursor")


async def fill_page(
    start: Position, limit: int, fetch: Callable[[Position, int], Awaitable[Page[ItemT]]]
) -> Page[ItemT]:
    """One page that is full although items are left out of it, unless the list ends or far too many are left out.

    Args:
        start: where the page starts.
        limit: items wanted.
        fetch: gives at most so many shown items from a position on, and where it stopped.
    """
    page = await fetch(start, limit)
    for _ in range(1, _MAX_ROUNDS):
        if page.next is None or len(page.items) >= limit:
            break
        further = await fetch(page.next, limit - len(page.items))
        page = Page(page.items + further.items, further.next)
    return page
