"""The Arrow schemas of every Parquet dataset in the lake, and what their columns mean. No reading or writing here.

Text stays text (dictionary-encoded), so that a reader needs no look-up table: the warehouse's compact keys are computed
when rows are loaded. `cid` columns hold the binary CID, 36 bytes. Times are microseconds in UTC.

All schemas stand in this one file, which is therefore long: it is the document that readers of the lake are pointed to.
"""

from typing import Final

import pyarrow as pa

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")
DICTIONARY: Final = pa.dictionary(pa.int32(), pa.string())

PDS_LIST: Final = pa.schema(
    [
        pa.field("host", pa.string(), nullable=False),
        pa.field("url", pa.string(), nullable=False),
        pa.field("witnesses", pa.list_(pa.string()), nullable=False),
        pa.field("state", pa.string(), nullable=False),  # online | parked
        pa.field("version", pa.string()),
        pa.field("last_seen_at", TIMESTAMP),
        pa.field("last_error", pa.string()),
    ]
)

PLC_OPERATIONS: Final = pa.schema(
    [
        pa.field("did", pa.string()),  # null for a line that cannot be read
        pa.field("cid", pa.string(), nullable=False),  # as the directory says
        pa.field("created_at", TIMESTAMP),
        pa.field("seq", pa.int64()),  # where the directory numbers its operations
        pa.field("nullified", pa.bool_(), nullable=False),  # as the directory said when it was asked
        pa.field("operation", pa.string(), nullable=False),  # JSON; the whole line where it cannot be read
    ]
)

LISTING: Final = pa.schema(
    [
        pa.field("did", pa.string(), nullable=False),
        pa.field("head", pa.string()),
        pa.field("rev", pa.string()),
        pa.field("active", pa.bool_(), nullable=False),
        pa.field("status", pa.string()),
    ]
)

MANIFEST: Final = pa.schema(
    [
        pa.field("did", pa.string(), nullable=False),
        pa.field("host", pa.string(), nullable=False),
        pa.field("url", pa.string(), nullable=False),
        pa.field("rev", pa.string()),
        pa.field("active", pa.bool_(), nullable=False),
        pa.field("status", pa.string()),
    ]
)

STALE: Final = pa.schema(
    [
        pa.field("did", pa.string(), nullable=False),
        pa.field("host", pa.string()),  # that lists it now; null: no listing says so
        pa.field("url", pa.string()),
        pa.field("reason", pa.string(), nullable=False),  # rev | status | due
        pa.field("since", TIMESTAMP, nullable=False),  # an outcome later than this settles it
    ]
)

PACK: Final = pa.schema(
    [
        pa.field("did", pa.string(), nullable=False),
        pa.field("host", pa.string(), nullable=False),
        pa.field("rev", pa.string()),  # of the commit in the CAR
        pa.field(
            "state", pa.string(), nullable=False
        ),  # fetched | absent | failed; piece: of the CAR of the row that follows
        pa.field("reason", pa.string()),  # null when fetched
        pa.field("detail", pa.string()),
        pa.field("fetched_at", TIMESTAMP, nullable=False),
        pa.field("did_document", pa.string()),  # JSON as served
        pa.field("former_keys", pa.list_(pa.string())),  # multibase; those that were the account's when rev was made
        pa.field("car", pa.large_binary()),
    ]
)

_KEY: Final = [
    pa.field("did", DICTIONARY, nullable=False),
    pa.field("rkey", pa.string(), nullable=False),
]
_TIMES: Final = [
    pa.field("created_at", TIMESTAMP, nullable=False),
    pa.field("indexed_at", TIMESTAMP),  # null where it equals the rule for backfilled records
]
_RAW_OR_NULL: Final = pa.field("raw", pa.binary())  # null where the columns determine the record exactly
_RAW: Final = pa.field("raw", pa.binary(), nullable=False)

LIKE: Final = pa.schema(
    [
        *_KEY,
        pa.field("subject_did", pa.string()),
        pa.field("subject_collection", DICTIONARY),
        pa.field("subject_rkey", pa.string()),
        pa.field("subject_cid", pa.binary()),
        pa.field("via_did", pa.string()),
        pa.field("via_rkey", pa.string()),
        pa.field("via_cid", pa.binary()),
        *_TIMES,
        _RAW_OR_NULL,
    ]
)
REPOST: Final = LIKE
FOLLOW: Final = pa.schema([*_KEY, pa.field("subject_did", pa.string(), nullable=False), *_TIMES, _RAW_OR_NULL])
BLOCK: Final = FOLLOW

