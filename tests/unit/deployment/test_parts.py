from datetime import timedelta
from typing import Any

import pytest

from zeppelin_pipeline.defs.resources import (
    FirehoseResource,
    IdentityResource,
    LabelsResource,
    NetworkResource,
    ShardResource,
)
from zeppelin_pipeline.deployment.firehose import Firehose
from zeppelin_pipeline.deployment.identity import Identity
from zeppelin_pipeline.deployment.labels import Labels
from zeppelin_pipeline.deployment.network import Network
from zeppelin_pipeline.deployment.shards import Shards
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.settings import Settings

URL = "postgresql://localhost/warehouse"
SETTINGS = Settings.load(
    postgres_url=URL,
    plc_url="https://plc.example.com",
    fetch_attempts=7,
    max_in_flight=11,
    user_agent="somebody",
    firehose_verifiers=3,
    firehose_batch_events=19,
    firehose_batch_seconds=0.5,
    firehose_queue_bytes=9_000_000,
    firehose_run_minutes=2.0,
    labels_most_labelers=23,
    labels_memory_bytes=900_000_000,
    labels_rows=29,
    labels_quarantine=31,
    labels_per_second=37.0,
    labels_bytes_per_second=41.0,
    batch_rows=43,
    car_retention_days=2.0,
    handle_days=3.0,
)


def test_the_consumer_of_a_relay_has_the_bounds_of_the_settings_and_connects_as_hosts_are_asked() -> None:
    lake = Lake("memory://start")
    network = Network.of(SETTINGS)

    firehose = Firehose.of(SETTINGS).settings("wss://relay.example.com", URL, lake, network, 5.0)

    assert (firehose.relay, firehose.postgres_url, firehose.lake) == ("wss://relay.example.com", URL, lake)
    assert (firehose.plc_url, firehose.plc_fresh_for) == ("https://plc.example.com", timedelta(seconds=5))
    assert firehose.verifiers == 3
    assert (firehose.consumer.batch.events, firehose.consumer.batch.seconds) == (19, 0.5)
    assert firehose.consumer.queue.bytes == 9_000_000
    assert firehose.clients == network.client_settings()
    assert (firehose.consumer.stream.user_agent, firehose.consumer.stream.retry.attempts) == ("somebody", 7)


def test_labelers_are_followed_within_the_bounds_of_the_settings() -> None:
    labels = Labels.of(SETTINGS).settings(URL, Network.of(SETTINGS))

    assert (labels.limits.labels_per_second, labels.limits.bytes_per_second) == (37.0, 41.0)
    assert (labels.limits.table.rows, labels.limits.table.quarantine) == (29, 31)
    assert labels.memory.labelers == 23
    assert labels.clients.max_in_flight == 11


def test_times_of_the_settings_are_durations_of_the_domain() -> None:
    assert Shards.of(SETTINGS).compaction_settings().keep_cars == timedelta(days=2)
    assert Shards.of(SETTINGS).extract_limits().group_rows == 43
    assert Identity.of(SETTINGS).queue_settings().reverify == timedelta(days=3)
    assert Firehose.of(SETTINGS).run_seconds == 120.0


@pytest.mark.parametrize(
    ("resource", "part"),
    [
        (NetworkResource, Network),
        (IdentityResource, Identity),
        (FirehoseResource, Firehose),
        (LabelsResource, Labels),
        (ShardResource, Shards),
    ],
)
def test_dagster_is_given_every_field_of_a_part_and_no_other(resource: Any, part: Any) -> None:
    given = resource.of(SETTINGS)

    assert set(given.get_resource_definition().config_field.config_type.fields) == set(part.model_fields)
    assert dict(given) == dict(part.of(SETTINGS))
