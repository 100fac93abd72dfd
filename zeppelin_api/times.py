"""Times between records, the warehouse, cursors and answers."""

from datetime import datetime
from typing import Any

from zeppelin_pipeline.atproto.datetimes import time_of
from zeppelin_pipeline.atproto.syntax import parse_datetime
from zeppelin_pipeline.errors import InvalidDataError


def read_time(value: Any) -> datetime | None:
    """The time that a record claims; None when it claims none."""
    if not isinstance(value, str):
        return None
    try:
        return time_of(parse_datetime(value))
    except InvalidDataError:
        return None


def iso(at: datetime) -> str:
    """A time as the official service writes it: UTC, milliseconds, the rest cut off."""
    return at.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
