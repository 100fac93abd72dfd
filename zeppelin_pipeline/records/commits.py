"""Verified live commits as columns; what is made of them is `live`'s business."""

from typing import Final

import pyarrow as pa

from zeppelin_pipeline.atproto.cid import CID_BYTES

_CID: Final = pa.binary(CID_BYTES)
#: What a commit does to one record: `prev` is its CID before, null for a creation; `cid` and `block` are the new
#: record's, null for a deletion.
OPERATION: Final = pa.struct([
    pa.field("key", pa.binary(), nullable=False),
    pa.field("prev", _CID),
    pa.field("cid", _CID),
    pa.field("block", pa.binary()),
])  # fmt: skip
#: Commits of the firehose, all of them verified, and `#sync`s, which have no operations. `rev` and `since` are integers
#: of TIDs, `since` null for a repository's first; `prev_data` is the root before, proven by inverting the operations,
#: null for a `#sync`; `commit` is the signed block; each key of a commit's operations is there once; `seen_micros` says
#: when it was received, microseconds since the epoch.
COMMITS: Final = pa.schema([
    pa.field("did", pa.string(), nullable=False),
    pa.field("rev", pa.int64(), nullable=False),
    pa.field("since", pa.int64()),
    pa.field("prev_data", _CID),
    pa.field("data", _CID, nullable=False),
    pa.field("commit", pa.binary(), nullable=False),
    pa.field("is_sync", pa.bool_(), nullable=False),
    pa.field("seen_micros", pa.int64(), nullable=False),
    pa.field("operations", pa.list_(OPERATION)),
])  # fmt: skip
