"""Gaps of a stream, however its events are cut into batches."""

import time

from zeppelin_pipeline.atproto.frames import encode_frame
from zeppelin_pipeline.firehose.batches import EventBatch, sort_events
from zeppelin_pipeline.firehose.events import table_of
from zeppelin_pipeline.firehose.frame_queue import Outdated
from zeppelin_pipeline.firehose.gaps import Gap, GapFinder
from zeppelin_pipeline.firehose.verify_frames import verify_frames

BROKEN = b"\xff"
OUTDATED = Outdated(5, "outdated-cursor")


def batch(*frames: int | bytes) -> EventBatch:
    """A batch of events with these numbers, and of what cannot be read."""
    now_micros = time.time_ns() // 1000
    encoded = [
        each
        if isinstance(each, bytes)
        else encode_frame(1, "#account", {"seq": each, "did": "did:plc:" + "a" * 24, "active": True, "time": ""})
        for each in frames
    ]
    return sort_events(table_of(verify_frames(encoded, lambda _dids: {}, now_micros)), now_micros)


def test_events_one_behind_the_other_have_no_gap():
    gaps = GapFinder(5)
    assert [gaps.find(None, each) for each in (batch(6, 7), batch(), batch(9))] == [None, None, None]


def test_what_the_relay_lost_ends_at_the_next_event_whenever_that_comes():
    gaps = GapFinder(5)
    assert gaps.find(OUTDATED, batch(100)) == Gap(5, 100, "outdated-cursor")

    quiet = GapFinder(5)
    assert quiet.find(OUTDATED, batch()) is None
    assert quiet.find(None, batch(100, 101)) == Gap(5, 100, "outdated-cursor")
    assert quiet.find(None, batch(102)) is None


def test_a_frame_that_cannot_be_read_is_a_gap_though_it_comes_alone():
    gaps = GapFinder(5)
    assert gaps.find(None, batch(6, BROKEN, 8)) == Gap(5, 9, "frame-broken")
    assert gaps.find(None, batch(BROKEN)) is None
    assert gaps.find(None, batch(10)) == Gap(8, 10, "frame-broken")


def test_what_is_lost_before_a_batch_and_within_it_is_one_gap():
    assert GapFinder(5).find(OUTDATED, batch(100, BROKEN, 102)) == Gap(5, 103, "outdated-cursor")
