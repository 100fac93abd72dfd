"""From columns back to the record's bytes, for the records that their columns determine exactly; nothing is read here.

Rule: a like, repost, follow, block, list item or list block whose canonical DAG-CBOR, encoded from its columns, is its
block has `raw` null; every other record has its original bytes in `raw`. So `raw`, or else the encoding of the columns,
is always the block. The columns determine a record when

- its keys are exactly `$type`, `subject`, `createdAt`, on likes and reposts optionally `via`, and on list items `list`;
- references are exactly {cid, uri} with a URI `at://{did}/{collection}/{rkey}` and the base32 text of a DAG-CBOR CID;
- the subject's collection has a fixed number, and `via` is of reposts;
- a list is named by such a URI of a list, on list items one of the same account;
- `createdAt` is written as `YYYY-MM-DDTHH:MM:SS.mmmZ`.
"""

from typing import Any, Final

from zeppelin_pipeline.atproto.cid import cid_to_text
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.atproto.syntax import format_datetime

LIKE: Final = "app.bsky.feed.like"
REPOST: Final = "app.bsky.feed.repost"
FOLLOW: Final = "app.bsky.graph.follow"
BLOCK: Final = "app.bsky.graph.block"
LIST: Final = "app.bsky.graph.list"
LIST_ITEM: Final = "app.bsky.graph.listitem"
LIST_BLOCK: Final = "app.bsky.graph.listblock"

#: The one collection that `via` refers to where the columns hold it.
VIA_COLLECTION: Final = REPOST

MICROS_IN_MILLISECOND: Final = 1000


def engagement_record(
    nsid: str, subject: tuple[str, str], created_at: str, via: tuple[str, str] | None = None
) -> dict[str, Any]:
    """A like or repost of the form that columns determine; references are (uri, cid), all as text."""
    record: dict[str, Any] = {"$type": nsid, "subject": _strong_ref(subject), "createdAt": created_at}
    if via is not None:
        record["via"] = _strong_ref(via)
    return record


def relation_record(nsid: str, subject: str, created_at: str) -> dict[str, Any]:
    """A follow, block (the subject a DID) or list block (an AT URI) of the form that columns determine."""
    return {"$type": nsid, "subject": subject, "createdAt": created_at}


def record_uri(did: str, collection: str, rkey: str) -> str:
    """The AT URI of a record."""
    return f"at://{did}/{collection}/{rkey}"


def encode_engagement(
    nsid: str,
    subject: tuple[str, str, str, bytes],
    created_at_micros: int,
    via: tuple[str, str, bytes] | None = None,
) -> bytes:
    """The block of a like or repost.

    Args:
        nsid: LIKE or REPOST.
        subject: (did, collection, rkey, cid).
        created_at_micros: whole milliseconds.
        via: (did, rkey, cid) of the repost through which the subject was seen.
    """
    did, collection, rkey, cid = subject
    via_texts = None
    if via is not None:
        via_did, via_rkey, via_cid = via
        via_texts = (record_uri(via_did, VIA_COLLECTION, via_rkey), cid_to_text(via_cid))
    subject_texts = (record_uri(did, collection, rkey), cid_to_text(cid))
    return encode(engagement_record(nsid, subject_texts, format_datetime(created_at_micros), via_texts))


def encode_like(
    subject: tuple[str, str, str, bytes], created_at_micros: int, via: tuple[str, str, bytes] | None = None
) -> bytes:
    """The block of a like; arguments as for `encode_engagement`."""
    return encode_engagement(LIKE, subject, created_at_micros, via)


def encode_repost(
    subject: tuple[str, str, str, bytes], created_at_micros: int, via: tuple[str, str, bytes] | None = None
) -> bytes:
    """The block of a repost; arguments as for `encode_engagement`."""
    return encode_engagement(REPOST, subject, created_at_micros, via)


def encode_relation(nsid: str, subject: str, created_at_micros: int) -> bytes:
    """The block of a follow, block (FOLLOW or BLOCK, the subject a DID) or list block (LIST_BLOCK, an AT URI)."""
    return encode(relation_record(nsid, subject, format_datetime(created_at_micros)))


def encode_follow(subject_did: str, created_at_micros: int) -> bytes:
    """The block of a follow."""
    return encode_relation(FOLLOW, subject_did, created_at_micros)


def encode_block(subject_did: str, created_at_micros: int) -> bytes:
    """The block of a block."""
    return encode_relation(BLOCK, subject_did, created_at_micros)


def list_item_record(list_uri: str, subject_did: str, created_at: str) -> dict[str, Any]:
    """A list item of the form that columns determine."""
    return {"$type": LIST_ITEM, "list": list_uri, "subject": subject_did, "createdAt": created_at}


def encode_list_item(owner_did: str, list_rkey: str, subject_did: str, created_at_micros: int) -> bytes:
    """The block of a list item; list and item are of one owner."""
    return encode(
        list_item_record(record_uri(owner_did, LIST, list_rkey), subject_did, format_datetime(created_at_micros))
    )


def encode_list_block(list_did: str, list_rkey: str, created_at_micros: int) -> bytes:
    """The block of a list block, whose subject is a list."""
    return encode_relation(LIST_BLOCK, record_uri(list_did, LIST, list_rkey), created_at_micros)


def _strong_ref(reference: tuple[str, str]) -> dict[str, str]:
    uri, cid = reference
    return {"cid": cid, "uri": uri}
