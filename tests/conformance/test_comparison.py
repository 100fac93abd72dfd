"""The harness finds what differs, says where, and forgives only what its document names."""

from typing import Any

import pytest

from tests.conformance.answers import Answer
from tests.conformance.comparison import ABSENT, Difference, differences
from tests.conformance.items import settled
from tests.conformance.questions import Question
from tests.conformance.report import DOCUMENT, Report, chosen_differences

QUESTION = Question("app.bsky.feed.getPosts", (("uris", "at://a/b/c"),))


def found(official: Any, ours: Any) -> list[Difference]:
    return differences(Answer(200, official), Answer(200, ours))


def test_equal_answers_have_no_differences():
    body = {"posts": [{"uri": "at://a/b/c", "likeCount": 1}]}
    assert found(body, body) == []


@pytest.mark.parametrize(
    ("official", "ours", "expected"),
    [
        ({"a": 1}, {"a": 2}, Difference("a", 1, 2)),
        ({"a": 1}, {"a": True}, Difference("a", 1, True)),
        ({"a": 1}, {}, Difference("a", 1, ABSENT)),
        ({}, {"a": None}, Difference("a", ABSENT, None)),
        ({"a": [1, 2]}, {"a": [1]}, Difference("a[]", 2, ABSENT)),
        ({"e": {"$type": "x", "b": 1}}, {"e": {"$type": "y"}}, Difference("e.$type", "x", "y")),
        ({"p": [{"uri": "x", "n": 1}]}, {"p": [{"uri": "x", "n": 2}]}, Difference("p[].n", 1, 2)),
        ({"p": [{"uri": "x"}]}, {"p": []}, Difference("p[]", {"uri": "x"}, ABSENT)),
        (
            {"p": [{"uri": "x"}, {"uri": "y"}]},
            {"p": [{"uri": "y"}, {"uri": "x"}]},
            Difference("p[order]", ["x", "y"], ["y", "x"]),
        ),
    ],
)
def test_a_difference_is_named_by_its_path(official: Any, ours: Any, expected: Difference):
    assert found(official, ours) == [expected]


def test_an_item_that_is_missing_does_not_make_those_after_it_differ():
    official = {"p": [{"uri": name, "text": name} for name in "xyz"]}
    ours = {"p": official["p"][1:]}
    assert [difference.path for difference in found(official, ours)] == ["p[]"]


def test_a_refusal_differs_from_an_answer():
    official = Answer(400, {"error": "NotFound"})
    assert differences(official, Answer(200, {})) == [Difference("(status)", "400 NotFound", "200")]
    assert differences(official, Answer(400, {"error": "InvalidRequest"})) == [
        Difference("error", "NotFound", "InvalidRequest")
    ]


def test_a_header_that_a_browser_misses_is_a_difference():
    official = Answer(200, {}, {"access-control-allow-origin": "*"})
    assert differences(official, Answer(200, {})) == [Difference("(headers).access-control-allow-origin", "*", ABSENT)]


def test_items_of_one_moment_have_no_order_and_all_others_have():
    def item(uri: str, minute: int) -> dict[str, Any]:
        return {"post": {"uri": uri, "indexedAt": f"2026-01-01T00:{minute:02}:00.000Z"}}

    one, other, earlier = item("b", 2), item("a", 2), item("c", 1)
    assert list(settled([one, other, earlier])) == list(settled([other, one, earlier])) == [other, one, earlier]
    assert list(settled([earlier, one])) == [earlier, one]
    assert list(settled([{"uri": "b"}, {"uri": "a"}])) == [{"uri": "b"}, {"uri": "a"}]


def test_only_differences_that_the_document_names_are_forgiven():
    report = Report(chosen_differences("| `app.bsky.feed.*` | `posts[].a` | because |"))
    report.add(QUESTION, [Difference("posts[].a", 1, 2)])
    assert report.unlisted() == {}
    report.add(QUESTION, [Difference("posts[].ab", 1, 2)])
    assert report.unlisted() == {QUESTION.method: ["posts[].ab"]}


def test_a_named_difference_that_no_longer_occurs_is_told():
    chosen = chosen_differences("| `app.bsky.feed.*` | `posts[].a` | because |")
    report = Report(chosen)
    report.add(QUESTION, [])
    assert report.outlived() == chosen


def test_every_row_of_the_document_is_read():
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(chosen_differences(text)) == len(rows)
