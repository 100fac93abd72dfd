"""What is concluded of our own clock from the times of others, and who can bend it how far."""

from collections.abc import Iterable

import pyarrow as pa
import pytest

from tests.fakes.live_messages import DID, KEY, NOW_MICROS, LiveAccount, frame_of, key_of, record_of
from zeppelin_pipeline.atproto.datetimes import format_datetime
from zeppelin_pipeline.firehose import events
from zeppelin_pipeline.firehose.batches import sort_events
from zeppelin_pipeline.firehose.events import table_of
from zeppelin_pipeline.firehose.network_clock import MOST_BEHIND_MICROS, NetworkClock
from zeppelin_pipeline.firehose.verify_frames import verify_frames

MINUTE = 60_000_000


def events_of(ahead_micros: Iterable[int | None], prefix: str = "did:plc:a") -> pa.Table:
    """An event of each of so many accounts, so much ahead of our clock; of null, without a time."""
    micros = [None if ahead is None else NOW_MICROS + ahead for ahead in ahead_micros]
    return pa.table({"did": [f"{prefix}{n}" for n in range(len(micros))], "micros": pa.array(micros, pa.int64())})


@pytest.fixture
def clock() -> NetworkClock:
    return NetworkClock()


def test_a_clock_that_is_right_is_behind_nobody(clock: NetworkClock):
    clock.observe(events_of([-300_000] * 100), NOW_MICROS)
    assert clock.behind_micros == 0


def test_a_clock_is_as_far_behind_as_half_of_the_accounts_say(clock: NetworkClock):
    clock.observe(events_of([10 * MINUTE] * 60 + [-MINUTE] * 40 + [None] * 9), NOW_MICROS)
    assert clock.behind_micros == clock.allowed_micros == 10 * MINUTE


def test_a_few_accounts_prove_nothing_however_often_they_say_it(clock: NetworkClock):
    for _ in range(50):
        clock.observe(events_of([10 * MINUTE] * 19), NOW_MICROS)
    assert clock.behind_micros == 0


def test_what_is_allowed_for_is_bounded_and_what_is_told_is_not(clock: NetworkClock):
    clock.observe(events_of([2 * MOST_BEHIND_MICROS] * 50), NOW_MICROS)
    assert (clock.behind_micros, clock.allowed_micros) == (2 * MOST_BEHIND_MICROS, MOST_BEHIND_MICROS)


def test_who_spoke_last_counts_and_memory_has_a_bound(clock: NetworkClock):
    clock.observe(events_of([10 * MINUTE] * 5_000), NOW_MICROS)
    clock.observe(events_of([0] * 256, prefix="did:plc:b"), NOW_MICROS)
    assert clock.behind_micros == 0


def test_commits_that_are_refused_for_their_time_are_what_tells_it(clock: NetworkClock):
    account = LiveAccount()
    account.commit({key_of(1): record_of(1)})
    ahead = NOW_MICROS + 10 * MINUTE
    commit = account.commit({key_of(2): record_of(2)}, rev=ahead << 10)
    frame = frame_of("#commit", commit | {"time": format_datetime(ahead)})

    (verdict,) = verify_frames([frame], lambda _dids: {DID: KEY.public_key}, NOW_MICROS)
    assert (verdict.kind, verdict.reason) == (events.REJECTED, "rev-in-future")
    refused = table_of([verdict])
    assert sort_events(refused, NOW_MICROS).suspect == {DID: "rev-in-future"}, "it is fetched when its time has come"
    (micros,) = refused["micros"].to_pylist()
    clock.observe(events_of([micros - NOW_MICROS] * 20), NOW_MICROS)

    (verdict,) = verify_frames([frame], lambda _dids: {DID: KEY.public_key}, NOW_MICROS + clock.allowed_micros)
    assert verdict.kind == events.COMMIT
