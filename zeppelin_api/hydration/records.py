"""Stored bytes to JSON records, and the records that embeds, gates and profiles show beside posts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from zeppelin_api.db import Session
from zeppelin_api.hydration.keys import (
    GENERATOR,
    LABELER,
    LIST,
    POSTGATE,
    STARTER_PACK,
    THREADGATE,
    RecordKey,
    rkey_of,
    uri_of,
)
from zeppelin_api.hydration.state import Hydration, JsonRecord, StoredRecord
from zeppelin_api.times import read_time
from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.cid import cid_of, cid_to_text
from zeppelin_pipeline.warehouse.keys import WELL_KNOWN_COLLECTIONS, nsid_of_number
from zeppelin_pipeline.warehouse.packing import unpack_block

#: Records that are kept decoded, the profiles and posts that are shown most; of a usual size, at most 40 MB of them.
_REMEMBERED: Final = 8_192
REMEMBERED_BYTES: Final = 2_048
#: The collections that views show beside posts.
_SHOWN: Final = frozenset(
    map(WELL_KNOWN_COLLECTIONS.__getitem__, (GENERATOR, THREADGATE, POSTGATE, LIST, STARTER_PACK, LABELER))
)


@dataclass(frozen=True, slots=True)
class _RecordRow:
    actor_id: int
    collection: int
    rkey: int
    did: str
    rkey_text: str | None
    sort_at: datetime
    raw: bytes
    likes: int
    items: int
    joined_lately: int


def read_record(raw: bytes) -> tuple[JsonRecord, str]:
    """A stored record as JSON has it, and its CID. The same bytes may give the same object: it is not to be changed."""
    return _read_once(raw) if len(raw) <= REMEMBERED_BYTES else _read(raw)


def _read(raw: bytes) -> tuple[JsonRecord, str]:
    block = unpack_block(raw)
    return dag_cbor.to_json(dag_cbor.decode_again(block)), cid_to_text(cid_of(block))


_read_once = lru_cache(_REMEMBERED)(_read)


async def load_records(session: Session, state: Hydration, keys: Iterable[RecordKey]) -> None:
    """Put those records into the state that exist and of which views are made; one query."""
    wanted = {key for key in keys if key.collection in _SHOWN}
    if not wanted:
        return
    rows = await session.rows(
        _RecordRow,
        "get_records",
        actors=[key.actor for key in wanted],
        collections=[key.collection for key in wanted],
        rkeys=[key.rkey for key in wanted],
        kinds=tuple(sorted({key.collection for key in wanted})),
    )
    for row in rows:
        uri = uri_of(row.did, nsid_of_number(row.collection) or "", rkey_of(row.rkey, row.rkey_text))
        record, cid = read_record(row.raw)
        state.records[uri] = StoredRecord(
            uri, cid, row.did, record, row.sort_at, row.likes, row.items, row.joined_lately
        )


def least_time(record: JsonRecord, indexed_at: datetime) -> datetime:
    """least(createdAt, first seen) of a record without a column of that time."""
    created_at = read_time(record.get("createdAt"))
    return indexed_at if created_at is None else min(created_at, indexed_at)
