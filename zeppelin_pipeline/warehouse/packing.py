"""Blocks of posts with their strong references packed, and whole again; packed they are by `batch_packing.py`.

A reference to a post is 142 bytes of DAG-CBOR, of which 55 say something: the digest of a CID, a did:plc, a TID. A
reply has two. The form:

- one byte, how many references are packed, 1 to 8. A block that has none is stored as it is, and begins, being a map,
  with a byte above;
- for each two bytes, big-endian: how many bytes of the block stand between the reference before and this one, which
  follow; and, unless the highest bit says that the reference is the one before again, its 55 bytes;
- the rest of the block.

What is packed is told by its bytes alone, wherever they stand in the block, so that nothing but the stored bytes is
needed to have the block again, and it is the same to the byte.
"""

from typing import Final

import libipld

from zeppelin_pipeline.atproto.cid import DAG_CBOR_PREFIX, cid_to_text
from zeppelin_pipeline.warehouse.keys import tid_of_key

MOST_REFERENCES: Final = 8
#: In front of each reference.
GAP_BYTES: Final = 2
IS_REPEATED: Final = 1 << 15

#: What a reference is made of: {cid, uri}, the texts of 59 and 70 characters.
CID_HEAD: Final = b"\xa2\x63cid\x78\x3bbafyrei"
URI_HEAD: Final = b"\x63uri\x78\x46at://did:plc:"
URI_MIDDLE: Final = b"/app.bsky.feed.post/"
DIGEST_BYTES: Final = 32
PLC_BYTES: Final = 15
TID_BYTES: Final = 8
PACKED_BYTES: Final = DIGEST_BYTES + PLC_BYTES + TID_BYTES

_CID_TEXT_AT: Final = len(CID_HEAD) - len("bafyrei")


def unpack_block(stored: bytes) -> bytes:
    """The block of a stored record."""
    if not stored or not 0 < stored[0] <= MOST_REFERENCES:
        return stored
    parts: list[bytes] = []
    reference = b""
    at = 1
    for _ in range(stored[0]):
        gap = int.from_bytes(stored[at : at + GAP_BYTES])
        at += GAP_BYTES
        is_repeated, size = gap & IS_REPEATED, gap & ~IS_REPEATED
        parts.append(stored[at : at + size])
        at += size
        if not is_repeated:
            reference = _reference(stored[at : at + PACKED_BYTES])
            at += PACKED_BYTES
        parts.append(reference)
    return b"".join([*parts, stored[at:]])


def _reference(packed: bytes) -> bytes:
    digest, plc, tid = packed[:DIGEST_BYTES], packed[DIGEST_BYTES:-TID_BYTES], packed[-TID_BYTES:]
    base32 = libipld.encode_multibase("b", plc)[1:]  # an eighth of the time of `base64.b32encode`
    return b"".join([
        CID_HEAD[:_CID_TEXT_AT], cid_to_text(DAG_CBOR_PREFIX + digest).encode(),
        URI_HEAD, base32.encode(),
        URI_MIDDLE, tid_of_key(int.from_bytes(tid)).encode(),
    ])  # fmt: skip
