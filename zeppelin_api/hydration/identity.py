"""The operation that speaks for a did:plc, from the verified mirror of the PLC directory."""

from dataclasses import dataclass
from datetime import datetime

from zeppelin_api.db import Session
from zeppelin_pipeline.atproto.plc import PlcOperation, decode_operation


@dataclass(frozen=True, slots=True)
class _OperationRow:
    operation: bytes
    created_at: datetime


async def load_plc_operation(session: Session, did: str) -> PlcOperation | None:
    """The last operation of an account's log, a tombstone perhaps; None for one that the mirror does not speak for."""
    rows = await session.rows(_OperationRow, "mirrored_operation", actor=session.keys.actor_id(did))
    return decode_operation(rows[0].operation) if rows else None
