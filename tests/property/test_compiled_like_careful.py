"""Kernels and readers agree: of any record they make the same row, or both leave it with its reason."""

import random
import string
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.records.samples import BOB, FOLLOW, LIKE, POST, SOURCE, blob, follow, like, post, strong_ref
from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.atproto.scan import scan_repository
from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.devnet.repositories import make_repository_maker
from zeppelin_pipeline.records import whole
from zeppelin_pipeline.records.canonical import LIST, LIST_ITEM, list_item_record
from zeppelin_pipeline.records.pending import Pending
from zeppelin_pipeline.records.reading import read_family
from zeppelin_pipeline.records.registry import FAMILIES
from zeppelin_pipeline.records.whole import Fault, read_whole

COMPILED = [nsid for nsid, family in FAMILIES.items() if family.compiled]
#: Devnet records that no kernel takes may be this share: long texts, odd references.
MAX_CAREFUL_SHARE = 0.1


def pending_of(collection: str, blocks: list[bytes]) -> Pending:
    pending = Pending()
    rkeys = [b"key%06d" % index for index in range(len(blocks))]
    pending.add(SOURCE, collection, rkeys, [cid_of(block) for block in blocks], blocks)
    return pending


def assert_read_alike(collection: str, blocks: list[bytes]) -> list[Fault]:
    """Both ways give the same rows in the same order, and the same faults."""
    pending = pending_of(collection, blocks)
    family = FAMILIES[collection]
    with_kernel, without = read_family(family, pending), read_family(replace(family, compiled=None), pending)
    with_kernel.rows.validate(full=True)
    assert with_kernel.rows.to_pylist() == without.rows.to_pylist()
    assert with_kernel.faults == without.faults
    return without.faults


def taken(collection: str, blocks: list[bytes]) -> list[int]:
    compiled = FAMILIES[collection].compiled
    assert compiled is not None
    return compiled(pending_of(collection, blocks)).positions.tolist()


def devnet_records() -> dict[str, list[bytes]]:
    maker = make_repository_maker(DevnetConfig(repos=40, mean_records=120.0))
    records: dict[str, list[bytes]] = {}
    for account in maker.population.accounts:
        scanned = scan_repository(maker.make(account).car)
        for run in scanned.runs:
            # As if all were of one account: items count in its own lists alone.
            blocks = [
                scanned.record_bytes(entry).replace(account.did.encode(), SOURCE.did.encode())
                for entry in range(run.first, run.last)
            ]
            records.setdefault(run.collection, []).extend(blocks)
    return records


RECORDS = devnet_records()


@pytest.mark.parametrize("collection", COMPILED)
def test_records_of_a_network_are_nearly_all_taken_and_read_alike(collection: str) -> None:
    blocks = RECORDS[collection]
    assert_read_alike(collection, blocks)
    assert len(taken(collection, blocks)) >= (1 - MAX_CAREFUL_SHARE) * len(blocks)


def changes_of(block: bytes, rng: random.Random) -> Iterator[bytes]:
    """The block with a flipped bit, a byte replaced by what readers trip over, some removed, some added, cut off."""
    at = rng.randrange(len(block))
    flipped = bytearray(block)
    flipped[at] ^= 1 << rng.randrange(8)
    yield bytes(flipped)
    replaced = bytearray(block)
    replaced[at] = rng.choice(
        b"\x00\x18\x19\x1b\x20\x3b\x40\x58\x60\x78\x7f\x80\x9f\xa0\xbf\xd8\xf4\xf6\xf7\xfb\xffzZ/.:-0\x80"
    )
    yield bytes(replaced)
    yield block[:at] + block[at + rng.randrange(1, 4) :]
    yield block[:at] + rng.randbytes(rng.randrange(1, 4)) + block[at:]
    yield block[:at]


@pytest.mark.parametrize("collection", COMPILED)
def test_thousands_of_changed_records_are_read_alike(collection: str) -> None:
    rng = random.Random(collection)
    picked = rng.sample(RECORDS[collection], min(400, len(RECORDS[collection])))
    assert assert_read_alike(collection, [changed for block in picked for changed in changes_of(block, rng)])


