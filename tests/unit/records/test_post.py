"""Posts: what is valid, and their columns."""

from typing import Any

import pytest

from tests.unit.records.samples import (
    ALICE,
    BOB,
    POST,
    RECORD_CID,
    blob,
    post,
    reason_of,
    row_of,
    strong_ref,
)
from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.lake.schemas import (
    EMBED_EXTERNAL,
    EMBED_GALLERY,
    EMBED_IMAGES,
    EMBED_OTHER,
    EMBED_RECORD,
    EMBED_VIDEO,
)

RATIO = {"width": 4, "height": 3}
IMAGE = {"image": blob(), "alt": "a cat", "aspectRatio": RATIO}
IMAGES = {"$type": "app.bsky.embed.images", "images": [IMAGE]}
EXTERNAL = {
    "$type": "app.bsky.embed.external",
    "external": {"uri": "https://example.test/", "title": "t", "description": "d", "thumb": blob()},
}
VIDEO = {
    "$type": "app.bsky.embed.video",
    "video": blob("video/mp4"),
    "captions": [{"lang": "en", "file": blob("text/vtt")}],
}
GALLERY = {"$type": "app.bsky.embed.gallery", "items": [{"$type": "app.bsky.embed.gallery#image", **IMAGE}]}
QUOTE = {"$type": "app.bsky.embed.record", "record": strong_ref()}
FACET = "app.bsky.richtext.facet"


def facet(kind: str, **feature: Any) -> dict[str, Any]:
    return {"index": {"byteStart": 0, "byteEnd": 3}, "features": [{"$type": f"{FACET}#{kind}", **feature}]}


def with_media(media: dict[str, Any]) -> dict[str, Any]:
    return {"$type": "app.bsky.embed.recordWithMedia", "record": {"record": strong_ref()}, "media": media}


def without(record: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != name}


def test_a_plain_post_has_text_and_nothing_else():
    record = post(text="")
    row = row_of(record)
    assert (row["did"], row["text"], row["embed"], row["raw"], row["cid"]) == (
        ALICE, "", 0, encode(record), cid_of(encode(record)),
    )  # fmt: skip
    assert row["langs"] is row["tags"] is row["mentions"] is row["links"] is row["reply_root_did"] is None


def test_a_reply_names_its_root_and_its_parent():
    parent = strong_ref(f"at://{ALICE}/{POST}/3kabcdefghij4")
    row = row_of(post(reply={"root": strong_ref(), "parent": parent}))
    assert [row[f"reply_root_{part}"] for part in ("did", "collection", "rkey", "cid")] == [
        BOB, POST, "3kabcdefghij2", RECORD_CID,
    ]  # fmt: skip
    assert (row["reply_parent_did"], row["reply_parent_rkey"]) == (ALICE, "3kabcdefghij4")


