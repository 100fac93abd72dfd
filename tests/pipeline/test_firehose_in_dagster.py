"""The firehose's job on a real instance: it follows for its time, reports, and the next goes on where it ended."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from tests.backfill import QUIET
from tests.pipeline.tables import network_settings
from zeppelin_pipeline.defs.code_location import build_resources
from zeppelin_pipeline.defs.firehose import FollowConfig, firehose, follow_firehose
from zeppelin_pipeline.devnet.background import DevnetHandle, running_devnet
from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.warehouse.connection import connect
from zeppelin_pipeline.warehouse.indexes import build_indexes

NETWORK = DevnetConfig(repos=6, hosts=1, seed=3, mean_records=10)


@pytest.fixture
def network() -> Iterator[DevnetHandle]:
    with running_devnet(NETWORK) as handle:
        yield handle


def run_job(settings: Settings, relay: str, seconds: float, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    needed = ("warehouse", "lake", "network", "identity", "firehose_settings")
    resources = {name: resource for name, resource in build_resources(settings).items() if name in needed}
    config = dg.RunConfig(ops={"follow_relay": FollowConfig(relay=relay, seconds=seconds)})
    return follow_firehose.execute_in_process(run_config=config, resources=resources, instance=instance)


def test_the_job_follows_for_its_time_reports_and_the_next_goes_on(
    network: DevnetHandle, postgres_url: str, tmp_path: Path
) -> None:
    """Accounts that nobody has fetched are queued to be, once they write: a firehose alone finds who is active."""
    settings = network_settings(tmp_path, postgres_url, network.relay_url, network.plc_url)
    with connect(postgres_url, autocommit=True) as connection:
        build_indexes(connection)
        connection.execute(
            "INSERT INTO stream (relay, endpoint, epoch, seq) VALUES (%s, 'com.atproto.sync.subscribeRepos', 1, 0)",
            (network.relay_url,),
        )
    with dg.DagsterInstance.ephemeral(settings=QUIET) as instance:
        first = network.live(40)
        assert run_job(settings, network.relay_url, 12.0, instance).success
        before = instance.fetch_materializations(firehose.key, limit=1).records[0].asset_materialization
        last = network.live(40)
        assert run_job(settings, network.relay_url, 12.0, instance).success
        newest = instance.fetch_materializations(firehose.key, limit=1).records[0].asset_materialization
    assert newest is not None
    assert before is not None
    assert before.metadata["cursor"].value == first
    assert newest.metadata["cursor"].value == last
    assert newest.metadata["lag_seconds"].value is not None
    with psycopg.connect(postgres_url) as connection:
        states = dict(connection.execute("SELECT state, count(*) FROM repo GROUP BY 1").fetchall())
        row = connection.execute("SELECT events, epoch FROM stream").fetchone()
        queued = connection.execute("SELECT count(*) FROM resync").fetchone()
    assert states.keys() <= {"synchronized", "desynchronized"}
    assert queued == (states.get("desynchronized", 0),)
    assert row == (last, 3)