def test_thousands_of_changed_records_are_judged_alike_where_they_are_kept_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = random.Random(7)
    picked = [
        (collection, block)
        for collection, blocks in RECORDS.items()
        for block in rng.sample(blocks, min(60, len(blocks)))
    ]
    for collection, block in picked:
        pending = pending_of(collection, [block, *changes_of(block, rng)])
        rows, faults = read_whole(pending)
        with monkeypatch.context() as patch:
            patch.setattr(whole, "_are_sound", lambda pending: ~(pending.run_of >= 0))
            careful_rows, careful_faults = read_whole(pending)
        assert (rows.to_pylist(), faults) == (careful_rows.to_pylist(), careful_faults)


texts = st.text(max_size=12) | st.text("a🙂é", min_size=290, max_size=310) | st.just("x" * 3001)
uris = st.sampled_from(
    ["https://a.test", "http://x", "https:///x", "https://", "https://ä.test", "https://a b", "ftp://x", "x"]
)
dids = st.sampled_from([BOB, "did:web:a.test", "did:plc:short", "", BOB + "a", BOB.upper()])
refs = st.sampled_from(
    [
        strong_ref(),
        strong_ref(f"at://{BOB}/app.bsky.feed.generator/x~:"),
        strong_ref(f"at://{BOB}/{POST}/."),
        strong_ref(f"at://{BOB}/{POST}/.."),
        strong_ref(f"at://{BOB}/{POST}/..."),
        strong_ref(f"at://{BOB}/{POST}/a/b"),
        strong_ref(f"at://{BOB}/{POST}"),
        strong_ref(f"at://{BOB}/{POST}/" + "k" * 512),
        strong_ref(f"at://{BOB}/{POST}/" + "k" * 513),
        strong_ref(f"at://{BOB}/com.example.unknown/x"),
        strong_ref(f"at://alice.test/{POST}/x"),
        {"uri": f"at://{BOB}/{POST}/x", "cid": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"},
        {"uri": f"at://{BOB}/{POST}/x", "cid": "bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyk7"},
        {"uri": f"at://{BOB}/{POST}/x", "cid": "bafyreizdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"},
        strong_ref() | {"$type": "com.atproto.repo.strongRef"},
        None,
    ]
)
integers = st.sampled_from([0, 1, 23, 24, 255, 256, 65_535, 65_536, 2**32, 2**53 - 1, 2**53, 2**63 - 1, -1])
times = st.sampled_from(
    [
        f"{day}T{clock}{zone}"
        for day in ("2024-02-29", "2023-02-29", "2024-12-31", "0001-01-01", "0002-01-01", "9999-12-31", "2024-13-01")
        for clock in (
            "00:00:00",
            "23:59:59.1",
            "24:00:00",
            "12:30:45.123",
            "12:30:45.123456789",
            "12:30:60.000",
            "12:30:45.",
        )
        for zone in ("Z", "+02:00", "-00:00", "-23:59", "+24:00", "z", "")
    ]
)
features = st.one_of(
    st.fixed_dictionaries({"$type": st.just("app.bsky.richtext.facet#link"), "uri": uris}),
    st.fixed_dictionaries({"$type": st.just("app.bsky.richtext.facet#mention"), "did": dids}),
    st.fixed_dictionaries(
        {"$type": st.just("app.bsky.richtext.facet#tag"), "tag": st.text(max_size=5) | st.just("t" * 65)}
    ),
    st.fixed_dictionaries({"$type": st.just("com.example.feature"), "x": integers}),
)
facet_lists = st.lists(
    st.fixed_dictionaries(
        {
            "index": st.fixed_dictionaries(
                {"byteStart": integers, "byteEnd": integers},
                optional={"$type": st.just("app.bsky.richtext.facet#byteSlice")},
            ),
            "features": st.lists(features, max_size=3),
        },
        optional={"$type": st.sampled_from(["app.bsky.richtext.facet", "x"])},
    ),
    max_size=3,
)
blobs = st.sampled_from(
    [
        blob(),
        blob("image/jpeg", 2_000_001),
        blob("image/"),
        blob("text/plain"),
        {"cid": "x" * 59, "mimeType": "image/png"},
    ]
)
ratios = st.fixed_dictionaries({"width": integers, "height": integers})
image_lists = st.lists(
    st.fixed_dictionaries({"alt": texts, "image": blobs}, optional={"aspectRatio": ratios}), max_size=5
)
GALLERY_IMAGE = "app.bsky.embed.gallery#image"
gallery_items = st.lists(
    st.fixed_dictionaries(
        {"$type": st.sampled_from([GALLERY_IMAGE, "x"]), "alt": texts, "image": blobs}, optional={"aspectRatio": ratios}
    ),
    max_size=3,
)
media = st.one_of(
    st.fixed_dictionaries({"$type": st.just("app.bsky.embed.images"), "images": image_lists}),
    st.fixed_dictionaries(
        {
            "$type": st.just("app.bsky.embed.external"),
            "external": st.fixed_dictionaries(
                {"uri": uris, "title": texts, "description": texts}, optional={"thumb": blobs}
            ),
        }
    ),
    st.fixed_dictionaries(
        {
            "$type": st.just("app.bsky.embed.video"),
            "video": st.sampled_from([blob("video/mp4"), blob("video/mp42"), blob()]),
        },
        optional={"alt": texts, "aspectRatio": ratios, "captions": st.just([])},
    ),
    st.fixed_dictionaries({"$type": st.just("app.bsky.embed.gallery"), "items": gallery_items}),
    st.just({"$type": "com.example.embed", "deep": [[{}]], "bytes": b"\x01", "link": cid_of(b"")}),
)
embeds = media | st.one_of(
    st.fixed_dictionaries({"$type": st.just("app.bsky.embed.record"), "record": refs}),
    st.fixed_dictionaries(
        {
            "$type": st.just("app.bsky.embed.recordWithMedia"),
            "media": media,
            "record": st.fixed_dictionaries(
                {"record": refs}, optional={"$type": st.sampled_from(["app.bsky.embed.record", "x"])}
            ),
        }
    ),
)
VIDEO = {
    "$type": "app.bsky.embed.video",
    "video": blob("video/mp4"),
    "alt": "ä",
    "aspectRatio": {"width": 1, "height": 2},
}
GALLERY = {
    "$type": "app.bsky.embed.gallery",
    "items": [{"$type": GALLERY_IMAGE, "alt": "", "image": blob(), "aspectRatio": {"width": 1, "height": 2}}] * 20,
}
labels = st.fixed_dictionaries(
    {
        "$type": st.sampled_from(["com.atproto.label.defs#selfLabels", "x"]),
        "values": st.lists(
            st.fixed_dictionaries({"val": st.sampled_from(["porn", "v" * 128, "v" * 129])}), max_size=11
        ),
    }
)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)


