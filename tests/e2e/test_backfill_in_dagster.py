"""The real webserver and daemon, driven as a person does: a backfill, a host that fails, its mending, a retry."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest

from tests.backfill import QUIET, SHARD_STAGES, Backfill
from tests.pipeline.tables import comparable_tables, fix_hash_key, network_settings
from zeppelin_pipeline.aggregates.counts import AGGREGATES
from zeppelin_pipeline.devnet.background import DevnetHandle, running_devnet
from zeppelin_pipeline.devnet.faults import Fault, FaultKind
from zeppelin_pipeline.devnet.model import DevnetConfig
from zeppelin_pipeline.stack.dagster_client import DagsterClient
from zeppelin_pipeline.stack.dagster_values import Run
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres
from zeppelin_pipeline.stack.ports import free_port
from zeppelin_pipeline.stack.running import RunningStack, running_stack
from zeppelin_pipeline.stack.supervisor import Supervisor
from zeppelin_pipeline.warehouse.key_ranges import range_names

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

NETWORK = DevnetConfig(repos=40, hosts=3, seed=5, mean_records=40)
GET_REPO = "com.atproto.sync.getRepo"
SICK_HOST = 0
RUN_SECONDS = 300.0
BACKFILL_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Stage:
    """A network, the stack over it, and the warehouse of a backfill that nothing disturbed."""

    network: DevnetHandle
    stack: RunningStack
    warehouse_url: str
    undisturbed_url: str


@pytest.fixture
def stage(
    postgres_server: EmbeddedPostgres, postgres_url: str, migrated_template: str, tmp_path: Path
) -> Iterator[Stage]:
    undisturbed_url = postgres_server.create_database("undisturbed_e2e", template=migrated_template)
    for url in (postgres_url, undisturbed_url):
        fix_hash_key(url)
    with running_devnet(NETWORK) as network:
        urls = (network.relay_url, network.plc_url)
        with dg.DagsterInstance.ephemeral(settings=QUIET) as instance:
            Backfill(network_settings(tmp_path / "undisturbed", undisturbed_url, *urls), instance).run()
        # The backfill alone: a live stream would ask hosts for repositories, and start runs of its own.
        settings = network_settings(tmp_path / "home", postgres_url, *urls).model_copy(
            update={
                "dagster_port": free_port(),
                "api_port": free_port(),
                "firehose_enabled": False,
                "labels_enabled": False,
            }
        )
        with Supervisor(tmp_path / "logs") as supervisor, running_stack(settings, supervisor, print) as stack:
            yield Stage(network, stack, postgres_url, undisturbed_url)
    postgres_server.drop_database("undisturbed_e2e")


def launch(dagster: DagsterClient, *assets: str, partition: str | None = None) -> str:
    """One run to its end; gives how it ended."""
    [run] = dagster.wait_for_runs([dagster.launch_run(assets, partition=partition)], timeout_seconds=RUN_SECONDS)
    return run.status


def plan_shards(dagster: DagsterClient) -> list[str]:
    assert launch(dagster, "pds_list") == "SUCCESS"
    for host in dagster.partition_keys("repo_listing"):
        assert launch(dagster, "repo_listing", partition=host) == "SUCCESS"
    assert launch(dagster, "shard_plan") == "SUCCESS"
    return dagster.partition_keys("fetched_repos")


def assert_one_run_a_host_at_a_time(runs: list[Run]) -> None:
    by_host: dict[str, list[tuple[float, float]]] = {}
    for run in runs:
        assert run.started_at is not None
        assert run.ended_at is not None
        by_host.setdefault(run.tags["zeppelin/host"], []).append((run.started_at, run.ended_at))
    assert max(len(spans) for spans in by_host.values()) > 1
    for spans in by_host.values():
        assert all(end <= start for (_, end), (start, _) in pairwise(sorted(spans)))


def test_a_failed_host_is_seen_mended_and_only_its_shards_are_retried(stage: Stage) -> None:
    dagster, network = stage.stack.dagster, stage.network
    shards = plan_shards(dagster)
    sick = {shard for shard in shards if shard.startswith(f"{network.hosts[SICK_HOST].hostname}~")}
    assert 0 < len(sick) < len(shards)

    network.set_fault(SICK_HOST, Fault(FaultKind.HTTP_ERROR, method=GET_REPO))
    first = dagster.launch_backfill(SHARD_STAGES, shards, title="every shard")
    assert dagster.wait_for_backfill(first, timeout_seconds=BACKFILL_SECONDS).is_ended
    fetched, loaded = (dagster.partition_statuses(asset) for asset in ("fetched_repos", "warehouse_tables"))
    assert set(fetched.failed) == sick
    assert set(fetched.materialized) == set(loaded.materialized) == set(shards) - sick
    failed_runs = dagster.runs(tags={"dagster/backfill": first}, statuses=["FAILURE"])
    assert {run.partition for run in failed_runs} == sick
    assert_one_run_a_host_at_a_time(dagster.runs(tags={"dagster/backfill": first}))
    assert any("could not be fetched" in text for text in dagster.run_failures(failed_runs[0].run_id))

    network.clear_faults()
    asked = [network.requests(host.number)[GET_REPO] for host in network.hosts if host.number != SICK_HOST]
    second = dagster.retry_failed(first)
    assert dagster.wait_for_backfill(second, timeout_seconds=BACKFILL_SECONDS).is_ended
    assert {run.partition for run in dagster.runs(tags={"dagster/backfill": second})} == sick
    for asset in SHARD_STAGES:
        statuses = dagster.partition_statuses(asset)
        assert set(statuses.materialized) == set(shards)
        assert not statuses.failed
    assert [network.requests(host.number)[GET_REPO] for host in network.hosts if host.number != SICK_HOST] == asked

    assert launch(dagster, "warehouse_indexes", "load_epoch") == "SUCCESS"
    names = range_names()
    run = dagster.launch_run(AGGREGATES, partition_range=(names[0], names[-1]))
    [counted] = dagster.wait_for_runs([run], timeout_seconds=RUN_SECONDS)
    assert counted.status == "SUCCESS"
    # Handles are verified by a sensor of the running stack, at a time of its own.
    held, undisturbed = comparable_tables(stage.warehouse_url), comparable_tables(stage.undisturbed_url)
    assert held.pop("identity")
    assert undisturbed.pop("identity")
    assert held == undisturbed
