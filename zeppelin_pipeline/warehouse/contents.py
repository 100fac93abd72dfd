"""The column `content` of likes and reposts: what each says beyond its keys and time (of arrays: `batch_contents.py`).

First the 32 bytes of SHA-256 in the subject's CID; zeros where that is no CID of a DAG-CBOR block. Behind them

- nothing, where the columns determine the record;
- 48 bytes, where they do so together with the repost through which the subject was seen: the keys of its account and of
  its record (8 bytes each, as Postgres sends a bigint), and the 32 bytes of its CID;
- else the original DAG-CBOR. A valid like or repost takes more than 48 bytes.

SQL reads the two keys by the functions `via_actor` and `via_rkey` of the schema.
"""

from dataclasses import dataclass
from typing import Final

DIGEST_BYTES: Final = 32
#: Of the two keys in front of its CID.
VIA_KEYS_BYTES: Final = 16
VIA_BYTES: Final = VIA_KEYS_BYTES + DIGEST_BYTES
#: In the place of a subject's CID that has no such 32 bytes.
NO_DIGEST: Final = bytes(DIGEST_BYTES)


@dataclass(frozen=True, slots=True)
class Content:
    """A content, taken apart.

    Attributes:
        subject_cid: 32 bytes of SHA-256.
        via_cid: likewise, of the repost through which the subject was seen; None where there is none, or `raw` tells.
        raw: the record's DAG-CBOR; None where the columns determine it.
    """

    subject_cid: bytes
    via_cid: bytes | None
    raw: bytes | None


def read_content(content: bytes) -> Content:
    """A content as a row has it, taken apart."""
    subject_cid, rest = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    match len(rest):
        case 0:
            return Content(subject_cid, None, None)
        case size if size == VIA_BYTES:
            return Content(subject_cid, rest[VIA_KEYS_BYTES:], None)
        case _:
            return Content(subject_cid, None, rest)