def test_annotations_come_out_in_their_order():
    facets = [facet("mention", did=BOB), facet("tag", tag="two"), facet("link", uri="https://example.test/a")]
    row = row_of(post(text="abc", langs=["en", "pt-BR"], tags=["one"], facets=[*facets, facet("novel", value=1)]))
    assert (row["langs"], row["tags"], row["mentions"], row["links"]) == (
        ["en", "pt-BR"], ["one", "two"], [BOB], ["https://example.test/a"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("embed", "bits", "quotes"),
    [
        (IMAGES, EMBED_IMAGES, False),
        (EXTERNAL, EMBED_EXTERNAL, False),
        (VIDEO, EMBED_VIDEO, False),
        (GALLERY, EMBED_GALLERY, False),
        (QUOTE, EMBED_RECORD, True),
        (with_media(IMAGES), EMBED_RECORD | EMBED_IMAGES, True),
        (with_media(EXTERNAL), EMBED_RECORD | EMBED_EXTERNAL, True),
        (with_media({"$type": "com.example.media"}), EMBED_RECORD | EMBED_OTHER, True),
        ({"$type": "com.example.embed", "any": "thing"}, EMBED_OTHER, False),
    ],
)
def test_an_embed_becomes_its_bits_and_its_quote(embed: dict[str, Any], bits: int, quotes: bool):
    row = row_of(post(embed=embed))
    assert row["embed"] == bits
    assert row["quote_did"] == (BOB if quotes else None)
    assert row["external_uri"] == ("https://example.test/" if bits & EMBED_EXTERNAL else None)


def test_a_quote_of_a_feed_keeps_its_collection():
    quote = {"$type": "app.bsky.embed.record", "record": strong_ref(f"at://{BOB}/app.bsky.feed.generator/best")}
    row = row_of(post(embed=quote))
    assert (row["quote_collection"], row["quote_rkey"]) == ("app.bsky.feed.generator", "best")


@pytest.mark.parametrize(
    "text",
    ["a" * 300, "\u00e9" * 300, "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 150, "e\u0301" * 300],
    ids=["ascii", "accents", "families", "combining"],
)
def test_text_is_counted_in_graphemes_not_in_characters(text: str):
    assert row_of(post(text=text))["text"] == text


def test_an_old_post_with_entities_and_an_unusual_key_is_valid():
    entity = {"index": {"start": 0, "end": 2}, "type": "link", "value": "https://example.test/"}
    assert row_of(post(entities=[entity], labels={"$type": "com.example.labels"}))["text"] == "hello"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"text": None}, "text-missing"),
        ({"text": 7}, "text-not-a-string"),
        ({"text": "a" * 301}, "text-too-long"),
        ({"text": "e\u0301" * 301}, "text-too-long"),
        ({"text": "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 167}, "text-too-long"),
        ({"langs": ["en", "de", "fr", "pt"]}, "langs-too-many"),
        ({"langs": "en"}, "langs-not-an-array"),
        ({"langs": ["not a language"]}, "lang-not-a-language"),
        ({"tags": ["t"] * 9}, "tags-too-many"),
        ({"tags": ["t" * 65]}, "tag-too-long"),
        ({"reply": {"root": strong_ref()}}, "reply-parent-missing"),
        ({"reply": strong_ref()}, "reply-root-missing"),
        ({"reply": []}, "reply-not-a-map"),
        ({"labels": {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "v"}] * 11}}, "labels-too-many"),
        ({"labels": {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "v" * 129}]}}, "label-too-long"),
        ({"labels": {"$type": "com.atproto.label.defs#selfLabels"}}, "labels-not-an-array"),
        ({"facets": [{"index": {"byteStart": -1, "byteEnd": 3}, "features": []}]}, "facet-index-out-of-range"),
        ({"facets": [{"index": {"byteStart": 0}, "features": []}]}, "facet-index-not-an-integer"),
        ({"facets": [{"index": {"byteStart": 0, "byteEnd": True}, "features": []}]}, "facet-index-not-an-integer"),
        ({"facets": [{"features": []}]}, "facet-index-not-a-map"),
        ({"facets": [facet("mention", did="bob.test")]}, "facet-mention-not-a-did"),
        ({"facets": [facet("link", uri="no uri")]}, "facet-link-not-a-uri"),
        ({"facets": [facet("tag", tag="t" * 65)]}, "facet-tag-too-long"),
        ({"facets": [{**facet("tag", tag="t"), "features": [{"tag": "t"}]}]}, "facet-feature-without-type"),
        ({"embed": None}, "embed-without-type"),
        ({"embed": without(QUOTE, "record")}, "embed-record-missing"),
        ({"embed": {**IMAGES, "images": [IMAGE] * 5}}, "embed-images-too-many"),
        ({"embed": {**IMAGES, "images": [without(IMAGE, "alt")]}}, "embed-image-alt-missing"),
        ({"embed": {**IMAGES, "images": [{**IMAGE, "image": blob("text/plain")}]}}, "embed-image-media-type"),
        (
            {"embed": {**IMAGES, "images": [{**IMAGE, "aspectRatio": {"width": 0, "height": 1}}]}},
            "embed-aspect-ratio-out-of-range",
        ),
        ({"embed": {**GALLERY, "items": [IMAGE]}}, "embed-item-without-type"),
        ({"embed": {**EXTERNAL, "external": {"uri": "https://example.test/"}}}, "embed-external-title-missing"),
        ({"embed": {**VIDEO, "video": blob("video/webm")}}, "embed-video-media-type"),
        (
            {"embed": {**VIDEO, "captions": [{"lang": "", "file": blob("text/vtt")}]}},
            "embed-caption-lang-not-a-language",
        ),
        ({"embed": with_media(QUOTE) | {"media": None}}, "embed-media-without-type"),
        ({"createdAt": "2024-05-06 07:08:09Z"}, "created-at-invalid"),
    ],
)
def test_a_post_that_breaks_its_lexicon_is_refused_with_the_reason(changes: dict[str, Any], reason: str):
    assert reason_of(post(**changes)) == reason


@pytest.mark.parametrize("name", ["text", "createdAt"])
def test_a_post_without_a_required_field_is_refused(name: str):
    assert reason_of(without(post(), name)).endswith("-missing")
