"""Paging by cursors: the end is an answer, never a failure; circles are found."""

import pytest

from tests.fakes.http_host import Reply, Request, json_reply, serving
from zeppelin_pipeline.errors import UpstreamError
from zeppelin_pipeline.hosts.client import ClientSettings, HostClients
from zeppelin_pipeline.hosts.limits import RetryPolicy
from zeppelin_pipeline.hosts.paging import CursorTrail, next_page


def test_the_trail_ends_where_no_cursor_is_given() -> None:
    trail = CursorTrail()
    assert trail.advance({"items": [1, 2], "cursor": "a"}, "items") == [1, 2]
    assert trail.cursor == "a"
    assert trail.advance({"items": []}, "items") == []
    assert trail.cursor is None


@pytest.mark.parametrize("cursor", ["", None])
def test_an_empty_cursor_is_an_end(cursor: str | None) -> None:
    trail = CursorTrail("a")
    trail.advance({"items": [], "cursor": cursor}, "items")
    assert trail.cursor is None


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"items": None}, {"items": {}}, {"items": [], "cursor": 7}, {"items": [], "cursor": "x" * 5000}],
)
def test_a_page_that_is_none_moves_nothing(body: object) -> None:
    trail = CursorTrail("a")
    with pytest.raises(UpstreamError) as caught:
        trail.advance(body, "items")
    assert (caught.value.reason, caught.value.is_transient) == ("upstream-malformed", True)
    assert trail.cursor == "a"


@pytest.mark.parametrize("length", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("lead", [0, 1, 5, 33])
def test_a_circle_of_any_length_is_found_soon(length: int, lead: int) -> None:
    def walk() -> None:
        trail = CursorTrail()
        for page in range(1000):
            number = page if page < lead else lead + (page - lead) % length
            trail.advance({"items": [], "cursor": f"c{number}"}, "items")

    with pytest.raises(UpstreamError, match="cursor-loop"):
        walk()


def test_a_long_straight_way_is_no_circle() -> None:
    trail = CursorTrail()
    for page in range(5000):
        trail.advance({"items": [], "cursor": f"c{page}"}, "items")
    assert trail.cursor == "c4999"


async def test_a_malformed_page_is_asked_for_again() -> None:
    replies = [json_reply({"cursor": "b"}), Reply(b"<html>"), json_reply({"items": [1], "cursor": "b"})]
    settings = ClientSettings(allow_private=True, retry=RetryPolicy(attempts=3, base_seconds=0.001))
    seen: list[Request] = []

    def answer(request: Request) -> Reply:
        seen.append(request)
        return replies.pop(0)

    async with serving(answer) as host, HostClients(settings) as clients:
        trail = CursorTrail("a")
        assert await next_page(clients.client(host.host), "com.example.list", "items", trail) == [1]
    assert trail.cursor == "b"
    assert [request.query for request in seen] == [{"limit": "1000", "cursor": "a"}] * 3
