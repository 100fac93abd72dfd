"""The backfill of everything that is missing, launched as a person would in Dagster's pages, stage by stage.

hosts -> identities -> listings -> shard plan -> every shard (fetch, extract, load) -> indexes -> handles -> counts.
Work that an earlier run has done is left out, and the report says how much that was. Of a large directory only one
window is taken in before the shards: its sensor goes on with the others meanwhile.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from zeppelin_pipeline.aggregates.counts import AGGREGATES
from zeppelin_pipeline.errors import ZeppelinError
from zeppelin_pipeline.identity.windows import WINDOWS, window_key
from zeppelin_pipeline.stack.dagster_client import UNFINISHED_RUNS, DagsterClient
from zeppelin_pipeline.stack.dagster_values import Run
from zeppelin_pipeline.stack.progress import Stage, StageProgress
from zeppelin_pipeline.stack.running import RunningStack
from zeppelin_pipeline.stack.tally import read_tally

SHARD_ASSETS: Final = ("fetched_repos", "record_batches", "warehouse_tables")
BACKFILL_TAG: Final = "dagster/backfill"
FAILED: Final = ("FAILURE", "CANCELED")
#: Up to so many partitions are launched as single runs, which start at once; a backfill's first may wait 30 s.
SINGLE_RUNS: Final = 16
RUN_TIMEOUT_SECONDS: Final = 24 * 3600.0
POLL_SECONDS: Final = 1.0


class BackfillError(ZeppelinError):
    """A stage failed without which the later ones make no sense; the message has the run's own errors."""


@dataclass(slots=True)
class BackfillReport:
    """What a backfill did.

    Attributes:
        hosts: PDS hosts that answer.
        hosts_failed: hosts whose listing failed, with the reason.
        shards: all that are planned.
        shards_before: those that were loaded before.
        shards_failed: those that are not loaded, with the reason.
        seconds: from the first launch to the last count.
    """

    hosts: int = 0
    hosts_failed: dict[str, str] = field(default_factory=dict[str, str])
    shards: int = 0
    shards_before: int = 0
    shards_failed: dict[str, str] = field(default_factory=dict[str, str])
    seconds: float = 0.0


