"""Which runs the dirty ranges need."""

from datetime import UTC, datetime, timedelta

from zeppelin_pipeline.defs.refreshing import DirtySpan, dirty_spans
from zeppelin_pipeline.warehouse.dirty_ranges import DirtyRange
from zeppelin_pipeline.warehouse.key_ranges import range_names

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def dirty(aggregate: str, *names: str) -> list[DirtyRange]:
    return [DirtyRange(aggregate, name, NOON + timedelta(seconds=number), 1) for number, name in enumerate(names)]


def test_neighbours_are_one_span_with_their_oldest_mark():
    spans = dirty_spans([*dirty("post_counts", "09", "08", "0a", "3f"), *dirty("actor_counts", "0b")])
    assert spans == [
        DirtySpan("actor_counts", "0b", "0b", NOON),
        DirtySpan("post_counts", "08", "0a", NOON),
        DirtySpan("post_counts", "3f", "3f", NOON + timedelta(seconds=3)),
    ]


def test_no_span_is_longer_than_a_run_takes():
    spans = dirty_spans(dirty("violations", *range_names()), limit=16)
    assert [(span.first, span.last) for span in spans] == [("00", "0f"), ("10", "1f"), ("20", "2f"), ("30", "3f")]


def test_the_same_marks_have_the_same_key_and_newer_ones_another():
    [first] = dirty_spans(dirty("post_counts", "08"))
    [again] = dirty_spans(dirty("post_counts", "08"))
    [newer] = dirty_spans([DirtyRange("post_counts", "08", NOON + timedelta(hours=1), 1)])
    assert first.run_key == again.run_key != newer.run_key
