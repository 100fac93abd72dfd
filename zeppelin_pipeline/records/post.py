"""Posts (`app.bsky.feed.post`): validated, and their columns."""

from typing import Any, Final

from zeppelin_pipeline.records.embed import NOTHING, read_embed
from zeppelin_pipeline.records.lexicon import (
    check_array,
    check_created_at,
    check_integer,
    check_language,
    check_map,
    check_self_labels,
    check_text,
)
from zeppelin_pipeline.records.references import NO_REFERENCE, read_reference
from zeppelin_pipeline.records.richtext import TAG_BYTES, TAG_GRAPHEMES, read_facets

NSID: Final = "app.bsky.feed.post"

TEXT_BYTES: Final = 3000
TEXT_GRAPHEMES: Final = 300

#: Names of what `read_post` gives, in order.
COLUMNS: Final = (
    "text", "langs", "tags", "mentions", "links",
    "reply_root_did", "reply_root_collection", "reply_root_rkey", "reply_root_cid",
    "reply_parent_did", "reply_parent_collection", "reply_parent_rkey", "reply_parent_cid",
    "quote_did", "quote_collection", "quote_rkey", "quote_cid",
    "embed", "external_uri", "created_at",
)  # fmt: skip


def read_post(record: dict[str, Any]) -> tuple[Any, ...]:
    """The columns of a post, by `COLUMNS`.

    Lists are None where they are empty. The rkey is not looked at: the lexicon asks for a TID, the official indexer
    does not, and older posts have other keys.

    Raises:
        InvalidDataError: the record breaks its lexicon.
    """
    text = check_text(record.get("text"), "text", TEXT_BYTES, TEXT_GRAPHEMES)
    created_at = check_created_at(record)
    langs = tags = mentions = links = None
    root, parent, embedded = NO_REFERENCE, NO_REFERENCE, NOTHING
    if "langs" in record:
        langs = check_array(record["langs"], "langs", 3)
        for language in langs:
            check_language(language, "lang")
    if "facets" in record or "tags" in record:
        tags, mentions, links = _read_annotations(record)
    if "reply" in record:
        reply = check_map(record["reply"], "reply", "app.bsky.feed.post#replyRef")
        root = read_reference(reply.get("root"), "reply-root")
        parent = read_reference(reply.get("parent"), "reply-parent")
    if "embed" in record:
        embedded = read_embed(record["embed"])
    if "labels" in record:
        check_self_labels(record["labels"])
    if "entities" in record:
        _check_entities(record["entities"])
    bits, quote, external_uri = embedded
    return (text, langs or None, tags, mentions, links, *root, *parent, *quote, bits, external_uri, created_at)


def _read_annotations(record: dict[str, Any]) -> tuple[list[str] | None, list[str] | None, list[str] | None]:
    tags: list[str] = []
    mentions: list[str] = []
    links: list[str] = []
    if "tags" in record:
        tags.extend(check_text(tag, "tag", TAG_BYTES, TAG_GRAPHEMES) for tag in check_array(record["tags"], "tags", 8))
    if "facets" in record:
        read_facets(record["facets"], mentions, links, tags)
    return tags or None, mentions or None, links or None


def _check_entities(value: Any) -> None:
    """The deprecated forerunner of facets, found in posts of 2022 and 2023."""
    for entity in check_array(value, "entities"):
        fields = check_map(entity, "entity", "app.bsky.feed.post#entity")
        index = check_map(fields.get("index"), "entity-index", "app.bsky.feed.post#textSlice")
        check_integer(index.get("start"), "entity-index", 0)
        check_integer(index.get("end"), "entity-index", 0)
        check_text(fields.get("type"), "entity-type")
        check_text(fields.get("value"), "entity-value")
