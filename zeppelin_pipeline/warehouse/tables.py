"""The one list of the tables that hold records: of which columns of the lake's datasets each is made, in which order.

Each dataset is named as its table.
"""

from typing import Final

import pyarrow as pa

from zeppelin_pipeline.warehouse.batch_contents import join_contents
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.rows import (
    Column,
    Joined,
    TableMap,
    numbers_of,
    to_actors,
    to_collection_numbers,
    to_collections,
    to_digests,
    to_packed,
    to_rkeys,
)

#: Numbers of the purposes that the lexicon knows (`app.bsky.graph.defs#…`); any other is 0. They are never changed.
LIST_PURPOSES: Final = {
    "app.bsky.graph.defs#modlist": 1,
    "app.bsky.graph.defs#curatelist": 2,
    "app.bsky.graph.defs#referencelist": 3,
}

_PLACE: Final = {"actor_id": Column("did", to_actors), "rkey": Column("rkey", to_rkeys)}
_TIMES: Final = {"created_at": Column("created_at"), "indexed_at": Column("indexed_at")}
_RAW: Final = {"raw": Column("raw")}
_SUBJECT: Final = {"subject_actor": Column("subject_did", to_actors)}
#: What a like or repost says besides what, and when: of which version, through whose repost; or its bytes.
_CONTENT: Final = Joined(
    (
        Column("subject_cid", to_digests),
        Column("via_did", to_actors),
        Column("via_rkey", to_rkeys),
        Column("via_cid", to_digests),
        Column("raw"),
    ),
    join_contents,
)
#: A quote may be of any well-known collection.
_POST: Final = {
    "quote_actor": Column("quote_did", to_actors),
    "quote_rkey": Column("quote_rkey", to_rkeys),
    "quote_collection": Column("quote_collection", to_collection_numbers),
    "embed": Column("embed"),
    "mentions": Column("mentions", to_actors),
    "raw": Column("raw", to_packed),
}
_WHOLE: Final = TableMap(
    "record",
    _PLACE
    | {
        "collection": Column("collection", to_collections),
        "indexed_at": Column("indexed_at"),
        "reason": Column("reason"),
    }
    | _RAW,
    None,
)


def _typed(collection: str, table: str, columns: dict[str, Column] | None = None) -> TableMap:
    """A table of one collection: whose record, by which key, when; the bytes; what is the collection's own."""
    return TableMap(table, _PLACE | _TIMES | _RAW | (columns or {}), collection)


def _engagement(collection: str, table: str) -> TableMap:
    """A table of likes or reposts: eight columns at most, so that its rows have short heads (ADR 24)."""
    subject = _SUBJECT | {
        "subject_rkey": Column("subject_rkey", to_rkeys),
        "subject_collection": Column("subject_collection", to_collection_numbers),
    }
    return TableMap(table, _PLACE | subject | _TIMES | {"content": _CONTENT}, collection)


def _reply(end: str) -> dict[str, Column]:
    """An end of a reply, which counts where it is a post."""
    return {
        f"{end}_actor": Column(f"{end}_did", to_actors, f"{end}_collection"),
        f"{end}_rkey": Column(f"{end}_rkey", to_rkeys, f"{end}_collection"),
    }


def _pairs(name: str) -> dict[str, Column]:
    """Two lists of one length, of accounts and of record keys."""
    return {
        f"{name}_actors": Column(f"{name}_dids", to_actors),
        f"{name}_rkeys": Column(f"{name}_rkeys", to_rkeys),
    }


def _to_purposes(purposes: pa.Array, _keys: BatchKeys) -> pa.Array:
    return numbers_of(purposes, LIST_PURPOSES, 0)


#: By dataset, in the order in which they are loaded.
TABLES: Final[dict[str, TableMap]] = {
    made.table: made
    for made in (
        _typed(
            "app.bsky.actor.profile",
            "profile",
            {"pack_actor": Column("pack_did", to_actors), "pack_rkey": Column("pack_rkey", to_rkeys)},
        ),
        _typed("app.bsky.feed.post", "post", _reply("reply_root") | _reply("reply_parent") | _POST),
        _engagement("app.bsky.feed.like", "like"),
        _engagement("app.bsky.feed.repost", "repost"),
        _typed("app.bsky.graph.follow", "follow", _SUBJECT),
        _typed("app.bsky.graph.block", "block", _SUBJECT),
        _typed("app.bsky.graph.list", "list", {"purpose": Column("purpose", _to_purposes)}),
        _typed("app.bsky.graph.listitem", "list_item", _SUBJECT | {"list_rkey": Column("list_rkey", to_rkeys)}),
        _typed("app.bsky.graph.listblock", "list_block", _SUBJECT | {"subject_rkey": Column("subject_rkey", to_rkeys)}),
        _typed(
            "app.bsky.graph.starterpack",
            "starter_pack",
            {"list_actor": Column("list_did", to_actors), "list_rkey": Column("list_rkey", to_rkeys)},
        ),
        _typed("app.bsky.graph.verification", "verification", _SUBJECT),
        _typed("app.bsky.feed.generator", "generator", {"service_actor": Column("service_did", to_actors)}),
        _typed("app.bsky.labeler.service", "labeler"),
        _typed(
            "app.bsky.feed.threadgate", "threadgate", {"allow": Column("allow")} | _pairs("list") | _pairs("hidden")
        ),
        _typed(
            "app.bsky.feed.postgate",
            "postgate",
            {"is_embedding_disabled": Column("is_embedding_disabled")} | _pairs("detached"),
        ),
        _WHOLE,
    )
}
