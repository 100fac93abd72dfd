"""Fetch and extraction killed at random points and tried again: the tables of a backfill that nothing disturbed."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from tests.backfill import QUIET, Backfill
from tests.pipeline.tables import comparable_tables, fix_hash_key, network_settings
from zeppelin_pipeline.devnet.background import running_devnet
from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres

#: More by `ZEPPELIN_TEST_KILLS=20 pytest tests/pipeline/test_stages_killed.py`.
KILLS_OF_A_STAGE = int(os.environ.get("ZEPPELIN_TEST_KILLS", "4"))
NETWORK = DevnetConfig(repos=40, hosts=2, seed=11, mean_records=120)


def kill_within(stage: str, home: Path, plc_url: str, shard: str, delay_seconds: float) -> bool:
    """Starts a stage in a process of its own and kills it; gives whether it was still at work."""
    command = [sys.executable, "-m", "tests.pipeline.stage_process", stage, str(home), plc_url, shard]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(delay_seconds)
        process.kill()
        return process.wait() == -9


@pytest.mark.timeout(240 + 30 * KILLS_OF_A_STAGE)
def test_stages_killed_at_random_points_and_retried_give_the_tables_of_undisturbed_ones(
    postgres_url: str, postgres_server: EmbeddedPostgres, migrated_template: str, tmp_path: Path
) -> None:
    undisturbed_url = postgres_server.create_database("undisturbed_stages", template=migrated_template)
    dice = random.Random(20261123)
    killed = {"fetch": 0, "extract": 0}
    try:
        with (
            running_devnet(NETWORK) as network,
            dg.DagsterInstance.ephemeral(settings=QUIET) as one,
            dg.DagsterInstance.ephemeral(settings=QUIET) as other,
        ):
            for url in (postgres_url, undisturbed_url):
                fix_hash_key(url)
            urls = (network.relay_url, network.plc_url)
            undisturbed = Backfill(network_settings(tmp_path / "one", undisturbed_url, *urls), one)
            undisturbed.run()
            disturbed = Backfill(network_settings(tmp_path / "other", postgres_url, *urls), other)
            disturbed.plan()
            shard = max(disturbed.shards)
            for stage, asset in (("fetch", "fetched_repos"), ("extract", "record_batches")):
                for _ in range(KILLS_OF_A_STAGE):
                    delay_seconds = dice.random() * 0.5
                    killed[stage] += kill_within(stage, tmp_path / "other", network.plc_url, shard, delay_seconds)
                disturbed.materialize(asset, partition=shard)
            disturbed.take_in(disturbed.shards)
            disturbed.finish()
            assert comparable_tables(postgres_url) == comparable_tables(undisturbed_url)
    finally:
        postgres_server.drop_database("undisturbed_stages")
    assert min(killed.values()) > 0
