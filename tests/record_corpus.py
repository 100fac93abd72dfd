"""Records of every typed collection, valid and spoilt by seeded mutation, to compare validators by. No tests here."""

import copy
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from tests.unit.records.samples import (
    ALICE,
    BLOCK,
    BOB,
    CHAT,
    NOTIFICATIONS,
    REPOST,
    blob,
    facet,
    follow,
    generator,
    germ,
    label_definition,
    labeler,
    like,
    list_block,
    list_item,
    list_record,
    list_uri,
    post,
    post_uri,
    postgate,
    profile,
    self_labels,
    starter_pack,
    status,
    strong_ref,
    threadgate,
    verification,
)
from zeppelin_pipeline.atproto.cid import DAG_CBOR_PREFIX
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.records.registry import FAMILIES

Record: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of verdicts that is known and meant.

    Attributes:
        why: the reason for it.
        ours: a pattern of our reason with its detail; empty is valid.
        theirs: a pattern of the other validator's verdict or message.
    """

    why: str
    ours: str
    theirs: str

    def explains(self, ours: str, theirs: str) -> bool:
        """Whether it is this one."""
        return bool(re.search(self.ours, ours)) and bool(re.search(self.theirs, theirs))


FACET: Final = "app.bsky.richtext.facet"
RATIO: Final = {"width": 4, "height": 3}
IMAGE: Final = {"image": blob(), "alt": "a cat", "aspectRatio": RATIO}
FACETS: Final = [
    facet(),
    {
        "$type": FACET,
        "index": {"byteStart": 0, "byteEnd": 3},
        "features": [
            {"$type": f"{FACET}#mention", "did": BOB},
            {"$type": f"{FACET}#link", "uri": "https://example.test/a?b#c"},
            {"$type": "com.example.feature", "x": 1},
        ],
    },
]
EXTERNAL: Final = {
    "$type": "app.bsky.embed.external",
    "external": {
        "uri": "https://example.test/",
        "title": "t",
        "description": "d",
        "thumb": blob(),
        "associatedRefs": [strong_ref()],
    },
}
IMAGES: Final = {"$type": "app.bsky.embed.images", "images": [IMAGE, {"image": blob("image/jpeg"), "alt": ""}]}
VIDEO: Final = {
    "$type": "app.bsky.embed.video",
    "video": blob("video/mp4"),
    "captions": [{"lang": "en", "file": blob("text/vtt")}],
    "alt": "alt",
    "aspectRatio": RATIO,
    "presentation": "gif",
}
GALLERY: Final = {"$type": "app.bsky.embed.gallery", "items": [{"$type": "app.bsky.embed.gallery#image", **IMAGE}]}
QUOTE: Final = {"$type": "app.bsky.embed.record", "record": strong_ref()}
ENTITY: Final = {"index": {"start": 0, "end": 3}, "type": "mention", "value": "bob"}


def with_media(media: Record) -> Record:
    """A quote beside media."""
    return {"$type": "app.bsky.embed.recordWithMedia", "record": {"record": strong_ref()}, "media": media}


def rule(name: str, **fields: Any) -> Record:
    """A rule of a threadgate."""
    return {"$type": f"app.bsky.feed.threadgate#{name}", **fields}


#: Rich valid records, every optional field in at least one of them.
BASES: Final[tuple[Record, ...]] = (
    post(langs=["en", "pt-BR"], tags=["a", "b"], facets=FACETS, labels=self_labels("porn", "x"), entities=[ENTITY]),
    post(reply={"root": strong_ref(), "parent": strong_ref()}, embed=QUOTE),
    *(post(embed=embed) for embed in (IMAGES, EXTERNAL, VIDEO, GALLERY)),
    *(post(embed=with_media(embed)) for embed in (IMAGES, EXTERNAL, VIDEO, GALLERY)),
    like(via=strong_ref()),
    like(via=strong_ref()) | {"$type": REPOST},
    follow(via=strong_ref()),
    follow() | {"$type": BLOCK},
    profile(
        description="d",
        pronouns="they/them",
        website="https://example.test",
        avatar=blob(),
        banner=blob("image/jpeg"),
        labels=self_labels("!no-unauthenticated"),
        joinedViaStarterPack=strong_ref(),
        pinnedPost=strong_ref(),
        createdAt="2024-05-06T07:08:09.123Z",
    ),
    list_record(description="d", descriptionFacets=FACETS, avatar=blob(), labels=self_labels("x")),
    list_item(),
    list_block(),
    starter_pack(description="d", descriptionFacets=FACETS, feeds=[{"uri": f"at://{BOB}/app.bsky.feed.generator/a"}]),
    verification(),
    generator(
        description="d",
        descriptionFacets=FACETS,
        avatar=blob(),
        acceptsInteractions=True,
        labels=self_labels("x"),
        contentMode="app.bsky.feed.defs#contentModeVideo",
    ),
    labeler(
        policies={
            "labelValues": ["spam", "bread"],
            "labelValueDefinitions": [label_definition(defaultSetting="warn", adultOnly=False)],
        },
        labels=self_labels("x"),
        reasonTypes=["com.atproto.moderation.defs#reasonSpam"],
        subjectTypes=["account"],
        subjectCollections=["app.bsky.feed.post"],
    ),
    threadgate(
        allow=[rule("mentionRule"), rule("followerRule"), rule("followingRule"), rule("listRule", list=list_uri())],
        hiddenReplies=[post_uri(BOB)],
    ),
    postgate(detachedEmbeddingUris=[post_uri(BOB)], embeddingRules=[{"$type": "app.bsky.feed.postgate#disableRule"}]),
    status(embed=EXTERNAL, durationMinutes=90),
    {"$type": NOTIFICATIONS, "allowSubscriptions": "mutuals"},
    {"$type": CHAT, "allowIncoming": "all", "allowGroupInvites": "none"},
    germ(
        keyPackage=bytes(80),
        continuityProofs=[bytes(64)],
        messageMe={"messageMeUrl": "https://germ.test/", "showButtonTo": "everyone"},
    ),
)

_FAMILY_EMOJI: Final = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"
#: What a reader takes for one or two characters, of several code points.
_CLUSTERS: Final = ("क्ष", "각", "🇩🇪🇫", "👍🏽", "1️⃣", "\r\n", "ก็", "e\u0301\u0327", "\u0600a", "\u200d", "க்ஷ")
#: Texts by what they are: identifiers good and bad, and lengths around the limits of the lexicons.
TEXTS: Final = (
    *("", "x", " ", "\0", "é", "e\u0301", _FAMILY_EMOJI, "\r\n", "🇩🇪🇫🇷", "नमस्ते"),
    *("2024-05-06T07:08:09Z", "2024-05-06T07:08:09.123456789Z", "2024-05-06T07:08:09+02:00", "2024-05-06"),
    *("2024-05-06T07:08:09", "2024-02-30T00:00:00Z", "2024-05-06T24:00:00Z", "2024-05-06t07:08:09z"),
    *("2024-05-06 07:08:09Z", "2024-05-06T07:08:60Z", "2024-05-06T07:08:09-00:00", "0000-01-01T00:00:00.000Z"),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "+002024-05-06T07:08:09Z", "2024-5-6T07:08:09Z"),
    *("2024-05-06T07:08Z", "2024-05-06T07:08:09.Z", "1985-04-12T23:20:50.1235678912345Z", "2024-05-06T07:08:09+24:00"),
    *(ALICE, "did:web:example.test", "did:plc", "did:PLC:abc", "did:plc:abc:", "did:method:val%BB", "did:web:a#b"),
    *("alice.test", "Alice.Test", "alice", "alice..test", "-alice.test", "alice.t3st", "alice.3test", "xn--e.test"),
    *(f"at://{ALICE}", f"at://{ALICE}/", f"at://{ALICE}/app.bsky.feed.post", f"at://{ALICE}/app.bsky.feed.post/"),
    *(f"at://{ALICE}/app.bsky.feed.post/a/b", f"at://{ALICE}/post/a", "at://alice.test/a.b.c/self", "at://alice/a.b.c"),
    *(f"at://{ALICE}/a.b.c/..", f"at://{ALICE}/a.b.c/a#x", f"at://{ALICE}/a.b.c/a?q=1", f"AT://{ALICE}", "at://"),
    *(f"at://{ALICE}/a.b.c/~_:.-", f"at://{ALICE}/a.b.c/é", f"at://{ALICE}/a.b.c/" + "x" * 512),
    *(
        "https://example.test",
        "http:",
        "https://",
        "mailto:a@b.test",
        "//x",
        "https://a b",
        "1http://x",
        "x:y",
        "dns:é",
    ),
    *("svn+ssh://x.test", "web+ap://x", "a_b:c", "https://a\u3000b", "https://a\u00a0b", "tel:+1", "a.b:c"),
    *("bafyreib2rxk3rybk3aobmv5cjuql3bm2twh4jo5uxgf5kpqcsgz7soitae", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"),
    *("bafkrei", "zdpuAyvkgEDQm9TenwGkd5eNaosSxjgEYd8QatfPetgB1CdEZ", "not-a-cid"),
    *(
        "en",
        "EN",
        "en-US",
        "pt-br",
        "zh-Hans-CN",
        "x-private",
        "i-klingon",
        "english",
        "e",
        "en_US",
        "en-",
        "de-CH-1996",
    ),
    *("app.bsky.feed.post", "app.bsky", "app.bsky.feed.3post", "App.Bsky.Feed.Post", "app.bsky.feed.po-st", "a.b.c"),
    *("image/png", "image/*", "image", "IMAGE/PNG", "image/svg+xml", "video/mp4", "text/vtt", "*/*", "image/"),
    *("x" * count for count in (20, 21, 24, 25, 50, 51, 64, 65, 100, 101, 128, 129, 240, 241, 256, 257, 300, 301)),
    *("x" * count for count in (500, 640, 641, 2047, 2048, 3000, 3001)),
    *("é" * count for count in (20, 21, 24, 32, 50, 64, 65, 128, 256, 257, 300, 301)),
    *(_FAMILY_EMOJI * count for count in (3, 4, 20, 21, 24, 64, 100, 167, 300)),
    *(text * count for text in _CLUSTERS for count in (20, 21, 24, 25, 50, 51, 64, 65, 128, 256, 300, 301)),
)
NUMBERS: Final = (
    -1,
    0,
    1,
    2,
    2**31,
    1_000_000,
    1_000_001,
    2_000_001,
    300_000_001,
    2**53 - 1,
    2**53,
    -(2**53),
    2**63 - 1,
)
TYPES: Final = (
    *(
        "blob",
        "app.bsky.embed.images",
        "app.bsky.embed.images#main",
        "app.bsky.embed.record",
        "app.bsky.embed.external",
    ),
    *("com.example.unknown", "", "x", "com.atproto.repo.strongRef", "com.atproto.repo.strongRef#main"),
    *("com.atproto.label.defs#selfLabels", "app.bsky.richtext.facet", "app.bsky.embed.gallery#image", f"{FACET}#tag"),
    *("app.bsky.feed.threadgate#listRule", "app.bsky.feed.post#replyRef", "app.bsky.embed.defs#aspectRatio"),
)
LINKS: Final = (DAG_CBOR_PREFIX + bytes(range(32)), blob()["ref"])
OTHERS: Final = (None, True, False, 5, "text", [], {}, b"bytes", ["x"], {"a": 1}, {"$type": "x"}, *LINKS)


def corpus(seed: int, mutations: int) -> Iterator[tuple[str, Record]]:
    """(collection, record), without repetitions: every base, then as many spoilt copies of each as are asked for.

    Some mutations leave a record valid. The `$type` of a record itself is never touched.
    """
    dice = random.Random(seed)
    seen: set[bytes] = set()
    for base in BASES:
        for number in range(mutations + 1):
            record = copy.deepcopy(base)
            for _ in range(0 if number == 0 else 1 + (dice.random() < 0.1)):
                dice.choices(_MUTATIONS, _WEIGHTS)[0](dice, record)
            block = encode(record)
            if block not in seen:
                seen.add(block)
                yield base["$type"], record


def refusal(collection: str, record: Record) -> str:
    """Why our own validation refuses a record, its reason and detail; empty when it is valid."""
    try:
        FAMILIES[collection].read(record, encode(record))
    except InvalidDataError as error:
        return f"{error.reason} {error.detail}"
    return ""


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place within a record, but its `$type`."""
    items: Iterator[tuple[str | int, Any]] = iter(())
    if isinstance(value, dict):
        items = iter(value.items())
    elif isinstance(value, list):
        items = iter(enumerate(value))
    for key, item in items:
        if path or key != "$type":
            yield (*path, key)
            yield from _paths(item, (*path, key))


