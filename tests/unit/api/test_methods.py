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


@pytest.mark.parametrize("query", [b"", b"&&", b"uris=&uris", b"=nothing"])
def test_what_is_empty_is_not_given(query: bytes):
    assert "uris" not in given_texts(query)
