"""What a consumer tells of itself: how long after their emission events were committed."""

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from zeppelin_pipeline.firehose.rates import Meter, lag_quantile


def test_of_no_events_there_is_no_lag():
    assert lag_quantile({}, 0.5) is None


def test_a_share_of_events_was_not_slower_than_its_quantile():
    lags = {0: 50, 10: 48, 500: 2}
    assert [lag_quantile(lags, share) for share in (0.5, 0.98, 0.99)] == pytest.approx([0.01, 0.11, 5.01])


def test_a_report_tells_the_lags_since_the_last_one():
    meter = Meter()
    now_micros = time.time_ns() // 1000
    emitted = now_micros - np.array([20_000_000, 20_000_000, 0, -5_000_000])
    meter.note_applied(datetime.now(UTC), emitted)
    lags = meter.report(queued=0, connections=1, is_spooling=False).lags
    assert sum(lags.values()) == 4
    assert lag_quantile(lags, 1.0) == pytest.approx(20, abs=2)
    assert not meter.report(queued=0, connections=1, is_spooling=False).lags


def test_the_lag_grows_while_nothing_comes():
    meter = Meter()
    meter.note_applied(datetime.now(UTC) - timedelta(hours=1), np.array([0]))
    assert meter.report(queued=0, connections=1, is_spooling=False).lag_seconds == pytest.approx(3600, abs=5)
