"""Datetimes to microseconds and back."""

from datetime import UTC, datetime

import pytest

from tests.vectors.syntax_cases import BY_FORMAT
from zeppelin_pipeline.atproto.datetimes import format_datetime, is_datetime, parse_datetime
from zeppelin_pipeline.errors import InvalidDataError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00.000Z", 0),
        ("1970-01-01T00:00:00.0000019Z", 1),
        ("1969-12-31T23:59:59.999Z", -1000),
        ("2024-02-29T12:00:00.5+02:00", 1_709_200_800_500_000),
        ("2024-02-29T12:00:00-07:30", 1_709_235_000_000_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
    ],
)
def test_a_datetime_becomes_microseconds(text: str, expected: int) -> None:
    assert parse_datetime(text) == expected


@pytest.mark.parametrize("text", BY_FORMAT["datetime"].valid)
def test_a_valid_example_agrees_with_the_standard_library(text: str) -> None:
    if text.startswith("0000"):
        return
    # The standard library takes at most six digits of a fraction.
    head, _, tail = text.partition(".")
    digits = tail.rstrip("Z").partition("+")[0].partition("-")[0]
    short = text.replace(f".{digits}", f".{digits[:6].ljust(6, '0')}") if digits else text
    assert short.startswith(head)
    delta = datetime.fromisoformat(short) - datetime(1970, 1, 1, tzinfo=UTC)
    assert parse_datetime(text) == (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


@pytest.mark.parametrize(
    "text", [*BY_FORMAT["datetime"].invalid, *BY_FORMAT["datetime"].meaningless, "2023-02-29T00:00:00Z"]
)
def test_what_is_no_datetime_is_refused(text: str) -> None:
    assert not is_datetime(text)
    with pytest.raises(InvalidDataError) as caught:
        parse_datetime(text)
    assert caught.value.reason == "datetime-syntax"


@pytest.mark.parametrize("text", ["0000-12-31T23:59:59Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:00-00:01"])
def test_a_datetime_that_python_cannot_hold_is_valid_and_out_of_range(text: str) -> None:
    assert is_datetime(text)
    with pytest.raises(InvalidDataError) as caught:
        parse_datetime(text)
    assert caught.value.reason == "datetime-range"


def test_the_year_zero_is_a_leap_year() -> None:
    assert is_datetime("0000-02-29T00:00:00Z")
    assert not is_datetime("0000-02-30T00:00:00Z")


def test_the_canonical_form_has_three_digits() -> None:
    assert format_datetime(1_704_164_645_678_000) == "2024-01-02T03:04:05.678Z"
    assert format_datetime(-62_135_596_800_000_000) == "0001-01-01T00:00:00.000Z"


@pytest.mark.parametrize("micros", [1, 1_500, 253_402_300_800_000_000, -62_135_596_800_001_000])
def test_a_time_that_the_canonical_form_cannot_hold_is_refused(micros: int) -> None:
    with pytest.raises(ValueError, match=r"milliseconds|outside"):
        format_datetime(micros)
