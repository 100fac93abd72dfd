"""What speaks for a DID: its document as far as it is stored, or its operation in the mirror of the directory."""

from dataclasses import dataclass
from datetime import datetime

from zeppelin_api.db import Session
from zeppelin_pipeline.atproto.plc import PlcOperation, decode_operation, did_document
from zeppelin_pipeline.identity.documents import DidDocument, read_document


@dataclass(frozen=True, slots=True)
class _OperationRow:
    operation: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True)
class _ServiceRow:
    feed_generator: str | None


async def load_service_document(session: Session, did: str) -> DidDocument | None:
    """What a DID's document says of the feed generator that it is; None for one that the warehouse does not know."""
    for row in await session.rows(_ServiceRow, "get_feed_service", actor=session.keys.actor_id(did)):
        return DidDocument(did, feed_generator=row.feed_generator)
    operation = await load_plc_operation(session, did)
    if operation is None or operation.data is None:
        return None
    return read_document(did_document(did, operation.data), did)


async def load_plc_operation(session: Session, did: str) -> PlcOperation | None:
    """The last operation of an account's log, a tombstone perhaps; None for one that the mirror does not speak for."""
    rows = await session.rows(_OperationRow, "mirrored_operation", actor=session.keys.actor_id(did))
    return decode_operation(rows[0].operation) if rows else None
