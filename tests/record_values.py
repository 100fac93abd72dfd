"""What tests write into records, in its several forms: JSON, bytes, and the values of columns. No database here."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.cid import DAG_CBOR_PREFIX, cid_from_text
from zeppelin_pipeline.atproto.syntax import format_datetime, parse_datetime
from zeppelin_pipeline.records.registry import Family

_EMBED_BITS = {
    "app.bsky.embed.images": 1,
    "app.bsky.embed.external": 2,
    "app.bsky.embed.record": 4,
    "app.bsky.embed.video": 8,
    "app.bsky.embed.gallery": 16,
}


def read_columns(family: Family, raw: bytes) -> dict[str, Any]:
    """A record's columns, as extraction would read them."""
    return {"raw": raw, **dict(zip(family.columns, family.read(dag_cbor.decode(raw), raw), strict=True))}


def parse_time(text: str) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=parse_datetime(text))


def format_time(at: datetime) -> str:
    return format_datetime((at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))


def encode_json(value: Mapping[str, Any]) -> bytes:
    return dag_cbor.encode(dag_cbor.from_json(dict(value)))


def digest_of(cid: str) -> bytes:
    """The column of a record's CID."""
    return cid_from_text(cid).removeprefix(DAG_CBOR_PREFIX)


def embedded_uri(embed: Mapping[str, Any] | None) -> str | None:
    """The URI of the record that a post embeds, alone or beside media."""
    if embed is None or not embed["$type"].startswith("app.bsky.embed.record"):
        return None
    record = embed["record"]
    return record["record"]["uri"] if "record" in record else record["uri"]


def embed_bits(embed: Mapping[str, Any] | None) -> int:
    """The column of what a post embeds."""
    if embed is None:
        return 0
    types: Sequence[str] = [embed["$type"]]
    if embed["$type"] == "app.bsky.embed.recordWithMedia":
        types = ["app.bsky.embed.record", embed["media"]["$type"]]
    return sum(_EMBED_BITS.get(name, 32) for name in types)
