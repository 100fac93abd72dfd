"""Dagster as a user of its web pages sees it: launch, watch, retry, cancel; all through its GraphQL."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from zeppelin_pipeline.stack import dagster_answers as answers
from zeppelin_pipeline.stack import dagster_documents as documents
from zeppelin_pipeline.stack.dagster_values import Backfill, Materialization, PartitionStatuses, Run
from zeppelin_pipeline.stack.graphql import DagsterError, GraphQLClient, JsonObject

LOCATION: Final = "zeppelin"
REPOSITORY: Final = "__repository__"
ASSET_JOB: Final = "__ASSET_JOB"
UNFINISHED_RUNS: Final = ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING")
UNFINISHED_BACKFILLS: Final = ("REQUESTED", "CANCELING", "FAILING")
POLL_SECONDS: Final = 0.5


class DagsterClient:
    """One webserver and one code location in it."""

    def __init__(self, base_url: str, *, location: str = LOCATION) -> None:
        """Connect lazily to the webserver at `base_url`."""
        self.graphql = GraphQLClient(base_url)
        self._location = location

    def is_loaded(self) -> bool:
        """Whether the code location is there with all its definitions.

        Raises:
            DagsterError: the location failed to load; the message has its error.
        """
        workspace = self.graphql.ask_one(documents.LOCATIONS, expect="Workspace")
        entries = [entry for entry in workspace["locationEntries"] if entry["name"] == self._location]
        return bool(entries) and answers.is_loaded(entries[0])

    def has_healthy_daemons(self) -> bool:
        """Whether every daemon that this instance needs has given a heartbeat."""
        health = self.graphql.ask(documents.DAEMONS)["instance"]["daemonHealth"]
        statuses = cast("list[JsonObject]", health["allDaemonStatuses"])
        return bool(statuses) and all(status["healthy"] for status in statuses if status["required"])

    def assets(self) -> list[str]:
        """The keys of all assets, path parts joined by `/`."""
        return [answers.key_text(node["assetKey"]) for node in self.graphql.ask(documents.ASSETS)["assetNodes"]]

    def launch_run(
        self,
        assets: Sequence[str],
        *,
        partition: str | None = None,
        partition_range: tuple[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """Queue one run that materializes the assets; return its id.

        Args:
            assets: keys of assets.
            partition: of all the assets.
            partition_range: first and last of several partitions in one run, for assets whose policy allows that.
            config: run config (`{"ops": {asset: {"config": {…}}}}`).
            tags: of the run.
        """
        run_tags = dict(tags or {})
        if partition is not None:
            run_tags["dagster/partition"] = partition
        if partition_range is not None:
            first, last = partition_range
            run_tags |= {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        params = {
            "selector": {
                "repositoryLocationName": self._location,
                "repositoryName": REPOSITORY,
                "jobName": ASSET_JOB,
                "assetSelection": [answers.key_input(asset) for asset in assets],
            },
            "runConfigData": dict(config or {}),
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in run_tags.items()]},
        }
        launched = self.graphql.ask_one(documents.LAUNCH_RUN, {"params": params}, expect="LaunchRunSuccess")
        return str(launched["run"]["runId"])

    def launch_backfill(
        self,
        assets: Sequence[str],
        partitions: Sequence[str],
        *,
        title: str | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> str:
        """Request a backfill of partitions that the assets share; return its id. The daemon begins it within 30 s."""
        params = {
            "assetSelection": [answers.key_input(asset) for asset in assets],
            "partitionNames": list(partitions),
            "title": title,
            "runConfigData": dict(config or {}),
        }
        launched = self.graphql.ask_one(documents.LAUNCH_BACKFILL, {"params": params}, expect="LaunchBackfillSuccess")
        return str(launched["backfillId"])

    def add_partition(self, definition: str, key: str) -> None:
        """Make a dynamic partition; one that is there already stays."""
        variables = {
            "repository": {"repositoryLocationName": self._location, "repositoryName": REPOSITORY},
            "definition": definition,
            "key": key,
        }
        (added,) = self.graphql.ask(documents.ADD_PARTITION, variables).values()
        if added["__typename"] not in {"AddDynamicPartitionSuccess", "DuplicateDynamicPartitionError"}:
            raise DagsterError(added["__typename"], str(added.get("message")))

    def retry_failed(self, backfill_id: str) -> str:
        """Request a backfill of what an ended one did not materialize; return the new one's id."""
        params = {"parentRunId": backfill_id, "strategy": "FROM_FAILURE"}
        launched = self.graphql.ask_one(documents.RETRY_BACKFILL, {"params": params}, expect="LaunchBackfillSuccess")
        return str(launched["backfillId"])

    def backfill(self, backfill_id: str) -> Backfill:
        """The backfill's state."""
        found = self.graphql.ask_one(documents.BACKFILL, {"id": backfill_id}, expect="PartitionBackfill")
        return answers.backfill(found)

    def unfinished_backfills(self) -> list[str]:
        """The ids of backfills that still go on."""
        variables = {"statuses": list(UNFINISHED_BACKFILLS)}
        found = self.graphql.ask_one(documents.BACKFILLS, variables, expect="PartitionBackfills")
        return [str(one["id"]) for one in found["results"]]

    def cancel_backfill(self, backfill_id: str) -> None:
        """Ask for the end of a backfill and of its runs; the daemon does it within 30 s."""
        self.graphql.ask_one(documents.CANCEL_BACKFILL, {"id": backfill_id}, expect="CancelBackfillSuccess")

    def run(self, run_id: str) -> Run:
        """One run.

        Raises:
            DagsterError: no run has this id.
        """
        found = self.runs(run_ids=[run_id])
        if not found:
            raise DagsterError("RunNotFound", run_id)
        return found[0]

    def runs(
        self,
        *,
        run_ids: Sequence[str] | None = None,
        statuses: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> list[Run]:
        """The runs that match all that is given, the newest first."""
        asked = {
            "runIds": list(run_ids) if run_ids is not None else None,
            "statuses": list(statuses) if statuses is not None else None,
            "tags": [{"key": key, "value": value} for key, value in tags.items()] if tags else None,
        }
        given = {key: value for key, value in asked.items() if value is not None}
        found = self.graphql.ask_one(documents.RUNS, {"filter": given, "limit": limit}, expect="Runs")
        return [answers.run(one) for one in found["results"]]

    def terminate_runs(self, run_ids: Sequence[str], *, is_dead: bool = False) -> None:
        """Ask runs to stop; each is canceled once its process has ended, or at once where the process is known dead."""
        policy = "MARK_AS_CANCELED_IMMEDIATELY" if is_dead else "SAFE_TERMINATE"
        variables = {"ids": list(run_ids), "policy": policy}
        if run_ids:
            self.graphql.ask_one(documents.TERMINATE_RUNS, variables, expect="TerminateRunsResult")

    def run_failures(self, run_id: str) -> list[str]:
        """The messages of a run's errors, with their causes, in order."""
        return [text for event in self._events(run_id) if (text := answers.error_text(event)) is not None]

    def partition_statuses(self, asset: str) -> PartitionStatuses:
        """Which partitions of an asset are materialized, failed, missing or being made."""
        node = self.graphql.ask_one(
            documents.PARTITION_STATUSES, {"asset": answers.key_input(asset)}, expect="AssetNode"
        )
        return answers.partition_statuses(asset, node["assetPartitionStatuses"])

    def partition_keys(self, asset: str) -> list[str]:
        """All partitions of an asset, in order."""
        node = self.graphql.ask_one(
            documents.PARTITION_STATUSES, {"asset": answers.key_input(asset)}, expect="AssetNode"
        )
        return list(node["partitionKeys"])

    def materializations(
        self, asset: str, *, partitions: Sequence[str] | None = None, limit: int | None = None
    ) -> list[Materialization]:
        """The materializations of an asset, the newest first."""
        variables = {"asset": answers.key_input(asset), "partitions": partitions, "limit": limit}
        node = self.graphql.ask_one(documents.MATERIALIZATIONS, variables, expect="AssetNode")
        return [answers.materialization(one) for one in node["assetMaterializations"]]

    def set_pool_limit(self, pool: str, limit: int) -> None:
        """How many steps of a pool may run at once."""
        self.graphql.ask(documents.SET_POOL_LIMIT, {"pool": pool, "limit": limit})

    def wait_for_runs(
        self, run_ids: Sequence[str], *, timeout_seconds: float, on_poll: Callable[[list[Run]], None] | None = None
    ) -> list[Run]:
        """The runs, once all have ended, in the order given.

        Raises:
            DagsterError: they had not ended in time.
        """
        deadline = time.monotonic() + timeout_seconds
        while True:
            found = {run.run_id: run for run in self.runs(run_ids=run_ids)}
            runs = [found[run_id] for run_id in run_ids if run_id in found]
            if on_poll is not None:
                on_poll(runs)
            if len(runs) == len(run_ids) and all(run.is_ended for run in runs):
                return runs
            if time.monotonic() > deadline:
                raise DagsterError("timeout", f"{len(run_ids)} runs had not ended in {timeout_seconds:.0f} s")
            time.sleep(POLL_SECONDS)

    def wait_for_backfill(
        self, backfill_id: str, *, timeout_seconds: float, on_poll: Callable[[Backfill], None] | None = None
    ) -> Backfill:
        """The backfill, once it has ended.

        Raises:
            DagsterError: it had not ended in time.
        """
        deadline = time.monotonic() + timeout_seconds
        while True:
            backfill = self.backfill(backfill_id)
            if on_poll is not None:
                on_poll(backfill)
            if backfill.is_ended:
                return backfill
            if time.monotonic() > deadline:
                raise DagsterError("timeout", f"backfill {backfill_id} had not ended in {timeout_seconds:.0f} s")
            time.sleep(POLL_SECONDS)

    def _events(self, run_id: str) -> Iterator[JsonObject]:
        cursor: str | None = None
        while True:
            variables = {"id": run_id, "cursor": cursor}
            page = self.graphql.ask_one(documents.RUN_EVENTS, variables, expect="EventConnection")
            yield from page["events"]
            cursor = page["cursor"]
            if not page["hasMore"]:
                return
