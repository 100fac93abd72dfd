"""How the parameters of a method are read."""

from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeppelin_api.methods import given_texts

PARTS = st.sampled_from(
    ["a", "b", "=", "&", "+", "%", "%20", "%C3%A9", "%e2%82", "%3A", "%2F", "3A", "%25", "é", "\xc3", ";", "%zz", "%00"]
)


@given(st.lists(PARTS, max_size=12).map("".join))
def test_parameters_are_read_as_the_standard_library_reads_them(query: str):
    assert given_texts(query.encode("latin-1")) == parse_qs(query)


@pytest.mark.parametrize("query", [b"uris[]=a&uris[1]=b", b"uris%5B%5D=a&uris=b", b"uris=a&uris[]=b"])
def test_a_list_may_be_written_with_brackets(query: bytes):
    assert given_texts(query) == {"uris": ["a", "b"]}


@pytest.mark.parametrize("query", [b"uris[a]=x", b"uris[=x", b"uris]=x"])
def test_other_brackets_are_part_of_a_name(query: bytes):
    assert "uris" not in given_texts(query)


@pytest.mark.parametrize("query", [b"", b"&&", b"uris=&uris", b"=nothing"])
def test_what_is_empty_is_not_given(query: bytes):
    assert "uris" not in given_texts(query)
