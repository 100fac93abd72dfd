"""Texts of searches to what is asked for."""

from datetime import UTC, datetime

import pytest

from zeppelin_api.errors import ApiError
from zeppelin_api.post_queries import read_query


def test_a_query_is_cut_into_words_phrases_tags_and_operators():
    parts = read_query(
        'big "Red Cat" #Tag from:alice.test mentions:@bob.test lang:en domain:www.a.test since:2024-01-02'
    )

    assert parts.terms == {"w:big", "w:red", "w:cat", "t:tag", "l:en", "d:a.test"}
    assert parts.phrases == [("red", "cat")]
    assert (parts.authors, parts.mentions) == ({"alice.test"}, {"bob.test"})
    assert parts.since == datetime(2024, 1, 2, tzinfo=UTC)


def test_tags_end_before_what_follows_them_and_telephones_quote_in_their_own_way():
    parts = read_query('#cats, (#1) \u201cred cat\u201d \u201eone\u201f "big #dogs!')

    assert parts.terms == {"t:cats", "w:1", "w:red", "w:cat", "w:one", "w:big", "t:dogs"}
    assert parts.phrases == [("red", "cat")]


def test_an_account_is_named_by_its_did_alone():
    assert read_query("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa hi").authors == {"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"}


def test_what_is_no_operator_is_words():
    assert read_query("note: https://x.test 12:30").terms == {"w:note", "w:https", "w:x", "w:test", "w:12", "w:30"}


@pytest.mark.parametrize(
    ("text", "is_for_nothing"),
    [("\N{SMILING FACE WITH SUNGLASSES}", True), ("!?", True), ('"…"', True), ("*", False), (" ", False)],
)
def test_signs_alone_are_found_nowhere(text: str, is_for_nothing: bool):
    assert bool(read_query(text).terms) is is_for_nothing


def test_a_time_that_is_none_is_refused():
    with pytest.raises(ApiError, match="BadQueryString"):
        read_query("until:tomorrow")