unknown = st.recursive(
    integers | st.text(max_size=3) | st.none() | st.booleans() | st.binary(max_size=37), nested, max_leaves=6
)
posts = st.fixed_dictionaries(
    {"text": texts, "createdAt": times},
    optional={
        "langs": st.lists(st.sampled_from(["en", "pt-BR", "zh-Hant", "EN", "e", "en-us"]), max_size=4),
        "tags": st.lists(st.text(max_size=3) | st.just("é" * 321), max_size=9),
        "facets": facet_lists,
        "embed": embeds,
        "reply": st.fixed_dictionaries(
            {"root": refs, "parent": refs}, optional={"$type": st.sampled_from(["app.bsky.feed.post#replyRef", "x"])}
        ),
        "labels": labels,
        "entities": st.just([]),
        "via": st.text(max_size=5),
        "com.example.unknown": unknown,
    },
)


@given(st.lists(posts, min_size=1, max_size=4))
@settings(max_examples=400, deadline=None)
def test_posts_of_any_making_are_read_alike(values: list[dict[str, Any]]) -> None:
    assert_read_alike(POST, [encode({"$type": POST, **value}) for value in values])


list_uris = st.sampled_from(
    [
        f"at://{SOURCE.did}/{LIST}/3k",
        f"at://{SOURCE.did}/{LIST}/.",
        f"at://{SOURCE.did}/{LIST}/a/b",
        f"at://{SOURCE.did}/{LIST}",
        f"at://{SOURCE.did}/{POST}/3k",
        f"at://{SOURCE.did}",
        f"at://{BOB}/{LIST}/3k",
        f"at://alice.test/{LIST}/3k",
        "",
        None,
    ]
)


@given(
    list_uris, dids, times, st.dictionaries(st.text(string.ascii_letters, max_size=5), st.integers(0, 3), max_size=1)
)
@settings(max_examples=300, deadline=None)
def test_list_items_of_any_making_are_read_alike(
    uri: str | None, subject: str, created_at: str, extra: dict[str, int]
) -> None:
    value = {"$type": LIST_ITEM, "list": uri, "subject": subject, "createdAt": created_at}
    assert_read_alike(LIST_ITEM, [encode(extra | value)])


