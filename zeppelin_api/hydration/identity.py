"""What speaks for a DID: its document as far as it is stored, or its operation in the mirror of the directory."""

from dataclasses import dataclass
from datetime import datetime

from zeppelin_api.db import Session
from zeppelin_pipeline.atproto.plc import PlcData, PlcOperation, PlcService, decode_operation, did_document
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


@dataclass(frozen=True, slots=True)
class _IdentityRow:
    handle: str | None
    pds: str | None
    signing_key: str | None
    label_key: str | None
    labeler: str | None
    feed_generator: str | None


async def load_web_data(session: Session, did: str) -> PlcData | None:
    """What a did:web's document said, as far as the protocol knows what that means; None where none was resolved."""
    rows = await session.rows(_IdentityRow, "known_identity", actor=session.keys.actor_id(did))
    if not rows or rows[0].pds is None:
        return None
    row = rows[0]
    keys = {"atproto": row.signing_key, "atproto_label": row.label_key}
    services = {
        "atproto_pds": ("AtprotoPersonalDataServer", row.pds),
        "atproto_labeler": ("AtprotoLabeler", row.labeler),
        "bsky_fg": ("BskyFeedGenerator", row.feed_generator),
    }
    return PlcData(
        rotation_keys=(),
        verification_methods={name: f"did:key:{key}" for name, key in keys.items() if key is not None},
        also_known_as=() if row.handle is None else (f"at://{row.handle}",),
        services={name: PlcService(kind, url) for name, (kind, url) in services.items() if url is not None},
    )


async def load_plc_operation(session: Session, did: str) -> PlcOperation | None:
    """The last operation of an account's log, a tombstone perhaps; None for one that the mirror does not speak for."""
    rows = await session.rows(_OperationRow, "mirrored_operation", actor=session.keys.actor_id(did))
    return decode_operation(rows[0].operation) if rows else None
