"""The official validator as the arbiter of ours: thousands of records, and every difference of verdicts named.

Ours reads what a repository holds, so it differs where the data model asks readers to be lenient, or the warehouse
cannot hold what is valid. A record that we refuse is kept whole all the same.
"""

import base64
from collections import Counter
from typing import Any, Final

import pytest

from tests.network.node import install_packages, run_node
from tests.record_corpus import Difference, corpus, refusal
from zeppelin_pipeline.atproto.dag_cbor import encode

#: Of which the first run, that installs the packages, takes most.
SETUP_SECONDS: Final = 900
pytestmark = [pytest.mark.network, pytest.mark.timeout(SETUP_SECONDS)]

SEED, MUTATIONS = 20_261_123, 1300
TIMEOUT_SECONDS: Final = 300
VALID: Final = "^valid$"


DIFFERENCES: Final = (
    Difference(
        "blobs of the form of 2022 and 2023, {cid, mimeType}, are valid to us, as the data model asks of readers",
        "^$",
        r'Expected blob value type \(got \{"cid": \.\.\., "mimeType": \.\.\.\}\)',
    ),
    Difference(
        "once decoded we cannot tell a link from bytes that spell a CID", "^$", r"Expected bytes value type \(got cid\)"
    ),
    Difference(
        "a time must be of the calendar and of the years that the warehouse holds; the official one takes 30 February",
        r"^created-at-invalid '(2024-02-30T|0000-)",
        VALID,
    ),
    Difference("a URI's scheme begins with a letter, as RFC 3986 says", r"^\S+-not-a-uri '1http://x'", VALID),
    Difference(
        "a URI's scheme may hold +, - and . as RFC 3986 says",
        "^$",
        r'Invalid uri \(got "(svn\+ssh://x\.test|web\+ap://x|a\.b:c)"\)',
    ),
    Difference("a URI's scheme holds no underscore, as RFC 3986 says", r"^\S+-not-a-uri 'a_b:c'", VALID),
)


def official_verdicts(records: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """`valid`, or `invalid` and why, of each record."""
    lines = (f"{collection} {base64.b64encode(encode(record)).decode()}" for collection, record in records)
    printed = run_node("verdicts.mjs", timeout_seconds=TIMEOUT_SECONDS, standard_input="\n".join(lines))
    return printed.rstrip("\n").split("\n")


def test_verdicts_differ_from_the_official_ones_only_where_it_is_known_why() -> None:
    install_packages()
    records = list(corpus(SEED, MUTATIONS))
    verdicts: Counter[str] = Counter()
    unexplained: list[tuple[str, str]] = []
    for (collection, record), theirs in zip(records, official_verdicts(records), strict=True):
        ours = refusal(collection, record)
        if (ours == "") == (theirs == "valid"):
            verdicts[theirs.partition(" ")[0]] += 1
            continue
        reasons = [difference.why for difference in DIFFERENCES if difference.explains(ours, theirs)]
        verdicts.update(reasons[:1])
        if not reasons:
            unexplained.append((ours, theirs))
    assert unexplained == []
    assert min(verdicts["valid"], verdicts["invalid"]) > 5000
    assert {difference.why for difference in DIFFERENCES} <= verdicts.keys()
