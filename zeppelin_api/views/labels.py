"""`com.atproto.label.defs`: labels on what is shown, by labelers and by authors on their own records."""

from typing import Any, Final

from zeppelin_api.hydration.keys import did_of
from zeppelin_api.hydration.state import JsonRecord, Label
from zeppelin_api.times import iso, read_time
from zeppelin_api.views.context import View, ViewContext, is_of_type

_SELF_LABELS: Final = "com.atproto.label.defs#selfLabels"
_NO_TIME: Final = "1970-01-01T00:00:00.000Z"
#: Proof for those who copy labels; who looks at a post has no use for it.
_UNSEEN_FIELDS: Final = frozenset({"sig", "ver", "neg"})


def record_labels(context: ViewContext, uri: str, cid: str | None, record: JsonRecord | None) -> list[View]:
    """All labels of a record: those of labelers on it or on this version of it, then its author's own."""
    return labels_on(context, uri, cid) + self_labels(uri, cid, record)


def labels_on(context: ViewContext, subject: str, cid: str | None = None) -> list[View]:
    """What labelers say of an account (by DID) or of a record's version."""
    return [label_view(label) for label in context.state.labels.get(subject, []) if label.cid in (None, cid)]


def label_view(label: Label) -> View:
    """`com.atproto.label.defs#label` as views show it."""
    return {name: value for name, value in label.fields.items() if name not in _UNSEEN_FIELDS}


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
