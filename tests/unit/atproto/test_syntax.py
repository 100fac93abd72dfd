"""String formats by the published examples, and what the examples leave open."""

from collections.abc import Callable

import pytest

from tests.vectors.syntax_cases import BY_FORMAT
from zeppelin_pipeline.atproto import syntax
from zeppelin_pipeline.atproto.syntax import AtUri
from zeppelin_pipeline.errors import InvalidDataError

CHECKS: dict[str, Callable[[str], bool]] = {
    "at-identifier": syntax.is_at_identifier,
    "at-uri": syntax.is_at_uri,
    "cid": syntax.is_cid,
    "datetime": syntax.is_datetime,
    "did": syntax.is_did,
    "handle": syntax.is_handle,
    "language": syntax.is_language,
    "nsid": syntax.is_nsid,
    "record-key": syntax.is_record_key,
    "tid": syntax.is_tid,
    "uri": syntax.is_uri,
}
VALID = [(name, text) for name, cases in BY_FORMAT.items() for text in cases.valid]
INVALID = [(name, text) for name, cases in BY_FORMAT.items() for text in (*cases.invalid, *cases.meaningless)]


def test_every_format_has_its_examples() -> None:
    assert BY_FORMAT.keys() == CHECKS.keys()
    assert all(len(cases.valid) > 2 and len(cases.invalid) > 2 for cases in BY_FORMAT.values())


@pytest.mark.parametrize(("name", "text"), VALID)
def test_a_valid_example_is_taken(name: str, text: str) -> None:
    assert CHECKS[name](text)


@pytest.mark.parametrize(("name", "text"), INVALID)
def test_an_invalid_example_is_refused(name: str, text: str) -> None:
    assert not CHECKS[name](text)


@pytest.mark.parametrize("name", CHECKS)
def test_no_format_takes_the_empty_text_or_a_line_break_at_the_end(name: str) -> None:
    assert not CHECKS[name]("")
    for text in BY_FORMAT[name].valid:
        assert not CHECKS[name](text + "\n")


@pytest.mark.parametrize("name", CHECKS)
def test_a_hostile_text_of_a_megabyte_is_refused_at_once(name: str) -> None:
    for text in ("a" * 1_000_000, "a-" * 500_000, "a." * 500_000, "at://" + "a." * 500_000, "en" + "-abcde" * 200_000):
        assert not CHECKS[name](text)


def test_an_at_uri_is_taken_apart() -> None:
    assert syntax.parse_at_uri("at://did:plc:abc/app.bsky.feed.post/3jzfcijpj2z2a") == AtUri(
        "did:plc:abc", "app.bsky.feed.post", "3jzfcijpj2z2a"
    )
    assert syntax.parse_at_uri("at://did:plc:abc/app.bsky.feed.post") == AtUri("did:plc:abc", "app.bsky.feed.post")
    assert syntax.parse_at_uri("at://alice.test") == AtUri("alice.test")


@pytest.mark.parametrize("text", BY_FORMAT["at-uri"].invalid)
def test_what_is_no_at_uri_is_refused_with_its_reason(text: str) -> None:
    with pytest.raises(InvalidDataError) as caught:
        syntax.parse_at_uri(text)
    assert caught.value.reason == "at-uri-syntax"


def test_a_nsid_has_at_most_317_characters() -> None:
    assert syntax.is_nsid("com" + ".b" * 125 + "." + "n" * 63)
    assert syntax.is_nsid("com" + ".b" * 126 + "bb" + "." + "n" * 59)
    assert not syntax.is_nsid("com" + ".b" * 126 + "bb" + "." + "n" * 60)
