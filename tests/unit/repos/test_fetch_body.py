"""A download's body: the same bytes from memory and from disk, and a view that outlives its body."""

import pytest

from zeppelin_pipeline.repos.fetch_body import SpooledBody


@pytest.mark.parametrize("memory_bytes", [0, 5, 9, 10, 1000])
def test_the_bytes_are_the_same_wherever_they_are_kept(memory_bytes: int) -> None:
    with SpooledBody(memory_bytes) as body:
        for chunk in (b"abc", b"defg", b"", b"hij"):
            body.write(chunk)
        assert bytes(body.view()) == bytes(body.view()) == b"abcdefghij"
        assert body.size_bytes == 10


@pytest.mark.parametrize("memory_bytes", [0, 1000])
def test_a_view_outlives_its_body(memory_bytes: int) -> None:
    with SpooledBody(memory_bytes) as body:
        body.write(b"abc")
        view = body.view()
    assert bytes(view) == b"abc"


def test_an_empty_body_is_empty() -> None:
    with SpooledBody(0) as body:
        assert bytes(body.view()) == b""
