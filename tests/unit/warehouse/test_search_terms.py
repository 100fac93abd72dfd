"""Texts to the terms by which they are found."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from zeppelin_pipeline.warehouse.search_terms import (
    domain_term,
    found_words,
    handle_words,
    name_terms,
    post_terms,
    tag_term,
    term_numbers,
    words_of,
)


def test_words_have_no_case_and_no_width():
    assert words_of("Don't STOP, Straße \uff21\uff22\uff23_x 42!") == ["don't", "stop", "strasse", "abc", "x", "42"]


def test_scripts_without_spaces_are_cut_into_pairs():
    assert words_of("I ♥ 東京都 and 猫") == ["i", "東京", "京都", "and", "猫"]


def test_an_ideograph_is_found_alone():
    assert found_words("\u9ed2\u732b\u3060") == {"\u9ed2\u732b", "\u732b\u3060", "\u9ed2", "\u732b"}
    assert "w:\u732b" in post_terms("did:plc:alice", {"text": "\u9ed2\u732b"})


def test_words_have_no_accents_and_one_apostrophe_in_whatever_way_they_are_written():
    for form in ("NFC", "NFD"):
        assert words_of(unicodedata.normalize(form, "CAF\u00c9 \u0130stanbul \u0451\u043b\u043a\u0430 \u03ac")) == [
            "cafe",
            "istanbul",
            "\u0435\u043b\u043a\u0430",
            "\u03b1",
        ]
    assert words_of("don\u2019t") == words_of("don't") == ["don't"]


def test_words_keep_their_combining_marks_and_pictures_are_no_words():
    assert words_of("\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902") == [
        "\u0939\u093f\u0928\u094d\u0926\u0940",
        "\u092e\u0947\u0902",
    ]
    pointed = unicodedata.normalize("NFKC", "\u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f")
    assert words_of(pointed) == [pointed]
    assert words_of("ok \u2764\ufe0f 1\ufe0f\u20e3 don't \u0301") == ["ok", "1", "don't"]


def test_a_post_is_found_by_all_that_it_says_and_names():
    facets = [
        {"features": [{"$type": "app.bsky.richtext.facet#mention", "did": "did:plc:bob"}]},
        {"features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "ATProto"}]},
        {"features": [{"$type": "app.bsky.richtext.facet#link", "uri": "https://www.news.example.com/a"}]},
    ]
    card = {"$type": "app.bsky.embed.external", "external": {"uri": "https://card.test/"}}
    record = {"text": "Hello", "langs": ["pt-BR"], "tags": ["Aside"], "facets": facets, "embed": {"media": card}}

    terms = post_terms("did:plc:alice", record)

    assert {"a:did:plc:alice", "w:hello", "m:did:plc:bob", "l:pt-br", "l:pt"} <= terms
    assert {tag_term("#atproto"), tag_term("aside"), "u:https://card.test/", "d:card.test"} <= terms
    assert {domain_term("example.com"), domain_term("www.news.example.com")} <= terms
    assert domain_term("com") not in terms


def test_names_are_found_by_beginnings_of_their_words():
    assert handle_words("alice-b.bsky.social") == ["alice", "b"]
    assert handle_words("news.example.com") == ["news", "example"]
    assert handle_words("a.news.bsky.social") == ["a", "news", "bsky"]
    assert name_terms(6, ["abc", "a"]) == {"6:a", "6:ab", "6:abc"}
    assert max(map(len, name_terms(6, ["a" * 50]))) == len("6:") + 12


@given(st.text(st.characters(max_codepoint=127)) | st.text("a'_9 B-"))
def test_words_of_ascii_are_what_they_are_beside_other_letters(text: str):
    assert [*words_of(text), "\u03b1"] == words_of(f"{text} \u03b1")


_FIELDS = st.sampled_from(["text", "langs", "tags", "facets", "embed", "features", "did", "uri", "tag", "external"])
_VALUES = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(_FIELDS, inner)
)


@given(st.dictionaries(_FIELDS, _VALUES))
def test_any_record_has_terms_that_fit_into_the_table(record: dict[str, object]):
    numbers = term_numbers(post_terms("did:plc:alice", record))

    assert 1 <= len(numbers) <= 1000
    assert all(-(1 << 31) <= number < 1 << 31 for number in numbers)
