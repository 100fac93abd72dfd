"""Any record of any repository, byte for byte as its author signed it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from zeppelin_api.db import Session
from zeppelin_api.hydration.columns import (
    RecordReference,
    encode_engagement,
    encode_list_block,
    encode_list_item,
    encode_relation,
)
from zeppelin_api.hydration.keys import BLOCK, FOLLOW, LIKE, LIST_BLOCK, LIST_ITEM, REPOST, rkey_of
from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.warehouse.contents import Content, read_content
from zeppelin_pipeline.warehouse.keys import nsid_of_number
from zeppelin_pipeline.warehouse.packing import unpack_block

_COLUMN_COLLECTIONS: Final = frozenset({LIKE, REPOST, FOLLOW, BLOCK, LIST_ITEM, LIST_BLOCK})


@dataclass(frozen=True, slots=True)
class _RawRow:
    raw: bytes
    is_packed: bool


@dataclass(frozen=True, slots=True)
class _ColumnRow:
    created_at: datetime
    subject_actor: int | None
    subject_collection: int | None
    subject_rkey: int | None
    content: bytes | None
    via_actor: int | None
    via_rkey: int | None
    raw: bytes | None
    subject_did: str | None
    subject_rkey_text: str | None
    via_did: str | None
    via_rkey_text: str | None


async def load_raw_record(session: Session, did: str, collection: str, rkey: str) -> bytes | None:
    """The record's DAG-CBOR; None when there is no such record."""
    keys = {
        "actor": session.keys.actor_id(did),
        "collection": session.keys.collection_id(collection),
        "rkey": session.keys.rkey_id(rkey),
    }
    if collection in _COLUMN_COLLECTIONS:
        for row in await session.rows(_ColumnRow, "get_column_record", **keys):
            content = None if row.content is None else read_content(row.content)
            raw = row.raw if content is None else content.raw
            return raw if raw is not None else _encode(did, collection, row, content)
    for row in await session.rows(_RawRow, "get_raw_record", **keys):
        return unpack_block(row.raw) if row.is_packed else row.raw
    return None


def _encode(did: str, collection: str, row: _ColumnRow, content: Content | None) -> bytes:
    """The block of a record of that account whose columns determine it."""
    if row.subject_did is None:
        raise CorruptStateError(f"a {collection} names an account that has no row in actor: {row.subject_actor}")
    rkey = "" if row.subject_rkey is None else rkey_of(row.subject_rkey, row.subject_rkey_text)
    match collection:
        case name if name == LIST_ITEM:
            return encode_list_item(did, rkey, row.subject_did, row.created_at)
        case name if name == LIST_BLOCK:
            return encode_list_block(row.subject_did, rkey, row.created_at)
        case name if name in {FOLLOW, BLOCK}:
            return encode_relation(collection, row.subject_did, row.created_at)
        case _:
            return _encode_engagement(collection, row.subject_did, rkey, row, content)


def _encode_engagement(
    collection: str, subject_did: str, subject_rkey: str, row: _ColumnRow, content: Content | None
) -> bytes:
    if row.subject_collection is None or content is None:
        raise CorruptStateError(f"a {collection} has neither its bytes nor all columns that determine them")
    nsid = nsid_of_number(row.subject_collection) or ""
    subject = RecordReference(subject_did, nsid, subject_rkey, content.subject_cid)
    via = None
    if row.via_did is not None and row.via_rkey is not None and content.via_cid is not None:
        via = RecordReference(row.via_did, REPOST, rkey_of(row.via_rkey, row.via_rkey_text), content.via_cid)
    return encode_engagement(collection, subject, row.created_at, via)
