"""The numbers of the status page and of /metrics, against a warehouse whose contents are known."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.api_client import running_api
from tests.fakes.batches import random_shard
from zeppelin_pipeline.warehouse.load import load_shard


def _fill(postgres_url: str) -> int:
    """A loaded shard, a stream that is silent since an hour, a range of counts; gives the shard's record entries."""
    now = datetime.now(UTC)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        load_shard(connection, random_shard(3).batches())
        connection.execute(
            "INSERT INTO stream (relay, endpoint, seq, epoch, events, event_at, updated_at) VALUES "
            "('https://relay.test', 'com.atproto.sync.subscribeRepos', 7, 1, 70, %s, %s)",
            (now - timedelta(hours=1, seconds=2), now - timedelta(hours=1)),
        )
        connection.execute("INSERT INTO aggregate_range VALUES ('post_counts', '00', 1, 2, %s)", (now,))
        connection.execute(
            "INSERT INTO labeler_state (actor_id, did, url, rows, failure, failed_at) VALUES "
            "(1, 'did:plc:up', 'https://up.test', 9, NULL, NULL), "
            "(2, 'did:plc:down', 'https://down.test', 4, 'http-502', %s)",
            (now,),
        )
        connection.execute("DELETE FROM dirty_range")
        connection.execute("INSERT INTO dirty_range (aggregate, key_range) VALUES ('post_counts', '00')")
        connection.execute("VACUUM ANALYZE")
        row = connection.execute("SELECT sum(entries)::bigint FROM load").fetchone()
        assert row is not None
        return row[0]


async def test_the_overview_says_what_is_there(postgres_url: str):
    entries = _fill(postgres_url)
    async with running_api(postgres_url) as api:
        overview = (await api.http.get("/status.json")).json()

    assert (overview["shards"], overview["entries"]) == (1, entries)
    with psycopg.connect(postgres_url) as connection:
        for table in ("like", "post", "follow"):
            row = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()
            assert row is not None
            assert overview["records"][table] == row[0] > 0
    [stream] = overview["streams"]
    assert (stream["cursor"], stream["events"]) == (7, 70)
    assert stream["lag_seconds"] == pytest.approx(3602, abs=60), "it grows while nothing comes"
    assert stream["lag_seconds"] - stream["silent_seconds"] == pytest.approx(2)
    labelers = [(one["did"], one["labels"], one["failure"]) for one in overview["labelers"]]
    assert labelers == [("did:plc:down", 4, "http-502"), ("did:plc:up", 9, None)]
    assert overview["labelers"][0]["failed_at"] is not None
    [aggregate] = overview["aggregates"]
    assert (aggregate["name"], aggregate["ranges"], aggregate["changed_ranges"]) == ("post_counts", 1, 1)


async def test_the_overview_is_read_once_for_all_who_ask(postgres_url: str):
    async with running_api(postgres_url, overview_seconds=3600) as api:
        before = (await api.http.get("/status.json")).json()
        _fill(postgres_url)
        assert (await api.http.get("/status.json")).json() == before

    async with running_api(postgres_url, overview_seconds=3600) as api:
        assert (await api.http.get("/status.json")).json()["shards"] == 1


async def test_prometheus_sees_the_pipeline(postgres_url: str):
    entries = _fill(postgres_url)
    async with running_api(postgres_url) as api:
        answer = await api.http.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "zeppelin_api_warehouse_readable 1.0" in answer.text
    assert f"zeppelin_pipeline_loaded_entries {float(entries)}" in answer.text
    assert 'zeppelin_pipeline_stream_lag_seconds{relay="https://relay.test"} 36' in answer.text
    assert 'zeppelin_pipeline_labeler_labels{labeler="did:plc:up"} 9.0' in answer.text
    assert 'zeppelin_pipeline_labeler_up{labeler="did:plc:up"} 1.0' in answer.text
    assert 'zeppelin_pipeline_labeler_up{labeler="did:plc:down"} 0.0' in answer.text
    assert 'zeppelin_pipeline_aggregate_changed_ranges{aggregate="post_counts"} 1.0' in answer.text


async def test_a_parser_of_prometheus_reads_every_figure_with_its_type_and_its_help(postgres_url: str):
    _fill(postgres_url)
    async with running_api(postgres_url) as api:
        await api.http.get("/status.json")
        families = list(text_string_to_metric_families((await api.http.get("/metrics")).text))

    types = {family.name: family.type for family in families}
    assert [family.name for family in families if not family.documentation.endswith(".")] == []
    assert "unknown" not in types.values()
    assert types["zeppelin_pipeline_stream_events"] == types["zeppelin_pipeline_stream_refused_events"] == "counter"
    assert [name for name in types if name.endswith("_created")] == []


async def test_while_the_warehouse_is_away_the_numbers_are_not_there(empty_postgres_url: str):
    async with running_api(empty_postgres_url, pool_timeout_seconds=0.2) as api:
        answer = await api.http.get("/status.json")
    assert (answer.status_code, answer.json()["error"]) == (503, "NotEnoughResources")
