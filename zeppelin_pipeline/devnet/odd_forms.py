"""Records in forms that are valid but unusual: what a reader must keep, though its columns cannot hold it."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

FUTURE = timedelta(days=3650)


def make_odd(record: dict[str, Any], micros: int) -> tuple[dict[str, Any], str | None]:
    """The record in an unusual form, chosen by its time in microseconds; and its record key, where that is unusual."""
    moment = datetime.fromtimestamp(micros // 1_000_000, UTC) + timedelta(microseconds=micros % 1_000_000)
    form = micros % 7
    if form == 0:
        return record | {"createdAt": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}, None
    if form == 1:
        return record | {"createdAt": moment.isoformat(timespec="milliseconds")}, None
    if form == 2:
        return record | {"createdAt": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}, None
    if form == 3:
        tokyo = moment.astimezone(timezone(timedelta(hours=9)))
        return record | {"createdAt": tokyo.isoformat(timespec="milliseconds")}, None
    if form == 4:
        future = (moment + FUTURE).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return record | {"createdAt": future}, None
    if form == 5:
        return record | {"source": {"client": "devnet", "build": micros % 1000, "flags": [True, None]}}, None
    return record, f"imported-{micros}:a"