def _place(dice: random.Random, record: Record, kinds: type | tuple[type, ...] = object) -> tuple[Any, Any] | None:
    """A container and a key in it, whose value is of a kind."""
    found: list[tuple[Any, Any]] = []
    for path in _paths(record):
        holder: Any = record
        for key in path[:-1]:
            holder = holder[key]
        if isinstance(holder[path[-1]], kinds):
            found.append((holder, path[-1]))
    return dice.choice(found) if found else None


def _drop(dice: random.Random, record: Record) -> None:
    if place := _place(dice, record):
        del place[0][place[1]]


def _retype(dice: random.Random, record: Record) -> None:
    if place := _place(dice, record):
        place[0][place[1]] = copy.deepcopy(dice.choice(OTHERS))


def _retext(dice: random.Random, record: Record) -> None:
    if place := _place(dice, record, str):
        place[0][place[1]] = dice.choice(TEXTS)


def _renumber(dice: random.Random, record: Record) -> None:
    if place := _place(dice, record, int):
        place[0][place[1]] = dice.choice(NUMBERS)


def _lengthen(dice: random.Random, record: Record) -> None:
    """An array as long as some limit, or one longer."""
    if place := _place(dice, record, list):
        items = place[0][place[1]]
        count = dice.choice((2, 3, 4, 5, 6, 8, 9, 10, 11, 20, 21, 50, 51, 300, 301, 1000, 1001))
        place[0][place[1]] = (items * count)[:count]