EMBED_IMAGES: Final = 1
EMBED_EXTERNAL: Final = 2
EMBED_RECORD: Final = 4
EMBED_VIDEO: Final = 8
EMBED_GALLERY: Final = 16
EMBED_OTHER: Final = 32

POST: Final = pa.schema(
    [
        *_KEY,
        pa.field("cid", pa.binary(36), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("langs", pa.list_(pa.string())),
        pa.field("tags", pa.list_(pa.string())),  # of `tags` and of the tag facets, in order
        pa.field("mentions", pa.list_(pa.string())),  # DIDs of the mention facets
        pa.field("links", pa.list_(pa.string())),  # URIs of the link facets
        pa.field("reply_root_did", pa.string()),
        pa.field("reply_root_collection", DICTIONARY),
        pa.field("reply_root_rkey", pa.string()),
        pa.field("reply_root_cid", pa.binary()),
        pa.field("reply_parent_did", pa.string()),
        pa.field("reply_parent_collection", DICTIONARY),
        pa.field("reply_parent_rkey", pa.string()),
        pa.field("reply_parent_cid", pa.binary()),
        pa.field("quote_did", pa.string()),  # of embed.record or of recordWithMedia's record, whatever its collection
        pa.field("quote_collection", DICTIONARY),
        pa.field("quote_rkey", pa.string()),
        pa.field("quote_cid", pa.binary()),
        pa.field("embed", pa.int16(), nullable=False),  # bits: EMBED_*
        pa.field("external_uri", pa.string()),
        *_TIMES,
        _RAW,
    ]
)

PROFILE: Final = pa.schema(
    [
        *_KEY,
        pa.field("cid", pa.binary(36), nullable=False),
        pa.field("display_name", pa.string()),
        pa.field("description", pa.string()),
        pa.field("pack_did", pa.string()),  # these two name the starter pack by which the account joined
        pa.field("pack_rkey", pa.string()),
        pa.field("created_at", TIMESTAMP),
        pa.field("indexed_at", TIMESTAMP),
        _RAW,
    ]
)

LIST: Final = pa.schema(
    [
        *_KEY,
        pa.field("cid", pa.binary(36), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("purpose", DICTIONARY, nullable=False),
        pa.field("description", pa.string()),
        *_TIMES,
        _RAW,
    ]
)

LIST_ITEM: Final = pa.schema(
    [
        *_KEY,
        pa.field("subject_did", pa.string(), nullable=False),
        pa.field("list_rkey", pa.string()),  # of a list of the same account; null where the URI names no list
        *_TIMES,
        _RAW_OR_NULL,
    ]
)

LIST_BLOCK: Final = pa.schema(
    [
        *_KEY,
        pa.field("subject_did", pa.string()),  # these two name a list; null where the URI does not
        pa.field("subject_rkey", pa.string()),
        *_TIMES,
        _RAW_OR_NULL,
    ]
)

STARTER_PACK: Final = pa.schema(
    [
        *_KEY,
        pa.field("cid", pa.binary(36), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("description", pa.string()),
        pa.field("list_did", pa.string()),
        pa.field("list_rkey", pa.string()),
        pa.field("feeds", pa.list_(pa.string())),  # URIs
        *_TIMES,
        _RAW,
    ]
)

VERIFICATION: Final = pa.schema(
    [
        *_KEY,
        pa.field("cid", pa.binary(36), nullable=False),
        pa.field("subject_did", pa.string(), nullable=False),
        pa.field("handle", pa.string(), nullable=False),  # of the subject, when it was verified
        pa.field("display_name", pa.string(), nullable=False),
        *_TIMES,
        _RAW,
    ]
)

GENERATOR: Final = pa.schema(
    [
        *_KEY,
        pa.field("cid", pa.binary(36), nullable=False),
        pa.field("service_did", pa.string(), nullable=False),
        pa.field("display_name", pa.string(), nullable=False),
        pa.field("description", pa.string()),
        *_TIMES,
        _RAW,
    ]
)

LABELER: Final = pa.schema(
    [
        *_KEY,
        pa.field("cid", pa.binary(36), nullable=False),
        pa.field("label_values", pa.list_(pa.string())),
        *_TIMES,
        _RAW,
    ]
)

ALLOW_MENTION: Final = 1
ALLOW_FOLLOWING: Final = 2
ALLOW_FOLLOWER: Final = 4
ALLOW_LIST: Final = 8
ALLOW_OTHER: Final = 16

THREADGATE: Final = pa.schema(
    [
        *_KEY,  # the rkey is the post's
        pa.field("cid", pa.binary(36), nullable=False),
        pa.field("allow", pa.int16()),  # null: anyone may reply; 0: nobody; else bits: ALLOW_*
        pa.field("list_dids", pa.list_(pa.string())),  # with list_rkeys: whose members may reply
        pa.field("list_rkeys", pa.list_(pa.string())),
        pa.field("hidden_dids", pa.list_(pa.string())),  # with hidden_rkeys: replies hidden by the author
        pa.field("hidden_rkeys", pa.list_(pa.string())),
        *_TIMES,
        _RAW,
    ]
)

POSTGATE: Final = pa.schema(
    [
        *_KEY,  # the rkey is the post's
        pa.field("cid", pa.binary(36), nullable=False),
        pa.field("is_embedding_disabled", pa.bool_(), nullable=False),
        pa.field("detached_dids", pa.list_(pa.string())),  # with detached_rkeys: posts that the author left
        pa.field("detached_rkeys", pa.list_(pa.string())),
        *_TIMES,
        _RAW,
    ]
)

RECORD: Final = pa.schema(
    [
        pa.field("did", DICTIONARY, nullable=False),
        pa.field("collection", DICTIONARY, nullable=False),
        pa.field("rkey", pa.string(), nullable=False),
        pa.field("cid", pa.binary(36), nullable=False),
        pa.field("reason", pa.string()),  # null where the record is valid, or of a collection that is kept whole
        pa.field("indexed_at", TIMESTAMP, nullable=False),  # when its repository was fetched
        _RAW,
    ]
)

REPO: Final = pa.schema(
    [
        pa.field("did", pa.string(), nullable=False),
        pa.field("host", DICTIONARY, nullable=False),
        pa.field("state", pa.string(), nullable=False),  # synchronized | invalid | absent | failed
        pa.field("status", pa.string()),  # active | takendown | suspended | deactivated | not-found
        pa.field("reason", pa.string()),
        pa.field("rev", pa.string()),
        pa.field("commit_cid", pa.binary(36)),
        pa.field("data_cid", pa.binary(36)),
        pa.field("commit", pa.binary()),  # the signed commit block
        pa.field("records", pa.int64(), nullable=False),
        pa.field("fetched_at", TIMESTAMP, nullable=False),
        pa.field("handle", pa.string()),  # claimed by the DID document
        pa.field("pds", pa.string()),
        pa.field("signing_key", pa.string()),  # multibase
    ]
)

REJECTED: Final = pa.schema(
    [
        pa.field("did", pa.string(), nullable=False),
        pa.field("host", DICTIONARY, nullable=False),
        pa.field("scope", pa.string(), nullable=False),  # repository | record
        pa.field("collection", pa.string()),
        pa.field("rkey", pa.string()),
        pa.field("cid", pa.binary()),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
        pa.field("records", pa.int64(), nullable=False),  # entries set aside: 1 for a record
    ]
)

BATCHES: Final = pa.schema(
    [
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        # So many of the first rows were in the batches that these follow on (`base` in the metadata), just as they are.
        pa.field("unchanged_rows", pa.int64(), nullable=False),
    ]
)

#: The datasets that extraction writes, in the order in which they are loaded.
RECORD_DATASETS: Final[dict[str, pa.Schema]] = {
    "profile": PROFILE,
    "post": POST,
    "like": LIKE,
    "repost": REPOST,
    "follow": FOLLOW,
    "block": BLOCK,
    "list": LIST,
    "list_item": LIST_ITEM,
    "list_block": LIST_BLOCK,
    "starter_pack": STARTER_PACK,
    "verification": VERIFICATION,
    "generator": GENERATOR,
    "labeler": LABELER,
    "threadgate": THREADGATE,
    "postgate": POSTGATE,
    "record": RECORD,
    "repo": REPO,
    "rejected": REJECTED,
}
