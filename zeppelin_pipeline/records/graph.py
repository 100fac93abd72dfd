"""Follows and blocks (`app.bsky.graph.follow`, `app.bsky.graph.block`): validated, and their columns."""

from typing import Any, Final

from zeppelin_pipeline.records.canonical import FOLLOW, MICROS_IN_MILLISECOND, encode_relation
from zeppelin_pipeline.records.lexicon import check_created_at, check_did, check_strong_ref

#: Names of what `read_relation` gives, in order.
COLUMNS: Final = ("subject_did", "created_at", "raw")


def read_relation(nsid: str, record: dict[str, Any], block: bytes) -> tuple[str, int, bytes | None]:
    """The columns of a follow or block, by `COLUMNS`; `raw` is None where they determine the block.

    The rkey is not looked at: the lexicon asks for a TID, the official indexer does not.

    Raises:
        InvalidDataError: the record breaks its lexicon.
    """
    subject = check_did(record.get("subject"), "subject")
    created_at = check_created_at(record)
    if nsid == FOLLOW and "via" in record:
        check_strong_ref(record["via"], "via")
    is_exact = not created_at % MICROS_IN_MILLISECOND and encode_relation(nsid, subject, created_at) == block
    return subject, created_at, None if is_exact else block
