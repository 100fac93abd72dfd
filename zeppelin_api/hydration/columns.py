"""Likes, reposts, follows, blocks, list items and list blocks back to the blocks that their columns were made of.

A row has its original bytes in `raw`, or its columns determine them: then the record has exactly the keys that are
built here, and its time the canonical form. The rule is the pipeline's (`records/canonical.py`); a test holds the two
together.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zeppelin_api.hydration.keys import LIST, LIST_BLOCK, LIST_ITEM, uri_of
from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.cid import DAG_CBOR_PREFIX, cid_to_text
from zeppelin_pipeline.atproto.datetimes import micros_of
from zeppelin_pipeline.atproto.syntax import format_datetime


@dataclass(frozen=True, slots=True)
class RecordReference:
    """A strong reference as the columns hold it.

    Attributes:
        cid_hash: the 32 bytes of SHA-256 in the CID of a DAG-CBOR block.
    """

    did: str
    collection: str
    rkey: str
    cid_hash: bytes

    def record(self) -> dict[str, str]:
        """`com.atproto.repo.strongRef`."""
        cid = cid_to_text(DAG_CBOR_PREFIX + self.cid_hash)
        return {"uri": uri_of(self.did, self.collection, self.rkey), "cid": cid}


def encode_engagement(
    collection: str, subject: RecordReference, created_at: datetime, via: RecordReference | None = None
) -> bytes:
    """The block of a like or repost."""
    record: dict[str, Any] = _record(collection, subject.record(), created_at)
    if via is not None:
        record["via"] = via.record()
    return dag_cbor.encode(record)


def encode_relation(collection: str, subject_did: str, created_at: datetime) -> bytes:
    """The block of a follow or block."""
    return dag_cbor.encode(_record(collection, subject_did, created_at))


def encode_list_item(owner_did: str, list_rkey: str, subject_did: str, created_at: datetime) -> bytes:
    """The block of a list item, whose list is its owner's."""
    record = _record(LIST_ITEM, subject_did, created_at)
    return dag_cbor.encode(record | {"list": uri_of(owner_did, LIST, list_rkey)})


def encode_list_block(list_did: str, list_rkey: str, created_at: datetime) -> bytes:
    """The block of a list block."""
    return dag_cbor.encode(_record(LIST_BLOCK, uri_of(list_did, LIST, list_rkey), created_at))


def _record(collection: str, subject: Any, created_at: datetime) -> dict[str, Any]:
    return {"$type": collection, "subject": subject, "createdAt": format_datetime(micros_of(created_at))}
