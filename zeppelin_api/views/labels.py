"""`com.atproto.label.defs`: labels on what is shown. So far those that authors put on their own records."""

from typing import Any, Final

from zeppelin_api.hydration.keys import did_of
from zeppelin_api.hydration.state import JsonRecord
from zeppelin_api.times import iso, read_time
from zeppelin_api.views.context import View, is_of_type

_SELF_LABELS: Final = "com.atproto.label.defs#selfLabels"
_NO_TIME: Final = "1970-01-01T00:00:00.000Z"


def self_labels(uri: str, cid: str | None, record: JsonRecord | None) -> list[View]:
    """The labels that a record's author put on it; empty without a record."""
    labels: Any = None if record is None else record.get("labels")
    if record is None or not is_of_type(labels, _SELF_LABELS) or not isinstance(labels.get("values"), list):
        return []
    created_at = read_time(record.get("createdAt"))
    cts = _NO_TIME if created_at is None else iso(created_at)
    return [
        {"src": did_of(uri), "uri": uri, "cid": cid, "val": label["val"], "cts": cts}
        for label in labels["values"]
        if isinstance(label, dict) and isinstance(label.get("val"), str)
    ]
