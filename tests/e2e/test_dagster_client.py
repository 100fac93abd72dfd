"""The client against a real webserver and daemon over a tiny code location of the tests' own."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.process_marks import processes_marked
from zeppelin_pipeline.stack.dagster_client import UNFINISHED_RUNS, DagsterClient
from zeppelin_pipeline.stack.dagster_programs import DagsterPlan, start_dagster
from zeppelin_pipeline.stack.graphql import DagsterError
from zeppelin_pipeline.stack.ports import free_port
from zeppelin_pipeline.stack.supervisor import Supervisor

pytestmark = pytest.mark.e2e

INSTANCE = """
telemetry: {enabled: false}
nux: {enabled: false}
run_coordinator:
  module: dagster
  class: QueuedRunCoordinator
  config: {dequeue_interval_seconds: 1}
"""
MARK = "TINY_FAULTS"


@dataclass(frozen=True, slots=True)
class Tiny:
    """A running webserver and daemon, and the folder that makes partitions fail."""

    client: DagsterClient
    faults: Path


def plan_in(folder: Path, module: str) -> DagsterPlan:
    """A Dagster over SQLite in a folder of the tests."""
    (folder / "faults").mkdir()
    (folder / "instance.yaml").write_text(INSTANCE)
    home = folder / "home"
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "PYTHONPATH": os.pathsep.join((str(Path(__file__).parent), str(folder))),
        MARK: str(folder / "faults"),
    }
    return DagsterPlan(home, folder / "instance.yaml", module, environment, free_port(), free_port())


def processes_of(folder: Path) -> list[str]:
    """Every living process that was started over this folder."""
    return processes_marked(f"{MARK}={folder}/faults")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    folder = tmp_path_factory.mktemp("tiny")
    with Supervisor(folder / "logs") as supervisor:
        client = start_dagster(supervisor, plan_in(folder, "tiny_location"))
        run = client.launch_run(["planned"], config={"ops": {"planned": {"config": {"count": 3}}}})
        assert client.wait_for_runs([run], timeout_seconds=60)[0].status == "SUCCESS"
        assert processes_of(folder)
        yield Tiny(client, folder / "faults")
        endless = client.launch_run(["endless"])
        while client.run(endless).status != "STARTED":
            supervisor.check()
    assert processes_of(folder) == [], "a run in progress was left behind by the supervisor"


def test_assets_partitions_and_metadata_are_read_back(tiny: Tiny) -> None:
    assert sorted(tiny.client.assets()) == ["counted", "doubled", "endless", "loaded", "planned"]
    assert tiny.client.partition_keys("doubled") == ["pds.test~00000", "pds.test~00001", "pds.test~00002"]
    (planned,) = tiny.client.materializations("planned")
    assert dict(planned.metadata) == {"shards": 3, "ratio": 0.5, "note": "planned", "whole": True}


def test_one_run_takes_a_range_of_partitions(tiny: Tiny) -> None:
    run = tiny.client.launch_run(["counted"], partition_range=("00", "02"))
    assert tiny.client.wait_for_runs([run], timeout_seconds=60)[0].status == "SUCCESS"
    assert {one.metadata["ranges"] for one in tiny.client.materializations("counted")} == {3}
    assert tiny.client.partition_statuses("counted").materialized == ("00", "01", "02")


def test_bad_run_config_is_refused_with_dagsters_reason(tiny: Tiny) -> None:
    with pytest.raises(DagsterError, match="count") as refused:
        tiny.client.launch_run(["planned"], config={"ops": {"planned": {"config": {}}}})
    assert refused.value.kind == "RunConfigValidationInvalid"


def test_an_unknown_asset_and_an_unknown_run_are_refused(tiny: Tiny) -> None:
    with pytest.raises(DagsterError):
        tiny.client.launch_run(["absent"])
    with pytest.raises(DagsterError, match="RunNotFound"):
        tiny.client.run("00000000-0000-0000-0000-000000000000")


BROKEN = "pds.test~00001"


@pytest.fixture(scope="module")
def failed_backfill(tiny: Tiny) -> str:
    """An ended backfill of three partitions, of which one failed."""
    (tiny.faults / BROKEN).touch()
    keys = tiny.client.partition_keys("doubled")
    backfill = tiny.client.launch_backfill(["doubled", "loaded"], keys, title="all shards")
    tiny.client.wait_for_backfill(backfill, timeout_seconds=150)
    (tiny.faults / BROKEN).unlink()
    return backfill


def test_a_failed_partition_is_seen_with_its_reason(tiny: Tiny, failed_backfill: str) -> None:
    ended = tiny.client.backfill(failed_backfill)
    assert not ended.is_successful
    assert [(one.asset, one.targeted, one.materialized, one.failed) for one in ended.progress] == [
        ("doubled", 3, 2, 1),
        ("loaded", 3, 2, 1),
    ]
    (failed,) = tiny.client.runs(statuses=["FAILURE"], tags={"dagster/backfill": failed_backfill})
    assert failed.partition == BROKEN
    assert any(f"the host of {BROKEN} is broken" in text for text in tiny.client.run_failures(failed.run_id))


def test_a_failed_partition_is_retried_alone(tiny: Tiny, failed_backfill: str) -> None:
    before = tiny.client.partition_statuses("doubled")
    assert (before.failed, before.materialized) == ((BROKEN,), ("pds.test~00000", "pds.test~00002"))
    again = tiny.client.wait_for_backfill(tiny.client.retry_failed(failed_backfill), timeout_seconds=150)
    assert again.is_successful
    assert [run.partition for run in tiny.client.runs(tags={"dagster/backfill": again.backfill_id})] == [BROKEN]
    after = tiny.client.partition_statuses("loaded")
    assert (after.failed, after.missing, len(after.materialized)) == ((), (), 3)
    assert tiny.client.unfinished_backfills() == []


def test_a_run_that_goes_on_is_terminated(tiny: Tiny) -> None:
    run = tiny.client.launch_run(["endless"])
    while tiny.client.run(run).status != "STARTED":
        pass
    assert [one.run_id for one in tiny.client.runs(statuses=UNFINISHED_RUNS)] == [run]
    with pytest.raises(DagsterError, match="had not ended"):
        tiny.client.wait_for_runs([run], timeout_seconds=0.1)
    tiny.client.terminate_runs([run])
    assert tiny.client.wait_for_runs([run], timeout_seconds=60)[0].status == "CANCELED"


def test_definitions_that_do_not_load_end_the_start_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "broken_location.py").write_text("raise RuntimeError('no such definitions')\n")
    plan = plan_in(tmp_path, "broken_location")
    with Supervisor(tmp_path / "logs") as supervisor, pytest.raises(Exception, match="no such definitions"):
        start_dagster(supervisor, plan)
    assert processes_of(tmp_path) == []


def test_a_webserver_that_is_not_there_is_one_clear_error() -> None:
    with pytest.raises(DagsterError, match="transport"):
        DagsterClient(f"http://127.0.0.1:{free_port()}").assets()
