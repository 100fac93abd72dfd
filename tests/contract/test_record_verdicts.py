"""Which records are valid: our verdicts beside those of `lexrpc`, an independent validator with the published lexicons.

It is laxer than the official validator in places, and stricter in others; each lasting difference is named below, and
nothing else may differ. What is right is settled by the official one, in `tests/network/test_official_validator.py`.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest
from lexrpc.base import Base, ValidationError
from multiformats import CID

from tests.record_corpus import BASES, Difference, corpus, refusal
from zeppelin_pipeline.atproto.cid import is_cid_bytes
from zeppelin_pipeline.records.registry import FAMILIES

SEED, MUTATIONS = 20_261_123, 130
VALID: Final = "^$"


DIFFERENCES: Final = (
    Difference(
        "it does not look into blobs",
        r"^\S*(image|thumb|avatar|banner|video|caption)-(not-a-blob|media-type|too-large|size-)",
        VALID,
    ),
    Difference(
        "it does not look at the $type of what is no member of a union",
        r"^\S+-type-mismatch |^\S+-not-strong-ref <class 'dict'>",
        VALID,
    ),
    Difference("its integers may be larger than a double can hold exactly", r"^\S+-out-of-range \d{16,}", VALID),
    Difference("its CIDs are any letters and digits", r"^\S+-cid-invalid ", VALID),
    Difference("its unions take a text for a member", r"^\S+-without-type <class 'str'>", VALID),
    Difference(
        "its times may lack seconds, be of no calendar's day, or have offsets that RFC 3339 forbids",
        r"^created-at-invalid '(\d{4}-\d\d-\d\dT\d\d:\d\d[^:]|\d{4}-02-30|.*[+-]24:00'|.*-00:00')",
        VALID,
    ),
    Difference("its URIs may hold white space other than U+0020", r"^\S+-not-a-uri .*\\u3000|\\xa0", VALID),
    Difference(
        "it holds a text with a list of known values to be one of them, when it is the name of a type",
        VALID,
        r"is not (com\.atproto\.label\.defs#labelValue|com\.atproto\.moderation\.defs#)",
    ),
    Difference(
        "it validates a union's member of any type that some lexicon has, where the union does not know it",
        VALID,
        r"union \w+ with value .*(missing|unexpected|is (longer|lower|not|invalid))",
    ),
    Difference("it tells a link from bytes, which we cannot once decoded", VALID, r"unexpected type CID"),
)


@pytest.fixture(scope="module")
def other() -> Iterator[Base]:
    logging.getLogger("lexrpc").setLevel(logging.CRITICAL)
    yield Base()
    logging.getLogger("lexrpc").setLevel(logging.NOTSET)


def their_refusal(other: Base, collection: str, record: dict[str, Any]) -> str:
    """Its message; empty when valid. Some values of a wrong type break it, which is a refusal too."""
    try:
        other.validate(collection, "record", with_links(record))
    except (ValidationError, AttributeError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def with_links(value: Any) -> Any:
    """The record with links as objects, as the other validator has them."""
    if isinstance(value, dict):
        return {key: with_links(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_links(item) for item in value]
    return CID.decode(value) if isinstance(value, bytes) and is_cid_bytes(value) else value


def test_every_family_is_in_the_corpus():
    assert {base["$type"] for base in BASES} == set(FAMILIES)


def test_verdicts_differ_from_an_independent_validators_only_where_it_is_known_why(other: Base):
    verdicts: Counter[str] = Counter()
    unexplained: list[tuple[str, str]] = []
    for collection, record in corpus(SEED, MUTATIONS):
        ours, theirs = refusal(collection, record), their_refusal(other, collection, record)
        if bool(ours) == bool(theirs):
            verdicts["both refuse" if ours else "both accept"] += 1
            continue
        reasons = [difference.why for difference in DIFFERENCES if difference.explains(ours, theirs)]
        verdicts.update(reasons[:1])
        if not reasons:
            unexplained.append((ours, theirs))
    assert unexplained == []
    assert {difference.why for difference in DIFFERENCES} <= verdicts.keys()
    assert min(verdicts["both refuse"], verdicts["both accept"]) > 500
    assert verdicts.total() > 2500