def _type(dice: random.Random, record: Record) -> None:
    """Another `$type` in some map, one where there was none, or none where there was one."""
    if place := _place(dice, record, dict):
        value = place[0][place[1]]
        if "$type" in value and dice.random() < 0.3:
            del value["$type"]
        else:
            value["$type"] = dice.choice(TYPES)


def _respoil_blob(dice: random.Random, record: Record) -> None:
    blobs = [
        (holder, key)
        for holder, key in (_place(dice, record, dict) or (None, None) for _ in range(8))
        if holder is not None and holder[key].get("$type") == "blob"
    ]
    if not blobs:
        return
    holder, key = blobs[0]
    value = holder[key]
    match dice.randrange(6):
        case 0:
            value["mimeType"] = dice.choice(("image/gif", "image/png", "video/mp4", "text/vtt", "text/plain", "", "x"))
        case 1:
            value["size"] = dice.choice(NUMBERS)
        case 2:
            value["ref"] = dice.choice((*LINKS, b"", "x", {"$link": strong_ref()["cid"]}, None))
        case 3:
            value.pop(dice.choice(("ref", "mimeType", "size", "$type")), None)
        case 4:
            value["extra"] = 1
        case _:
            holder[key] = {"cid": dice.choice(("", "x", strong_ref()["cid"])), "mimeType": value["mimeType"]}


def _add(dice: random.Random, record: Record) -> None:
    """A field that no lexicon knows."""
    place = _place(dice, record, dict)
    holder = record if place is None or dice.random() < 0.3 else place[0][place[1]]
    holder["zzUnknown"] = copy.deepcopy(dice.choice(OTHERS))


_MUTATIONS: Final[tuple[Callable[[random.Random, Record], None], ...]] = (
    _drop, _retype, _retext, _renumber, _lengthen, _type, _respoil_blob, _add,
)  # fmt: skip
_WEIGHTS: Final = (15, 22, 35, 7, 7, 7, 5, 2)
