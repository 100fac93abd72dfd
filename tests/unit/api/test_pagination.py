"""Cursors and pages."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeppelin_api.errors import ApiError
from zeppelin_api.pagination import START, Page, Position, decode_cursor, fill_page

INT64 = st.integers(min_value=-(2**63), max_value=2**63 - 1)


@given(st.datetimes(timezones=st.just(UTC)), INT64, INT64)
def test_a_cursor_gives_back_its_position(at: datetime, rkey: int, last: int):
    position = Position(at, rkey, last)

    assert decode_cursor(position.encode()) == position


@pytest.mark.parametrize("cursor", [None, ""])
def test_without_a_cursor_a_list_starts_at_its_start(cursor: str | None):
    assert decode_cursor(cursor) is START


@given(st.text(min_size=1))
def test_any_text_is_a_position_or_malformed(text: str):
    try:
        position = decode_cursor(text)
    except ApiError:
        return
    assert position.encode() == text


@pytest.mark.parametrize(
    "cursor",
    [
        "1641038400000__bafycid",
        "::",
        "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
        "AAAA",
        Position(datetime(2024, 1, 1, tzinfo=UTC), 1, 2).encode()[:-1],
        "f" * 32,
        "été",
    ],
)
def test_what_is_no_cursor_of_ours_is_malformed(cursor: str):
    with pytest.raises(ApiError, match="Malformed cursor"):
        decode_cursor(cursor)


class Numbers:
    """A list of the numbers below a hundred; only those that pass are shown."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.fetches = 0

    async def fetch(self, position: Position, limit: int) -> Page[int]:
        self.fetches += 1
        start = 0 if position is START else position.rkey + 1
        numbers = list(range(start, min(start + limit, 100)))
        next_position = Position(START.at, numbers[-1], 0) if start + limit < 100 else None
        return Page([number for number in numbers if number % self.step == 0], next_position)


async def test_a_page_with_hidden_items_is_filled_up():
    numbers = Numbers(step=2)

    page = await fill_page(START, 10, numbers.fetch)

    assert page.items == list(range(0, 20, 2))
    assert page.next is not None
    assert numbers.fetches > 1


async def test_a_page_without_hidden_items_is_fetched_once():
    numbers = Numbers(step=1)

    assert (await fill_page(START, 10, numbers.fetch)).items == list(range(10))
    assert numbers.fetches == 1


async def test_filling_ends_with_the_list():
    page = await fill_page(START, 100, Numbers(step=50).fetch)

    assert (page.items, page.cursor) == ([0, 50], None)


async def test_filling_gives_up_where_next_to_nothing_is_shown_but_the_list_goes_on():
    numbers = Numbers(step=1000)

    page = await fill_page(Position(START.at, 0, 0), 2, numbers.fetch)

    assert (page.items, numbers.fetches) == ([], 10)
    assert page.cursor is not None
