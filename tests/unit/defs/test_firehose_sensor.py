"""When a relay gets another run, and when its lag is a matter for people."""

import json
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from zeppelin_pipeline.defs.code_location import build_resources
from zeppelin_pipeline.defs.firehose import follow_firehose, growing_lags, keep_firehose
from zeppelin_pipeline.defs.supervision import FOLLOWED_TAG, needs_run
from zeppelin_pipeline.firehose.status import StreamStatus
from zeppelin_pipeline.firehose.stream import ENDPOINT
from zeppelin_pipeline.settings import Settings

RELAYS = ("https://one.example.com", "https://two.example.com")


def tick(instance: dg.DagsterInstance, cursor: str | None = None, **given: Any) -> Any:
    settings = Settings.load(postgres_url="postgresql://nobody@127.0.0.1/none", firehose_relays=RELAYS, **given)
    resources = {"firehose_settings": build_resources(settings)["firehose_settings"]}
    context = dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources)
    return keep_firehose(context)


def make_run(instance: dg.DagsterInstance, relay: str, status: dg.DagsterRunStatus) -> None:
    config = {"ops": {"follow_relay": {"config": {"relay": relay}}}}
    instance.create_run_for_job(follow_firehose, run_config=config, status=status, tags={FOLLOWED_TAG: relay})


@pytest.mark.parametrize(
    ("ages", "expected"),
    [
        ([], True),
        ([10.0], False),
        ([1139.0], False),
        ([1140.0], True),
        ([1150.0, 5.0], False),
        ([1300.0, 1140.0], False),
    ],
)
def test_a_relay_needs_a_run_when_it_has_none_or_one_that_is_about_to_end(ages: list[float], expected: bool) -> None:
    assert needs_run(ages, 1200.0) is expected


def test_a_short_run_is_half_over_before_the_next_begins() -> None:
    assert not needs_run([10.0], 30.0)
    assert needs_run([15.0], 30.0)


def test_each_relay_gets_a_run_whose_key_was_never_used() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = tick(instance, json.dumps({RELAYS[0]: 7}))
        assert [request.run_key for request in result.run_requests] == [
            f"firehose-{RELAYS[0]}-8",
            f"firehose-{RELAYS[1]}-1",
        ]
        assert [request.tags[FOLLOWED_TAG] for request in result.run_requests] == list(RELAYS)
        config = result.run_requests[0].run_config["ops"]["follow_relay"]["config"]
        assert config == {"relay": RELAYS[0], "seconds": 1200.0}


def test_a_relay_that_is_followed_gets_no_other_run() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for relay in RELAYS:
            make_run(instance, relay, dg.DagsterRunStatus.STARTED)
        assert isinstance(tick(instance), dg.SkipReason)


def test_a_run_that_died_is_replaced() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.SUCCESS):
            make_run(instance, RELAYS[0], status)
        assert len(tick(instance).run_requests) == 2


def test_nothing_is_started_when_it_is_switched_off() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert isinstance(tick(instance, firehose_enabled=False), dg.SkipReason)


def stand(relay: str, lag_seconds: float, silent_seconds: float = 0.0) -> StreamStatus:
    now = datetime.now(UTC)
    return StreamStatus(relay, ENDPOINT, 1, 1, now, now, lag_seconds, silent_seconds, 0, 0, 0, 0)


def test_a_lag_is_told_when_it_is_large_and_grows() -> None:
    streams = [stand(*each) for each in (("small", 5.0), ("falling", 90.0), ("growing", 90.0), ("new", 90.0))]
    before = {"small": 1.0, "falling": 100.0, "growing": 80.0}
    assert growing_lags(streams, before, 60.0, 300.0) == {"growing": "90 s behind", "new": "90 s behind"}


def test_a_stream_of_which_nothing_comes_is_told_after_its_own_time() -> None:
    streams = [stand("quiet", 100.2, 100.0), stand("silent", 301.2, 301.0)]
    assert list(growing_lags(streams, {"silent": 400.0}, 60.0, 300.0)) == ["silent"]
