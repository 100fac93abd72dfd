"""Times between records, the warehouse, cursors and answers."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from zeppelin_pipeline.atproto.syntax import parse_datetime
from zeppelin_pipeline.errors import InvalidDataError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def to_micros(at: datetime) -> int:
    """Microseconds since the epoch."""
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The time so many microseconds after the epoch.

    Raises:
        OverflowError: it lies outside of the years 1 to 9999.
    """
    return _EPOCH + timedelta(microseconds=micros)


def read_time(value: Any) -> datetime | None:
    """The time that a record claims; None when it claims none."""
    if not isinstance(value, str):
        return None
    try:
        return from_micros(parse_datetime(value))
    except InvalidDataError:
        return None


def iso(at: datetime) -> str:
    """A time as the official service writes it: UTC, milliseconds, the rest cut off."""
    return at.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
