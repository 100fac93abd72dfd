"""Valid records of every typed collection, and small ways to have them read. No tests here."""

from typing import Any

import pyarrow as pa

from zeppelin_pipeline.atproto.cid import cid_of, cid_to_text
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.records.canonical import (
    encode_engagement,
    encode_list_block,
    encode_list_item,
    encode_relation,
)
from zeppelin_pipeline.records.pending import Pending, Source
from zeppelin_pipeline.records.reading import Reading, read_family
from zeppelin_pipeline.records.registry import FAMILIES

ALICE = "did:plc:aliceaaaaaaaaaaaaaaaaaaa"
BOB = "did:plc:bobbbbbbbbbbbbbbbbbbbbbb"
FETCHED_AT_MICROS = 1_750_000_000_000_000
CREATED_AT = "2024-05-06T07:08:09.123Z"
CREATED_AT_MICROS = 1_714_979_289_123_000
SOURCE = Source(ALICE, "pds.test", FETCHED_AT_MICROS)

POST = "app.bsky.feed.post"
LIKE = "app.bsky.feed.like"
REPOST = "app.bsky.feed.repost"
FOLLOW = "app.bsky.graph.follow"
BLOCK = "app.bsky.graph.block"
PROFILE = "app.bsky.actor.profile"
LIST = "app.bsky.graph.list"
LIST_ITEM = "app.bsky.graph.listitem"
LIST_BLOCK = "app.bsky.graph.listblock"
STARTER_PACK = "app.bsky.graph.starterpack"
VERIFICATION = "app.bsky.graph.verification"
GENERATOR = "app.bsky.feed.generator"
LABELER = "app.bsky.labeler.service"
THREADGATE = "app.bsky.feed.threadgate"
POSTGATE = "app.bsky.feed.postgate"
STATUS = "app.bsky.actor.status"
NOTIFICATIONS = "app.bsky.notification.declaration"
CHAT = "chat.bsky.actor.declaration"
GERM = "com.germnetwork.declaration"

#: The record key that the first of some pending records has.
RKEY = "3kabcdefghi00"

RAW_CID = b"\x01\x55\x12\x20" + bytes(range(32))
RECORD_CID = cid_of(b"\xa0")


def strong_ref(uri: str = f"at://{BOB}/{POST}/3kabcdefghij2", cid: bytes = RECORD_CID) -> dict[str, Any]:
    return {"uri": uri, "cid": cid_to_text(cid)}


def blob(media_type: str = "image/png", size: int = 1000) -> dict[str, Any]:
    return {"$type": "blob", "ref": RAW_CID, "mimeType": media_type, "size": size}


def like(**changes: Any) -> dict[str, Any]:
    return {"$type": LIKE, "subject": strong_ref(), "createdAt": CREATED_AT, **changes}


def follow(**changes: Any) -> dict[str, Any]:
    return {"$type": FOLLOW, "subject": BOB, "createdAt": CREATED_AT, **changes}


def post(**changes: Any) -> dict[str, Any]:
    return {"$type": POST, "text": "hello", "createdAt": CREATED_AT, **changes}


def profile(**changes: Any) -> dict[str, Any]:
    return {"$type": PROFILE, "displayName": "Alice", **changes}


def list_uri(owner: str = ALICE, rkey: str = "3klistlistlis") -> str:
    return f"at://{owner}/{LIST}/{rkey}"


def post_uri(owner: str = ALICE, rkey: str = RKEY) -> str:
    return f"at://{owner}/{POST}/{rkey}"


def facet() -> dict[str, Any]:
    tag = {"$type": "app.bsky.richtext.facet#tag", "tag": "sea"}
    return {"index": {"byteStart": 0, "byteEnd": 3}, "features": [tag]}