class BackfillLauncher:
    """Launches the stages over a running stack and shows how far they are."""

    def __init__(self, stack: RunningStack, progress: StageProgress) -> None:
        self._stack = stack
        self._dagster: DagsterClient = stack.dagster
        self._progress = progress

    def run(self) -> BackfillReport:
        """All stages in order.

        Raises:
            BackfillError: the list of hosts, the plan, the indexes or the counts could not be made.
            ProgramError: a program of the stack ended.
        """
        started = time.monotonic()
        report = BackfillReport()
        self._one_run("hosts", ["pds_list"])
        self._take_in_identities()
        self._list_hosts(report)
        self._one_run("plan", ["shard_plan"])
        self._load_shards(report)
        self._finish()
        report.seconds = time.monotonic() - started
        return report

    def _one_run(self, title: str, assets: Sequence[str], **launch: Any) -> None:
        """A stage of a single run, which must succeed."""
        with self._progress.stage(title, 1) as stage:
            (run,) = self._wait([self._dagster.launch_run(assets, **launch)], stage)
        if run.status != "SUCCESS":
            raise BackfillError(f"{', '.join(assets)} failed: {self._reason(run)}")

    def _take_in_identities(self) -> None:
        """The open window of the PLC directory's export; the first one is made a partition."""
        self._dagster.add_partition(WINDOWS, window_key(0))
        window = max(self._dagster.partition_keys("plc_operations"))
        self._one_run("identities", ["plc_operations"], partition=window)

    def _list_hosts(self, report: BackfillReport) -> None:
        """List every host that has no complete listing yet; one that fails does not hold up the others."""
        statuses = self._dagster.partition_statuses("repo_listing")
        hosts = self._dagster.partition_keys("repo_listing")
        done = set(statuses.materialized)
        missing = [host for host in hosts if host not in done]
        report.hosts = len(hosts)
        with self._progress.stage("listings", len(hosts), done=len(hosts) - len(missing)) as stage:
            report.hosts_failed = self._materialize(["repo_listing"], missing, stage)

    def _load_shards(self, report: BackfillReport) -> None:
        """Fetch, extract and load every shard that is not in the warehouse."""
        final = SHARD_ASSETS[-1]
        shards = self._dagster.partition_keys(final)
        done = set(self._dagster.partition_statuses(final).materialized)
        missing = [shard for shard in shards if shard not in done]
        report.shards, report.shards_before = len(shards), len(shards) - len(missing)
        with self._progress.stage("shards", len(shards), done=report.shards_before) as stage:
            if missing:
                backfill = self._dagster.launch_backfill(SHARD_ASSETS, missing, title="every shard")
                report.shards_failed = self._follow_backfill(backfill, final, missing, stage)

    def _finish(self) -> None:
        """Indexes, and how much is in and set aside; then handles, then the counts of all key ranges in one run."""
        self._one_run("indexes", ["warehouse_indexes", "load_epoch", "quarantine"])
        self._one_run("handles", ["verified_handles"])
        keys = self._dagster.partition_keys(AGGREGATES[0])
        self._one_run("counts", AGGREGATES, partition_range=(keys[0], keys[-1]))

    def _materialize(self, assets: Sequence[str], partitions: Sequence[str], stage: Stage) -> dict[str, str]:
        """Make partitions, few as single runs, many as a backfill; those that failed, with the reason."""
        if len(partitions) > SINGLE_RUNS:
            backfill = self._dagster.launch_backfill(assets, partitions)
            return self._follow_backfill(backfill, assets[-1], partitions, stage)
        runs = self._wait([self._dagster.launch_run(assets, partition=key) for key in partitions], stage)
        return {run.partition or "": self._reason(run) for run in runs if run.status != "SUCCESS"}

    def _wait(self, run_ids: Sequence[str], stage: Stage) -> list[Run]:
        already = stage.done

        def look(runs: list[Run]) -> None:
            self._stack.supervisor.check()
            stage.show(already + sum(run.status == "SUCCESS" for run in runs))

        if not run_ids:
            return []
        return self._dagster.wait_for_runs(run_ids, timeout_seconds=RUN_TIMEOUT_SECONDS, on_poll=look)

    def _follow_backfill(self, backfill_id: str, final: str, partitions: Sequence[str], stage: Stage) -> dict[str, str]:
        """Wait until every partition is made or failed; the failed ones, with the reason.

        The daemon notes a backfill's end up to 30 s late, so the partitions and runs are asked themselves.
        """
        tags = {BACKFILL_TAG: backfill_id}
        wanted, already = set(partitions), stage.done
        while True:
            self._stack.supervisor.check()
            ended = self._dagster.backfill(backfill_id)
            unfinished = self._dagster.runs(tags=tags, statuses=UNFINISHED_RUNS)
            made = wanted & set(self._dagster.partition_statuses(final).materialized)
            failed = {run.partition: run for run in self._dagster.runs(tags=tags, statuses=FAILED) if run.partition}
            self._show(stage, already + len(made), unfinished)
            if ended.is_ended or (not unfinished and wanted <= made | failed.keys()):
                reasons = {key: self._reason(run) for key, run in failed.items() if key not in made}
                lost = wanted - made - reasons.keys()
                return reasons | dict.fromkeys(sorted(lost), ended.error or f"the backfill ended as {ended.status}")
            time.sleep(POLL_SECONDS)

    def _show(self, stage: Stage, done: int, unfinished: Sequence[Run]) -> None:
        tally = read_tally(self._stack.settings.require_postgres_url())
        running = sum(run.status == "STARTED" for run in unfinished)
        stage.show(done, records=tally.entries, note=f"{running} running")

    def _reason(self, run: Run) -> str:
        """The last of a run's errors, which the earlier ones led to, and where to read more."""
        failures = self._dagster.run_failures(run.run_id)
        return f"{failures[-1] if failures else run.status} ({self._stack.dagster_url}/runs/{run.run_id})"


def describe_failures(what: str, failures: Mapping[str, str]) -> list[str]:
    """One line for each failed partition."""
    return [f"{what} {key} failed: {reason}" for key, reason in sorted(failures.items())]
