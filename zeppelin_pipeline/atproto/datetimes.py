"""The lexicon format `datetime`, the common part of RFC 3339 and ISO 8601, to and from microseconds.

Times are integers of microseconds since 1970-01-01T00:00:00Z. Digits of a fraction beyond the sixth are cut, not
rounded.
"""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from zeppelin_pipeline.errors import InvalidDataError

_DATETIME = re.compile(
    r"([0-9]{4})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"T([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,20}))?"
    r"(?:Z|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
# The form of nearly all datetimes of the network, which the standard library reads, and checks against the calendar.
_USUAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MAX_LENGTH = 64
_EPOCH_DAYS = date(1970, 1, 1).toordinal()
_DAY_MICROS = 86_400_000_000
_MINUTE_MICROS = 60_000_000
_MIN_MICROS = (1 - _EPOCH_DAYS) * _DAY_MICROS
_MAX_MICROS = (date.max.toordinal() + 1 - _EPOCH_DAYS) * _DAY_MICROS - 1
# The Gregorian calendar repeats every 400 years, so that the year 0, which Python lacks, has the days of the year
# 400.
_CYCLE_YEARS = 400
_CYCLE_DAYS = 146_097
_YEAR_ZERO_MICROS = _MIN_MICROS - 366 * _DAY_MICROS


def is_datetime(text: str) -> bool:
    """Whether the text is a datetime that exists in the calendar and, brought to UTC, is not before the year 0000."""
    micros = _to_micros(text)
    return micros is not None and micros >= _YEAR_ZERO_MICROS


def parse_datetime(text: str) -> int:
    """Return the microseconds since the epoch, UTC.

    Raises:
        InvalidDataError: `datetime-syntax` when it is not a datetime; `datetime-range` when it lies outside of the
            years 1 to 9999 UTC, which Python's datetime and the warehouse share.
    """
    if _USUAL.fullmatch(text) and not text.startswith("0000"):
        try:
            return micros_of(datetime.fromisoformat(text))
        except ValueError as error:
            raise InvalidDataError("datetime-syntax", text) from error
    micros = _to_micros(text)
    if micros is None or micros < _YEAR_ZERO_MICROS:
        raise InvalidDataError("datetime-syntax", text[:100])
    if not _MIN_MICROS <= micros <= _MAX_MICROS:
        raise InvalidDataError("datetime-range", text[:100])
    return micros


def format_datetime(micros: int) -> str:
    """Return the canonical form, `2024-01-02T03:04:05.678Z`.

    Raises:
        ValueError: the time has a part of a millisecond, which the form cannot hold, or is outside of the years 1 to
            9999.
    """
    if micros % 1000:
        raise ValueError(f"{micros} microseconds are not whole milliseconds")
    if not _MIN_MICROS <= micros <= _MAX_MICROS:
        raise ValueError(f"{micros} microseconds are outside of the years 1 to 9999")
    days, micros_of_day = divmod(micros, _DAY_MICROS)
    seconds, fraction_micros = divmod(micros_of_day, 1_000_000)
    minutes, second = divmod(seconds, 60)
    return f"{_format_day(days)}T{minutes // 60:02}:{minutes % 60:02}:{second:02}.{fraction_micros // 1000:03}Z"


def micros_of(moment: datetime) -> int:
    """The microseconds since the epoch of a time with a zone, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def time_of(micros: int) -> datetime:
    """The time, UTC, of microseconds since the epoch."""
    return _EPOCH + micros * _MICROSECOND


@lru_cache(maxsize=4096)
def _format_day(days: int) -> str:
    return date.fromordinal(days + _EPOCH_DAYS).isoformat()


def _to_micros(text: str) -> int | None:
    match = _DATETIME.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if match is None or text.endswith("-00:00"):
        return None
    year, month, day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = match.groups()
    days = _days_since_epoch(int(year), int(month), int(day))
    if days is None:
        return None
    fraction_micros = int(fraction[:6].ljust(6, "0")) if fraction else 0
    micros = ((int(hour) * 60 + int(minute)) * 60 + int(second)) * 1_000_000 + fraction_micros + days * _DAY_MICROS
    if sign is None:
        return micros
    offset_micros = (int(offset_hours) * 60 + int(offset_minutes)) * _MINUTE_MICROS
    return micros - offset_micros if sign == "+" else micros + offset_micros


def _days_since_epoch(year: int, month: int, day: int) -> int | None:
    try:
        if year == 0:
            return date(_CYCLE_YEARS, month, day).toordinal() - _CYCLE_DAYS - _EPOCH_DAYS
        return date(year, month, day).toordinal() - _EPOCH_DAYS
    except ValueError:
        return None