def self_labels(*values: str) -> dict[str, Any]:
    return {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": value} for value in values]}


def list_record(**changes: Any) -> dict[str, Any]:
    purpose = "app.bsky.graph.defs#modlist"
    return {"$type": LIST, "name": "friends", "purpose": purpose, "createdAt": CREATED_AT, **changes}


def list_item(**changes: Any) -> dict[str, Any]:
    return {"$type": LIST_ITEM, "subject": BOB, "list": list_uri(), "createdAt": CREATED_AT, **changes}


def list_block(**changes: Any) -> dict[str, Any]:
    return {"$type": LIST_BLOCK, "subject": list_uri(BOB), "createdAt": CREATED_AT, **changes}


def starter_pack(**changes: Any) -> dict[str, Any]:
    return {"$type": STARTER_PACK, "name": "pack", "list": list_uri(), "createdAt": CREATED_AT, **changes}


def verification(**changes: Any) -> dict[str, Any]:
    subject = {"subject": BOB, "handle": "bob.test", "displayName": "Bob"}
    return {"$type": VERIFICATION, **subject, "createdAt": CREATED_AT, **changes}


def generator(**changes: Any) -> dict[str, Any]:
    service = "did:web:feeds.test"
    return {"$type": GENERATOR, "did": service, "displayName": "Sea", "createdAt": CREATED_AT, **changes}


def labeler(**changes: Any) -> dict[str, Any]:
    return {"$type": LABELER, "policies": {"labelValues": ["spam"]}, "createdAt": CREATED_AT, **changes}


def label_definition(**changes: Any) -> dict[str, Any]:
    strings = {"lang": "en", "name": "Bread", "description": "Shows bread."}
    return {"identifier": "bread", "severity": "inform", "blurs": "none", "locales": [strings], **changes}


def threadgate(**changes: Any) -> dict[str, Any]:
    return {"$type": THREADGATE, "post": post_uri(), "createdAt": CREATED_AT, **changes}


def postgate(**changes: Any) -> dict[str, Any]:
    return {"$type": POSTGATE, "post": post_uri(), "createdAt": CREATED_AT, **changes}


def status(**changes: Any) -> dict[str, Any]:
    return {"$type": STATUS, "status": "app.bsky.actor.status#live", "createdAt": CREATED_AT, **changes}


def germ(**changes: Any) -> dict[str, Any]:
    return {"$type": GERM, "version": "1.1.0", "currentKey": bytes(33), **changes}


def pending_of(collection: str, blocks: list[bytes], rkeys: list[bytes] | None = None) -> Pending:
    pending = Pending()
    only = FAMILIES[collection].rkey if collection in FAMILIES else None
    names = rkeys or [only or b"3kabcdefghi%02d" % index for index in range(len(blocks))]
    pending.add(SOURCE, collection, names, [cid_of(block) for block in blocks], blocks)
    return pending


def read_blocks(collection: str, *blocks: bytes) -> Reading:
    return read_family(FAMILIES[collection], pending_of(collection, list(blocks)))


def read(*records: dict[str, Any]) -> Reading:
    return read_blocks(records[0]["$type"], *(encode(record) for record in records))


def row_of(record: dict[str, Any]) -> dict[str, Any]:
    """The one row that a valid record becomes."""
    reading = read(record)
    assert reading.faults == []
    return only_row(reading.rows)


def only_row(rows: pa.RecordBatch) -> dict[str, Any]:
    assert rows.num_rows == 1
    return rows.to_pylist()[0]


def reason_of(record: dict[str, Any]) -> str:
    """Why an invalid record is refused."""
    reading = read(record)
    assert reading.rows.num_rows == 0
    (fault,) = reading.faults
    return fault.reason


def encode_row(collection: str, row: dict[str, Any]) -> bytes:
    """The block that a row of a collection's dataset stands for: `raw`, or what its columns encode to."""
    if row["raw"] is not None:
        return row["raw"]
    created_at = round(row["created_at"].timestamp() * 1000) * 1000
    if collection in {FOLLOW, BLOCK}:
        return encode_relation(collection, row["subject_did"], created_at)
    if collection == LIST_ITEM:
        return encode_list_item(row["did"], row["list_rkey"], row["subject_did"], created_at)
    if collection == LIST_BLOCK:
        return encode_list_block(row["subject_did"], row["subject_rkey"], created_at)
    via = None if row["via_did"] is None else (row["via_did"], row["via_rkey"], row["via_cid"])
    subject = (row["subject_did"], row["subject_collection"], row["subject_rkey"], row["subject_cid"])
    return encode_engagement(collection, subject, created_at, via)
