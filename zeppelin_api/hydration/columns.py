"""Likes, reposts, follows and blocks back to the records that their columns were made of.

A row has its original bytes in `raw`, or its columns determine them: then the record has exactly the keys that are
built here, and its time the canonical form.
"""

from datetime import datetime

from zeppelin_api.times import to_micros
from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.cid import DAG_CBOR_PREFIX, cid_to_text
from zeppelin_pipeline.atproto.syntax import format_datetime


def encode_reference(
    collection: str, created_at: datetime, subject: dict[str, str] | str, via: dict[str, str] | None = None
) -> bytes:
    """The DAG-CBOR of a like or repost (of a strong reference), follow or block (of a DID)."""
    record: dict[str, object] = {
        "$type": collection,
        "subject": subject,
        "createdAt": format_datetime(to_micros(created_at)),
    }
    if via is not None:
        record["via"] = via
    return dag_cbor.encode(record)


def strong_ref(uri: str, cid_hash: bytes) -> dict[str, str]:
    """`com.atproto.repo.strongRef` from the 32 bytes of SHA-256 that the warehouse keeps of a record's CID."""
    return {"uri": uri, "cid": cid_to_text(DAG_CBOR_PREFIX + cid_hash)}