def test_only_items_of_the_account_s_own_lists_are_taken_by_a_kernel() -> None:
    own, other = (
        encode(list_item_record(f"at://{did}/{LIST}/3k", BOB, "2024-05-06T07:08:09.000Z")) for did in (SOURCE.did, BOB)
    )
    assert taken(LIST_ITEM, [own, other, own]) == [0, 2]
    assert [fault.reason for fault in assert_read_alike(LIST_ITEM, [own, other, own])] == ["list-of-another-account"]
    pending = Pending()
    for did in (SOURCE.did, BOB):
        pending.add(replace(SOURCE, did=did), LIST_ITEM, [b"a", b"b"], [cid_of(own), cid_of(other)], [own, other])
    assert read_family(FAMILIES[LIST_ITEM], pending).rows["rkey"].to_pylist() == ["a", "b"]


@given(
    st.sampled_from([nsid for nsid in COMPILED if nsid not in {POST, LIST_ITEM}]),
    refs | dids,
    times,
    st.none() | refs,
    st.dictionaries(st.text(string.ascii_letters, min_size=1, max_size=9), st.integers(0, 3), max_size=1),
)
@settings(max_examples=300, deadline=None)
def test_likes_and_follows_of_any_making_are_read_alike(
    collection: str, subject: Any, created_at: str, via: Any, extra: dict[str, int]
) -> None:
    value = extra | {"$type": collection, "subject": subject, "createdAt": created_at}
    assert_read_alike(collection, [encode(value if via is None else value | {"via": via})])


@pytest.mark.parametrize(
    "value",
    [
        post(),
        post(createdAt="2024-05-06T07:08:09+02:00", langs=[], tags=[], facets=[]),
        post(reply={"root": strong_ref(), "parent": strong_ref()}, via="a client", note={"a": [1, None, {"b": -5}]}),
        post(embed={"$type": "app.bsky.embed.recordWithMedia", "record": {"record": strong_ref()}, "media": VIDEO}),
        post(embed=GALLERY),
        post(embed={"$type": "app.bsky.embed.recordWithMedia", "record": {"record": strong_ref()}, "media": GALLERY}),
        like(),
        like(createdAt="2024-05-06T07:08:09Z"),
        like(via=strong_ref(f"at://{BOB}/app.bsky.feed.repost/x")),
        follow(),
        follow(via=strong_ref()),
    ],
    ids=range(11),
)
def test_usual_records_are_taken_by_kernels(value: dict[str, Any]) -> None:
    assert taken(value["$type"], [encode(value)]) == [0]
    assert assert_read_alike(value["$type"], [encode(value)]) == []


def test_a_record_that_is_not_taken_keeps_its_place_and_leaves_nothing_in_its_neighbours() -> None:
    link = {
        "index": {"byteStart": 0, "byteEnd": 1},
        "features": [{"$type": "app.bsky.richtext.facet#link", "uri": "https://a"}],
    }
    odd = post(langs=["en"], facets=[link], embed={"$type": "app.bsky.embed.record", "record": None})
    blocks = [
        encode(value)
        for value in (post(langs=["de"]), odd, post(facets=[link]), post(entities=[]), post(text="é" * 301))
    ]
    assert taken(POST, blocks) == [0, 2]
    assert len(assert_read_alike(POST, blocks)) == 2


def test_of_galleries_only_those_of_at_most_twenty_images_with_their_ratios_are_taken() -> None:
    item = {"$type": GALLERY_IMAGE, "alt": "a", "image": blob()}
    whole = item | {"aspectRatio": {"width": 1, "height": 1}}
    kept = [[], [whole] * 20]
    left = [[whole] * 21, [item], [whole, {"$type": "x"}], [whole | {"alt": 1}]]
    blocks = [encode(post(embed={"$type": "app.bsky.embed.gallery", "items": items})) for items in (*kept, *left)]
    assert taken(POST, blocks) == [0, 1]
    assert len(assert_read_alike(POST, blocks)) == 3


def test_an_empty_pending_is_read_to_nothing() -> None:
    for collection in (LIKE, FOLLOW, POST):
        assert assert_read_alike(collection, []) == []
