"""Stored bytes to JSON records, and the records of collections without a table of their own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from zeppelin_api.db import Session
from zeppelin_api.hydration.keys import (
    CHAT_DECLARATION,
    GENERATOR,
    GERM_DECLARATION,
    LABELER,
    LIST,
    NOTIFICATION_DECLARATION,
    POSTGATE,
    STARTER_PACK,
    STATUS,
    THREADGATE,
    RecordKey,
    rkey_of,
    uri_of,
)
from zeppelin_api.hydration.state import Hydration, JsonRecord, StoredRecord
from zeppelin_api.times import read_time
from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.cid import cid_of, cid_to_text
from zeppelin_pipeline.warehouse.keys import nsid_of_number

#: Fields that views read of records which the pipeline keeps unvalidated: the type of each, and whether it must be
#: there. A record that differs is treated as absent, as by the official service.
_FIELDS: Final[Mapping[str, Mapping[str, tuple[type, bool]]]] = {
    GENERATOR: {
        "did": (str, True),
        "displayName": (str, True),
        "createdAt": (str, True),
        "description": (str, False),
        "descriptionFacets": (list, False),
        "avatar": (dict, False),
        "acceptsInteractions": (bool, False),
        "contentMode": (str, False),
    },
    LIST: {
        "name": (str, True),
        "purpose": (str, True),
        "createdAt": (str, True),
        "description": (str, False),
        "descriptionFacets": (list, False),
        "avatar": (dict, False),
    },
    STARTER_PACK: {"name": (str, True), "list": (str, True), "createdAt": (str, True)},
    LABELER: {"policies": (dict, True), "createdAt": (str, True)},
    THREADGATE: {"post": (str, True), "createdAt": (str, True), "allow": (list, False)},
    POSTGATE: {"post": (str, True), "createdAt": (str, True), "detachedEmbeddingUris": (list, False)},
    STATUS: {
        "status": (str, True),
        "createdAt": (str, True),
        "durationMinutes": (int, False),
        "embed": (dict, False),
    },
    NOTIFICATION_DECLARATION: {"allowSubscriptions": (str, True)},
    CHAT_DECLARATION: {"allowIncoming": (str, True), "allowGroupInvites": (str, False)},
    GERM_DECLARATION: {"messageMe": (dict, False)},
}


@dataclass(frozen=True, slots=True)
class _RecordRow:
    actor_id: int
    collection: int
    rkey: int
    did: str
    rkey_text: str | None
    indexed_at: datetime
    raw: bytes


def read_record(raw: bytes) -> tuple[JsonRecord, str]:
    """A stored record as JSON has it, and its CID."""
    return dag_cbor.to_json(dag_cbor.decode(raw)), cid_to_text(cid_of(raw))


def read_declaration(collection: str, raw: bytes | None) -> JsonRecord | None:
    """A record that is one account's word on something; None when there is none, or none that can be read."""
    record = None if raw is None else read_record(raw)[0]
    return record if record is not None and _has_its_fields(collection, record) else None


def stored_record(uri: str, did: str, collection: str, raw: bytes, indexed_at: datetime) -> StoredRecord | None:
    """A record of a collection that has no table; None when a view could not be made of it."""
    record, cid = read_record(raw)
    if not _has_its_fields(collection, record):
        return None
    return StoredRecord(uri, cid, did, record, _sort_at(record, indexed_at))


async def load_records(session: Session, state: Hydration, keys: Iterable[RecordKey]) -> None:
    """Put those records into the state that exist and can be shown; one query."""
    wanted = set(keys)
    if not wanted:
        return
    rows = await session.rows(
        _RecordRow,
        "get_records",
        actors=[key.actor for key in wanted],
        collections=[key.collection for key in wanted],
        rkeys=[key.rkey for key in wanted],
    )
    for row in rows:
        collection = nsid_of_number(row.collection)
        if collection is None or collection not in _FIELDS:
            continue  # no view is made of these
        uri = uri_of(row.did, collection, rkey_of(row.rkey, row.rkey_text))
        record = stored_record(uri, row.did, collection, row.raw, row.indexed_at)
        if record is not None:
            state.records[uri] = record


def _has_its_fields(collection: str, record: JsonRecord) -> bool:
    for name, (kind, is_required) in _FIELDS[collection].items():
        value: Any = record.get(name)
        if name not in record:
            if is_required:
                return False
        elif not isinstance(value, kind):
            return False
    return True


def _sort_at(record: JsonRecord, indexed_at: datetime) -> datetime:
    """least(createdAt, first seen); a claim that is no time counts for nothing."""
    created_at = read_time(record.get("createdAt"))
    return indexed_at if created_at is None else min(created_at, indexed_at)
