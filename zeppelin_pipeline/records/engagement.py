"""Likes and reposts (`app.bsky.feed.like`, `app.bsky.feed.repost`), of one shape: validated, and their columns."""

from typing import Any, Final

from zeppelin_pipeline.records.canonical import (
    MICROS_IN_MILLISECOND,
    VIA_COLLECTION,
    encode_engagement,
)
from zeppelin_pipeline.records.lexicon import check_created_at
from zeppelin_pipeline.records.references import NO_REFERENCE, Reference, read_reference
from zeppelin_pipeline.warehouse.keys import WELL_KNOWN_COLLECTIONS

#: Names of what `read_engagement` gives, in order.
COLUMNS: Final = (
    "subject_did", "subject_collection", "subject_rkey", "subject_cid",
    "via_did", "via_rkey", "via_cid",
    "created_at", "raw",
)  # fmt: skip

_POST: Final = "app.bsky.feed.post"


def read_engagement(nsid: str, record: dict[str, Any], block: bytes) -> tuple[Any, ...]:
    """The columns of a like or repost, by `COLUMNS`; `raw` is None where they determine the block.

    The subject's columns are filled when they parse, whatever the subject's collection; those of `via` only when it is
    of a repost. The rkey is not looked at: the lexicon asks for a TID, the official indexer does not.

    Raises:
        InvalidDataError: the record breaks its lexicon.
    """
    subject = read_reference(record.get("subject"), "subject")
    created_at = check_created_at(record)
    via = read_reference(record["via"], "via") if "via" in record else NO_REFERENCE
    via_did, via_collection, via_rkey, via_cid = via
    if via_collection != VIA_COLLECTION:
        via_did = via_rkey = via_cid = None
    exact = _encode_exact(nsid, subject, created_at, via, has_via="via" in record)
    raw = None if exact == block else block
    return (*subject, via_did, via_rkey, via_cid, created_at, raw)


def _encode_exact(nsid: str, subject: Reference, created_at: int, via: Reference, *, has_via: bool) -> bytes | None:
    """What the columns alone encode to, None when they lack a part."""
    did, collection, rkey, cid = subject
    if did is None or collection not in WELL_KNOWN_COLLECTIONS or rkey is None or cid is None:
        return None
    if created_at % MICROS_IN_MILLISECOND:
        return None
    if not has_via:
        return encode_engagement(nsid, (did, collection, rkey, cid), created_at)
    via_did, via_collection, via_rkey, via_cid = via
    if via_did is None or via_collection != VIA_COLLECTION or via_rkey is None or via_cid is None:
        return None
    return encode_engagement(nsid, (did, collection, rkey, cid), created_at, (via_did, via_rkey, via_cid))
